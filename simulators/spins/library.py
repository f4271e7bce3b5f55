"""The spin systems that come with the package, and files of the user's own."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from mrsjax.core.metabolites import canonical
from simulators.spins.systems import SpinGroup, SpinSystem


@functools.cache
def _packaged() -> dict[str, Any]:
    text = resources.files("simulators.spins").joinpath("data/metabolites.json").read_text(encoding="utf-8")
    return json.loads(text)["metabolites"]


def available() -> tuple[str, ...]:
    """Names of the packaged spin systems."""
    return tuple(_packaged())


def alternatives(name: str) -> tuple[str, ...]:
    """Labels of the other published values of a packaged system."""
    return tuple(_packaged()[_known_name(name)].get("alternatives", {}))


def _known_name(name: str) -> str:
    wanted = canonical(name)
    if wanted not in _packaged():
        raise ValueError(f"name: wanted one of {', '.join(_packaged())}, found {name!r}")
    return wanted


def metabolite(name: str, *, alternative: str | None = None) -> SpinSystem:
    """A packaged spin system by its name or an alias of it.

    **Raises:** `ValueError` for an unknown name or alternative.
    """
    name = _known_name(name)
    return from_entry(name, _packaged()[name], alternative=alternative)


def metabolites(names: Sequence[str] | None = None) -> list[SpinSystem]:
    """Several packaged systems; all but water when `names` is left out."""
    return [metabolite(n) for n in (names if names is not None else [n for n in available() if n != "H2O"])]


def load(path: str | Path) -> list[SpinSystem]:
    """Spin systems of a JSON file in the format of the packaged one (docs/simulation.md)."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    return [from_entry(name, entry) for name, entry in content["metabolites"].items()]


def from_entry(name: str, entry: dict[str, Any], *, alternative: str | None = None) -> SpinSystem:
    """A `SpinSystem` from one entry of a file.

    **Raises:** `ValueError` naming the metabolite and what is missing or wrong in it.
    """
    others = entry.get("alternatives", {})
    if alternative is not None and alternative not in others:
        raise ValueError(f"alternative: wanted one of {list(others)} for {name}, found {alternative!r}")
    given = entry if alternative is None else others[alternative]
    groups = []
    for group in given.get("groups", ()):
        missing = {"shifts_ppm", "isotopes"} - set(group)
        if missing:
            raise ValueError(f"{name}: wanted shifts_ppm and isotopes in every group, found none of {sorted(missing)}")
        try:
            groups.append(
                SpinGroup(
                    group["shifts_ppm"],
                    group.get("j_hz", ()),
                    group["isotopes"],
                    scale=group.get("scale", 1.0),
                    t1=group.get("t1_s"),
                    t2=group.get("t2_s"),
                    name=group.get("name", ""),
                )
            )
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if not groups:
        raise ValueError(f"{name}: wanted at least one group of spins")
    return SpinSystem(
        groups,
        name,
        full_name=entry.get("full_name", name),
        source=given.get("source", ""),
        notes=entry.get("notes", ""),
        settled=entry.get("settled", True),
    )
