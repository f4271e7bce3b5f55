"""Which way imports point (docs/decisions.md): a lower layer never imports a higher one."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
_ANALYSIS = {"core", "physics", "inference", "nn"}
BELOW = {
    "core": set(),
    "physics": {"core"},
    "inference": {"core", "physics"},
    "nn": {"core", "physics", "inference"},
    "io": {"core"},
    "data": {"core"},
    "acquisition": _ANALYSIS,
    "analysis": _ANALYSIS,
    "processing": _ANALYSIS,
    "report": _ANALYSIS | {"acquisition", "analysis", "processing"},
    "cli": _ANALYSIS | {"acquisition", "analysis", "processing", "io", "data", "report"},
}


def _imports(path: pathlib.Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "mrsjax").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    layer = path.relative_to(ROOT / "mrsjax").parts[0].removesuffix(".py")
    if layer == "__init__":
        return
    assert layer in BELOW, f"{layer} is not on the map"
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("mrsjax.")}
    assert used - {layer} <= BELOW[layer], f"{path} imports {sorted(used - {layer} - BELOW[layer])}"
    simulators = {name for name in _imports(path) if name.split(".")[0] == "simulators"}
    assert not simulators or layer == "cli"


@pytest.mark.parametrize("path", sorted((ROOT / "simulators").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_simulators_use_the_lower_layers_only(path):
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("mrsjax.")}
    assert used <= {"core", "physics", "io", "data"}


@pytest.mark.parametrize("path", sorted([*ROOT.glob("mrsjax/**/*.py"), *ROOT.glob("simulators/**/*.py")]), ids=str)
def test_nothing_is_unpickled_and_the_library_leaves_jax_config_alone(path):
    assert not {n.split(".")[0] for n in _imports(path)} & {"pickle", "dill", "joblib", "shelve"}
    if "cli" in path.parts or "__main__" in path.read_text():  # programs may choose their precision
        return
    assert "jax.config.update" not in path.read_text()
