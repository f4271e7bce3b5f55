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
from simulators import artefacts
from simulators.datasets.schema import Found
from simulators.datasets.signal import generating_model, single_precision
from simulators.datasets.simulator import ArtificialData
from simulators.tissue import Population, concentrations, ranges
from simulators.tissue.priors import log_normal, squared_uniform, uniform

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


def recipe(name: str | Path, *, basis: BasisSet | None = None, sampling: Sampling | None = None) -> Recipe:
    """The recipe of a name (`available()`) or of a YAML file; `basis` and `sampling` take the place of those it names.

    **Raises:** `ValueError` naming the file, the key, what is there and what was wanted.
    """
    if str(name) in available():
        text, source = _packaged().joinpath(f"{name}.yaml").read_text(encoding="utf-8"), str(name)
    elif Path(name).suffix in (".yaml", ".yml"):
        text, source = Path(name).read_text(encoding="utf-8"), str(name)
    else:
        raise ValueError(f"recipe: wanted {', '.join(available())} or a .yaml file, found {str(name)!r}")
    return parse(text, source, basis=basis, sampling=sampling)


def parse(text: str, source: str, *, basis: BasisSet | None = None, sampling: Sampling | None = None) -> Recipe:
    """A recipe from its text; `source` is named in errors."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{source}: no valid YAML: {' '.join(str(error).split())}") from None
    found = Found(content, source)
    found.allow(
        "name", "summary", "sampling", "basis", "amplitudes", "parameters", "artefacts", "coils", "snr", "after"
    )
    with jax.enable_x64(True):  # constants are rounded once, whatever the session's precision
        if sampling is None:
            sampling = _sampling(found.section("sampling"))
        model = _model(found, sampling, basis)
        population = _population(found, model)
        before = tuple(_artefact(entry, sampling) for entry in found.items("artefacts"))
        after = tuple(_artefact(entry, sampling) for entry in found.items("after"))
        coils = None
        if found.has("coils"):
            found.section("coils").allow("count")
            coils = artefacts.coils(found.section("coils").count("count"))
        snr = found.prior("snr") if found.has("snr") else None
        simulator = ArtificialData(model, population, before, snr=snr, coils=coils, after=after)
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
    priors, correlation = _amplitudes(found.section("amplitudes"), model)
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
    return Population(model.names, priors, values, correlation)


def _amplitudes(found: Found, model: SignalModel) -> tuple[Distribution, np.ndarray | None]:
    """Uniform amplitudes from a table of ranges, or correlated log-normal ones of a `brain`."""
    found.allow("table", "ranges", "brain", *(g.name for g in model.groups[1:]))
    kind, names = ("log_normal" if found.has("brain") else "uniform"), model.groups[0].names
    correlation = None
    if kind == "log_normal":
        section = found.section("brain")
        section.allow("grey_white_csf", "condition", "age")
        options: dict[str, Any] = {k: section.text(k) for k in ("condition", "age") if section.has(k)}
        if section.has("grey_white_csf"):
            options["fractions"] = section.numbers("grey_white_csf", 3)
        try:
            levels = concentrations.brain(names, **options)
        except ValueError as error:
            raise ValueError(f"{section.place}: {error}") from None
        first, second = list(levels.median), list(levels.log_sd)
        correlation = np.eye(len(model.names))
        correlation[: len(names), : len(names)] = levels.correlation
    else:
        table = {**ranges.OTHERS, **found.choice("table", {"shamaei2023": ranges.SHAMAEI_2023, "none": {}})}
        if found.has("ranges"):
            table |= {k: found.section("ranges").pair(k) for k in found.section("ranges").content}
        if missing := [n for n in names if canonical(n) not in table]:
            raise found.error("ranges", f"wanted a range [low, high] for {', '.join(missing)}")
        first, second = ([table[canonical(n)][end] for n in names] for end in (0, 1))
    for group in model.groups[1:]:
        one, two = found.section(group.name).numbers(kind, 2)
        first += [one] * len(group.names)
        second += [two] * len(group.names)
    make = log_normal if kind == "log_normal" else uniform
    return make(np.array(first), np.array(second)), correlation


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
    "baseline": (
        artefacts.spline_baseline,
        {"strength": "prior", "range_ppm": "pair", "spacing_ppm": "number", "walk": "flag", "name": "text"},
    ),
    "water": (
        artefacts.residual_water,
        {"strength": "prior", "probability": "number", "lines": "count", "spread_ppm": "number"},
    ),
    "lipids": (artefacts.scalp_lipids, {"strength": "prior", "probability": "number", "shift_sd_ppm": "number"}),
    "spurious": (
        artefacts.spurious_peaks,
        {"strength": "prior", "probability": "number", "peaks": "count", "range_ppm": "pair"},
    ),
    "echo": (
        artefacts.out_of_voxel_echo,
        {
            "strength": "prior", "probability": "number", "centre_ms": "pair", "width_ms": "pair", "range_ppm": "pair",
            "chirp_hz_per_s": "number", "name": "text",
        },
    ),
    "eddy": (artefacts.eddy_currents, {"amplitude_hz": "number", "decay_ms": "pair", "terms": "count"}),
    "transients": (
        artefacts.transients,
        {
            "count": "count", "drift_hz": "number", "walk_hz": "number", "jump_hz": "number", "jump_probability": "number",
            "phase_deg": "number", "motion_probability": "number",
        },
    ),
    "scatter": (artefacts.scatter, {"count": "count", "frequency_hz": "number", "phase_deg": "number"}),
    "truncation": (artefacts.truncation, {"fraction": "prior"}),
    "digitiser": (artefacts.digitiser, {"headroom": "prior", "bits": "count"}),
}  # fmt: skip
