"""Recipes: a data set written down in YAML, in the units of a protocol (Hz, ppm, degrees, MHz), checked key by key."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import yaml
from numpyro.distributions import Distribution

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.metabolites import canonical
from mrsjax.data import default_basis
from mrsjax.io import read_basis
from mrsjax.physics import SignalModel
from simulators import artefacts
from simulators.datasets import mrsi_recipe, shim_recipe
from simulators.datasets.artefact_recipe import artefact, made
from simulators.datasets.edited import edited_basis
from simulators.datasets.mrsi import SpectroscopicImages
from simulators.datasets.mrsi_recipe import reference_ppm, relaxation_of
from simulators.datasets.schema import Found
from simulators.datasets.shimming import DistortedField
from simulators.datasets.signal import generating_model, single_precision
from simulators.datasets.simulator import ArtificialData
from simulators.tissue import Population, concentrations, ranges
from simulators.tissue.priors import ends, fixed, log_normal, squared_uniform, uniform

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
    """A checked recipe: `name`, one line of `summary`, `text` as read (what a manifest keeps), `simulator`, `basis` (single precision; the first condition's;
    None: shims), `basis_file`: where that was read from (None: not from a file that the recipe names)."""

    name: str
    summary: str
    text: str
    simulator: ArtificialData | SpectroscopicImages | DistortedField
    basis: BasisSet | None = None
    basis_file: Path | None = None

    @property
    def spectra(self) -> ArtificialData:
        """The simulator of a recipe of single spectra.

        **Raises:** `ValueError` for a recipe of another kind.
        """
        if not isinstance(self.simulator, ArtificialData):
            raise ValueError(f"{self.name}: kind: found images or shims, wanted single spectra (r1, r2, r4, brain)")
        return self.simulator


def summaries() -> dict[str, str]:
    """One line about each of `available()`; no simulator is built."""
    return {name: yaml.safe_load(_text(name))["summary"] for name in available()}


def available() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return tuple(sorted(p.name.removesuffix(".yaml") for p in _packaged().iterdir() if p.name.endswith(".yaml")))


def recipe(
    name: str | Path, *, basis: BasisSet | Mapping[str, BasisSet] | None = None, sampling: Sampling | None = None
) -> Recipe:
    """The recipe of a name (`available()`) or of a YAML file; `basis` (or a mapping of them by condition) and `sampling`
    take the place of those it names.

    **Raises:** `ValueError` naming the file, the key, what is there and what was wanted.
    """
    if str(name) in available():
        text, source, folder = _text(str(name)), str(name), Path()
    elif Path(name).suffix in (".yaml", ".yml"):
        text, source, folder = Path(name).read_text(encoding="utf-8"), str(name), Path(name).parent
    else:
        raise ValueError(f"recipe: wanted {', '.join(available())} or a .yaml file, found {str(name)!r}")
    return parse(text, source, basis=basis, sampling=sampling, folder=folder)


def parse(
    text: str, source: str, *, basis: BasisSet | Mapping[str, BasisSet] | None = None, sampling: Sampling | None = None,
    folder: Path = Path(),
) -> Recipe:  # fmt: skip
    """A recipe from its text; `source` is named in errors; relative names of files start from `folder`."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{source}: no valid YAML: {' '.join(str(error).split())}") from None
    found = Found(content, source, folder)
    kind = found.choice("kind", KINDS) if found.has("kind") else KINDS["voxel"]
    with jax.enable_x64(True):  # constants are rounded once, whatever the session's precision
        simulator, first = single_precision(kind(found, basis, sampling))
    file = None if basis is not None or first is None else _basis_file(found)
    return Recipe(found.text("name"), found.text("summary"), text, simulator, first, file)


def _voxel(found: Found, basis, sampling: Sampling | None) -> tuple[ArtificialData, BasisSet]:
    found.allow(
        "name", "kind", "summary", "sampling", "basis", "amplitudes", "relaxation", "parameters", "artefacts", "coils", "snr", "snr_ppm", "after"
    )  # fmt: skip
    sampling = sampling or _sampling(found.section("sampling"))
    first, *others = _bases(found, basis).values()
    amplitudes = found.section("amplitudes")
    parameters = found.section("parameters")
    own = any(
        parameters.section(group).has(k) for group in parameters.content for k in ("own_shift_hz", "own_lorentz_hz")
    )
    model = generating_model(
        first, sampling, macromolecules=amplitudes.has("macromolecules"), lipids=amplitudes.has("lipids"), own_lines=own
    )
    names = model.groups[0].names
    edited = jnp.stack([jnp.asarray(b.resample(sampling).select(names).fids) for b in others]) if others else None
    priors, correlation, share = _amplitudes(amplitudes, model)
    weights = None
    if found.has("relaxation"):
        weights = relaxation_of(found.section("relaxation"), names, sampling, share)
    coils = None
    if found.has("coils"):
        found.section("coils").allow("count")
        coils = artefacts.coils(found.section("coils").count("count"))
    simulator = ArtificialData(
        model,
        Population(model.names, priors, _values(found, model), correlation),
        tuple(artefact(entry, sampling) for entry in found.items("artefacts")),
        snr=found.prior("snr", above=0) if found.has("snr") else None,
        reference_ppm=reference_ppm(found, first),
        coils=coils,
        after=tuple(artefact(entry, sampling) for entry in found.items("after")),
        edited=edited,
        relaxation=weights,
    )
    return simulator, first


def _images(found: Found, basis, sampling: Sampling | None) -> tuple[SpectroscopicImages, BasisSet]:
    found.allow(*mrsi_recipe.KEYS)
    sampling = sampling or _sampling(found.section("sampling"))
    first, *others = _bases(found, basis).values()
    if others:
        raise found.error("basis", "wanted a basis of one condition (kind mrsi has no edited data)")
    return mrsi_recipe.spectroscopic_images(found, sampling, first, _values, made), first


def _shim(found: Found, basis, sampling: Sampling | None) -> tuple[DistortedField, None]:
    found.allow(*shim_recipe.KEYS)
    return shim_recipe.distorted_field(found, sampling or _sampling(found.section("sampling"))), None


#: What a recipe's `kind` makes; without one: spectra of single voxels.
KINDS: Mapping[str, Callable[..., Any]] = {"voxel": _voxel, "mrsi": _images, "shim": _shim}


def _packaged():
    return resources.files("simulators.datasets").joinpath("recipes")


def _text(name: str) -> str:
    return _packaged().joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def _sampling(found: Found) -> Sampling:
    found.allow("points", "spectral_width_hz", "central_frequency_mhz")
    return Sampling(
        1.0 / found.number("spectral_width_hz", above=0),
        1e6 * found.number("central_frequency_mhz", above=0),
        found.count("points"),
    )


def _bases(found: Found, given: BasisSet | Mapping[str, BasisSet] | None) -> dict[str, BasisSet]:
    """The basis set of each condition; the first is the one that the signal-to-noise ratio refers to."""
    if given is None and found.content.get("basis") == "mega-press":
        return edited_basis()
    if given is None:
        file = _basis_file(found)
        given = default_basis() if file is None else read_basis(file)
    return dict(given) if isinstance(given, Mapping) else {"": given}


def _basis_file(found: Found) -> Path | None:
    """The file or folder that a recipe's key "basis" names; `None`: a basis of the package."""
    return None if found.text("basis") in ("default", "mega-press") else found.path("basis")


def _values(found: Found, model: SignalModel) -> dict[str, dict[str, Distribution]]:
    """Priors of the section "parameters"."""
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
            if parameter == "gauss":  # the model's parameter is the square
                low, high = section.low_and_high(key)
                values[group][parameter] = squared_uniform(low, high)
            else:
                least = 0.0 if parameter == "lorentz" else -math.inf
                values[group][parameter] = section.prior(key, scale=factor, shape=shape, least=least)
        if "own_lorentz" in values[group]:
            shared = values[group].get("lorentz", fixed(known[group]["lorentz"].start))
            if ends(values[group]["own_lorentz"])[0] + ends(shared)[0] < 0:
                raise section.error(
                    "own_lorentz_hz",
                    f"wanted a prior of {0 - ends(shared)[0]:g} or more (what lorentz_hz has at the least)",
                )
    return values


def _amplitudes(found: Found, model: SignalModel) -> tuple[Distribution, np.ndarray | None, np.ndarray]:
    """Uniform amplitudes from a table of ranges, or correlated log-normal ones of a `brain`; their correlation; parts in grey and white matter (2, m), for relaxation."""
    found.allow("table", "ranges", "brain", *(g.name for g in model.groups[1:]))
    if found.has("brain") and (other := [k for k in ("table", "ranges") if found.has(k)]):
        raise found.error(other[0], "wanted none beside brain")
    kind, names = ("log_normal" if found.has("brain") else "uniform"), model.groups[0].names
    correlation = None
    fractions: Any = (0.6, 0.4, 0.0)
    if kind == "log_normal":
        section = found.section("brain")
        section.allow("grey_white_csf", "condition", "age", "between", "factors")
        options: dict[str, Any] = {k: section.text(k) for k in ("condition", "age") if section.has(k)}
        if section.has("grey_white_csf"):
            options["fractions"] = fractions = section.numbers("grey_white_csf", 3)
            if not fractions[0] + fractions[1] > 0:
                raise section.error("grey_white_csf", "wanted some grey or white matter")
        if section.has("between"):
            options["between"] = section.number("between", least=0)
        try:
            levels = concentrations.brain(names, **options)
        except ValueError as error:
            raise ValueError(f"{section.place}: {error}") from None
        factors = np.ones(len(names))
        if section.has("factors"):
            factors = section.factors("factors", concentrations.known(), tuple(map(canonical, names)))
        first, second = list(levels.median * factors), list(levels.log_sd)
        correlation = np.eye(len(model.names))
        correlation[: len(names), : len(names)] = levels.correlation
    else:
        table = {**ranges.OTHERS, **found.choice("table", {"shamaei2023": ranges.SHAMAEI_2023, "none": {}})}
        if found.has("ranges"):
            table |= _ranges(found.section("ranges"), {*table, *map(canonical, names)})
        if missing := [n for n in names if canonical(n) not in table]:
            raise found.error("ranges", f"wanted a range [low, high] for {', '.join(missing)}")
        first, second = ([table[canonical(n)][end] for n in names] for end in (0, 1))
    for group in model.groups[1:]:
        _, (one, two) = found.two_numbers(group.name, kind)
        if one < 0:
            raise found.error(group.name, "wanted no negative number")
        first += [one] * len(group.names)
        second += [two] * len(group.names)
    make = log_normal if kind == "log_normal" else uniform
    return make(np.array(first), np.array(second)), correlation, concentrations.shares(names, fractions)


def _ranges(found: Found, known: set[str]) -> dict[str, tuple[float, float]]:
    """Ranges by canonical name.

    **Raises:** `ValueError` for a metabolite that is neither in the table nor in the basis, and for one that is there twice.
    """
    out: dict[str, tuple[float, float]] = {}
    for key in found.content:
        name = canonical(str(key))
        if name not in known:
            raise found.error(key, f"wanted a metabolite of the table or the basis ({', '.join(sorted(known))})")
        if name in out:
            raise found.error(key, f"wanted one range of {name}")
        out[name] = found.pair(key, least=0)
    return out
