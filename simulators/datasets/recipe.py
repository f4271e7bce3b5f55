"""Recipes: a data set written down in YAML, in the units of a protocol (Hz, ppm, degrees, MHz), checked key by key."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import numpy as np
import yaml
from numpyro.distributions import Distribution

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.metabolites import canonical
from mrsjax.data import default_basis
from mrsjax.physics import SignalModel
from simulators.artefacts.baseline import spline_baseline
from simulators.datasets.schema import Found
from simulators.datasets.signal import generating_model, single_precision
from simulators.datasets.simulator import ArtificialData
from simulators.tissue import Population, ranges
from simulators.tissue.priors import squared_uniform, uniform

#: Parameter of the model as recipes write it -> (parameter, factor to its unit).
PARAMETERS = {
    "phase_zero_deg": ("phase_zero", math.pi / 180),
    "delay_ms": ("delay", 1e-3),
    "shift_hz": ("shift", 1.0),
    "lorentz_hz": ("lorentz", 1.0),
    "gauss_hz": ("gauss", 1.0),
    "own_shift_hz": ("own_shift", 1.0),
    "own_lorentz_hz": ("own_lorentz", 1.0),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A checked recipe: `name`, one line of `summary`, `text` as read (what a manifest keeps), `simulator`."""

    name: str
    summary: str
    text: str
    simulator: ArtificialData


def available() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return tuple(sorted(p.name.removesuffix(".yaml") for p in _packaged().iterdir() if p.name.endswith(".yaml")))


def recipe(name: str | Path, *, basis: BasisSet | None = None) -> Recipe:
    """The recipe of a name (`available()`) or of a YAML file; `basis` takes the place of the one it names.

    **Raises:** `ValueError` naming the file, the key, what is there and what was wanted.
    """
    if str(name) in available():
        text, source = _packaged().joinpath(f"{name}.yaml").read_text(encoding="utf-8"), str(name)
    elif Path(name).suffix in (".yaml", ".yml"):
        text, source = Path(name).read_text(encoding="utf-8"), str(name)
    else:
        raise ValueError(f"recipe: wanted {', '.join(available())} or a .yaml file, found {str(name)!r}")
    return parse(text, source, basis=basis)


def parse(text: str, source: str, *, basis: BasisSet | None = None) -> Recipe:
    """A recipe from its text; `source` is named in errors."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{source}: no valid YAML: {' '.join(str(error).split())}") from None
    found = Found(content, source)
    found.allow("name", "summary", "sampling", "basis", "amplitudes", "parameters", "artefacts", "snr")
    with jax.enable_x64(True):  # constants are rounded once, whatever the session's precision
        sampling = _sampling(found.section("sampling"))
        model = _model(found, sampling, basis)
        population = _population(found, model)
        artefacts = tuple(_artefact(entry, sampling) for entry in found.items("artefacts"))
        snr = found.prior("snr") if found.has("snr") else None
        simulator = ArtificialData(model, population, artefacts, snr=snr)
        simulator = single_precision(simulator)
    return Recipe(found.text("name"), found.text("summary"), text, simulator)


def _packaged():
    return resources.files("simulators.datasets").joinpath("recipes")


def _sampling(found: Found) -> Sampling:
    found.allow("points", "spectral_width_hz", "central_frequency_mhz")
    return Sampling(
        1.0 / found.number("spectral_width_hz", above=0),
        1e6 * found.number("central_frequency_mhz", above=0),
        found.count("points"),
    )


def _model(found: Found, sampling: Sampling, basis: BasisSet | None) -> SignalModel:
    if basis is None:
        asked = found.text("basis")
        if asked == "default":
            basis = default_basis()
        else:
            from mrsjax.io import read_basis

            basis = read_basis(Path(asked))
    amplitudes = found.section("amplitudes")
    own = any(
        "own_shift_hz" in tree or "own_lorentz_hz" in tree for tree in found.section("parameters").content.values()
    )
    return generating_model(
        basis, sampling, macromolecules=amplitudes.has("macromolecules"), lipids=amplitudes.has("lipids"), own_lines=own
    )


def _population(found: Found, model: SignalModel) -> Population:
    amplitudes = found.section("amplitudes")
    amplitudes.allow("table", "ranges", "macromolecules", "lipids")
    table = {**ranges.OTHERS, **amplitudes.choice("table", {"shamaei2023": ranges.SHAMAEI_2023, "none": {}})}
    if amplitudes.has("ranges"):
        table |= {k: amplitudes.section("ranges").pair(k) for k in amplitudes.section("ranges").content}
    low, high = [], []
    for group in model.groups:
        if group.name == "metabolites":
            missing = [n for n in group.names if canonical(n) not in table]
            if missing:
                raise amplitudes.error("ranges", f"wanted a range [low, high] for {', '.join(missing)}")
            low += [table[canonical(n)][0] for n in group.names]
            high += [table[canonical(n)][1] for n in group.names]
        else:
            prior = amplitudes.section(group.name).pair("uniform")
            low += [prior[0]] * len(group.names)
            high += [prior[1]] * len(group.names)
    values: dict[str, dict[str, Distribution]] = {}
    known = model.parameters()
    parameters = found.section("parameters")
    parameters.allow(*known)
    for group in parameters.content:
        section = parameters.section(group)
        section.allow(*(k for k, (p, _) in PARAMETERS.items() if p in known[group]))
        values[group] = {}
        for key in section.content:
            parameter, factor = PARAMETERS[key]
            shape = known[group][parameter].start.shape
            if parameter == "gauss":
                values[group][parameter] = squared_uniform(*section.section(key).pair("uniform"))
            else:
                values[group][parameter] = section.prior(key, scale=factor, shape=shape)
    return Population(model.names, uniform(np.array(low), np.array(high)), values)


def _artefact(found: Found, sampling: Sampling):
    (kind,) = found.content
    if kind not in ARTEFACTS:
        raise found.error(kind, f"wanted one of {', '.join(ARTEFACTS)}")
    make, keys = ARTEFACTS[kind]
    section = found.section(kind)
    section.allow(*keys)
    return make(sampling, **{k: getattr(section, keys[k])(k) for k in section.content})


#: Artefact as recipes write it -> (its constructor, key -> what the key holds).
ARTEFACTS: Mapping[str, tuple[Callable[..., Any], Mapping[str, str]]] = {
    "baseline": (spline_baseline, {"strength": "prior", "range_ppm": "pair", "spacing_ppm": "number", "walk": "flag"}),
}
