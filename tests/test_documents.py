"""README's code and the notebooks run as they stand."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_readme_python_runs_and_prints_what_it_says(tmp_path):
    (code,) = _blocks("python")
    assert len(code.strip().splitlines()) <= 12
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True, timeout=600
    )
    name, status, *shape = out.stdout.split()
    assert (name, status) == ("NAA", "[0]"), out.stdout
    assert " ".join(shape) == "(35,)"


def test_readme_commands_are_the_gate():
    shell = _blocks("sh")[0]
    gate = (ROOT / ".ci" / "run").read_text()
    for line in shell.strip().splitlines():
        install, then = line.split(" && ")
        assert install.removeprefix("pip install ") in gate
        assert then in gate


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_executes(path):
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.read(path)
    NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert outputs
    assert not [o for o in outputs if o.output_type == "error"]
