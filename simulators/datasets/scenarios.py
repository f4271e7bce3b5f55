"""The scenario suite: one recipe, and what a method meets when the world is not that of the recipe."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from mrsjax.core import BasisSet
from mrsjax.core.metabolites import canonical
from simulators.datasets.recipe import parse
from simulators.datasets.simulator import ArtificialData
from simulators.tissue import ranges

#: Strength of an artefact that is there and cannot be seen.
NOTHING = {"log_uniform": [1e-9, 1e-9]}

#: Artefacts that every scenario carries, so that all are one program; all but the recipe's own are invisible until a scenario wants them.
SPARE: list[dict[str, Any]] = [
    {"baseline": {"strength": NOTHING, "walk": True, "range_ppm": [-0.5, 5.0], "spacing_ppm": 0.5, "name": "walk"}},
    {"water": {"strength": NOTHING, "probability": 1.0}},
    {"spurious": {"strength": NOTHING, "probability": 1.0, "peaks": 2, "range_ppm": [0.5, 4.2]}},
    {"echo": {"strength": NOTHING, "probability": 1.0}},
]


def _set(key: str, value: Any) -> Callable[[dict], None]:
    def change(content):
        content[key] = value

    return change


def _artefact(kind: str, low: float, high: float, name: str | None = None) -> Callable[[dict], None]:
    def change(content):
        entries = [e[kind] for e in content["artefacts"] if kind in e and e[kind].get("name") == name]
        entries[-1]["strength"] = {"log_uniform": [low, high]}

    return change


def _times(factor: float, *keys: str) -> Callable[[dict], None]:
    """Uniform ranges of those of the metabolites' parameters that the recipe varies, times `factor`."""

    def change(content):
        tree = content["parameters"]["metabolites"]
        for key in [k for k in keys if k in tree] or keys:
            tree[key]["uniform"] = [factor * x for x in tree[key]["uniform"]]

    return change


def _baseline(factor: float) -> Callable[[dict], None]:
    def change(content):
        own = [e["baseline"] for e in content["artefacts"] if "name" not in e.get("baseline", {"name": ""})]
        if not own:
            raise KeyError("the recipe has no baseline")
        for entry in own:
            entry["strength"]["log_uniform"] = [factor * x for x in entry["strength"]["log_uniform"]]

    return change


def _macromolecules(factor: float) -> Callable[[dict], None]:
    def change(content):
        tree = content["amplitudes"]["macromolecules"]
        tree["uniform"] = [factor * x for x in tree["uniform"]]
        width = content["parameters"]["macromolecules"]["gauss_hz"]
        width["uniform"] = [factor * x for x in width["uniform"]]

    return change


def _phase(content):
    content["parameters"]["phase"]["phase_zero_deg"] = {"uniform": [-115, 115]}


def _amounts(change: Callable[[str, tuple[float, float]], tuple[float, float]]) -> Callable[[dict], None]:
    def apply(content):
        if "brain" in content["amplitudes"]:
            raise KeyError("amplitudes by tissue have no ranges")
        table = {**ranges.OTHERS, **ranges.SHAMAEI_2023}
        given = dict(content["amplitudes"].get("ranges", {}))
        for name, pair in table.items():
            given[name] = list(change(canonical(name), tuple(given.get(name, pair))))
        content["amplitudes"]["ranges"] = given

    return apply


#: Name -> change of a recipe's content. A scenario whose key a recipe lacks is left out.
CHANGES: Mapping[str, Callable[[dict], None]] = {
    "in distribution": lambda content: None,
    "SNR 5 to 10": _set("snr", {"log_uniform": [5, 10]}),
    "SNR 20 to 40": _set("snr", {"log_uniform": [20, 40]}),
    "SNR 100 to 200": _set("snr", {"log_uniform": [100, 200]}),
    "line width x2": _times(2.0, "lorentz_hz", "gauss_hz"),
    "shift x4": _times(4.0, "shift_hz"),
    "phase +-2 rad": _phase,
    "baseline x4": _baseline(4.0),
    "random-walk baseline": _artefact("baseline", 0.02, 0.1, "walk"),
    "macromolecules x2, broader": _macromolecules(2.0),
    "residual water": _artefact("water", 0.3, 3.0),
    "spurious lines": _artefact("spurious", 0.01, 0.05),
    "echo from outside the voxel": _artefact("echo", 0.02, 0.2),
    "lactate x5": _amounts(lambda name, r: (5 * r[0], 5 * r[1]) if name == "Lac" else r),
    "all amounts x0 to x1.5": _amounts(lambda name, r: (0.0, 1.5 * r[1])),
}


def scenarios(text: str, source: str, *, basis: BasisSet | None = None) -> dict[str, ArtificialData]:
    """Simulators of a recipe's text and of `CHANGES` of it, by name. All have the tree of the first: one compiled program samples each of them.

    **Raises:** `ValueError` for a text that is no recipe, or whose signal-to-noise ratio is not log-uniform.
    """
    base = yaml.safe_load(text)
    if not isinstance(base, dict) or "log_uniform" not in (base.get("snr") or {}):
        raise ValueError(f"{source}: wanted a recipe with a log_uniform snr")
    base["artefacts"] = [*(base.get("artefacts") or []), *copy.deepcopy(SPARE)]
    found = {}
    for name, change in CHANGES.items():
        content = copy.deepcopy(base)
        try:
            change(content)
        except (KeyError, TypeError):
            continue
        found[name] = parse(yaml.safe_dump(content), f"{source}, {name}", basis=basis).simulator
    return found
