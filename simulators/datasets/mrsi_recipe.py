"""Recipes of kind `mrsi`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.constants import GYROMAGNETIC_RATIO
from mrsjax.core.metabolites import canonical
from mrsjax.physics.macromolecules import LANDMARKS, basis_offset
from simulators.datasets.mrsi import SpectroscopicImages
from simulators.datasets.schema import Found
from simulators.datasets.signal import generating_model, height_probe
from simulators.phantoms import anatomy, b0, nonuniform
from simulators.phantoms.coils import loop_sensitivities
from simulators.phantoms.encoding import Along, Cartesian, Encoding
from simulators.phantoms.head import Tissue
from simulators.tissue import Population, concentrations
from simulators.tissue.priors import fixed, log_normal, uniform
from simulators.tissue.relaxation import relaxation

#: Parameters of a world's metabolites; macromolecules have all but the first.
WORLD = ("shift_hz", "lorentz_hz", "gauss_hz")

KEYS = (
    "name", "kind", "summary", "sampling", "basis", "anatomy", "grid", "amplitudes", "relaxation", "parameters", "field", "water", "lipids", "coils",
    "encoding", "snr", "snr_ppm",
)  # fmt: skip


def spectroscopic_images(
    found: Found,
    sampling: Sampling,
    basis: BasisSet,
    values: Callable[[Found, Any], dict],
    artefact: Callable[..., Any],
) -> SpectroscopicImages:
    """The simulator; `values(found, model)` reads the section "parameters", `artefact(kind, section, sampling)` a disturbance."""
    amplitudes = found.section("amplitudes")
    model = generating_model(basis, sampling, macromolecules=amplitudes.has("macromolecules"))
    field_of_view, shape, slab, centre = _grid(found.section("grid"))
    parameters = values(found, model)
    _applied(found.section("parameters"))
    population, contrast = _population(amplitudes, model, parameters)
    weights = None
    if found.has("relaxation"):
        share = np.ones((2, len(model.groups[0].names)))  # each tissue is weighted on its own
        weights = relaxation_of(found.section("relaxation"), model.groups[0].names, sampling, share)
    field = found.section("field") if found.has("field") else Found({}, f"{found.place}: field")
    field.allow("residual_hz")
    coils = None
    if found.has("coils"):
        found.section("coils").allow("count")
        height = slab / shape[2] * field_of_view[2] / field_of_view[0]
        coils = loop_sensitivities((*shape[:2], slab), found.section("coils").count("count"), height=height)
    radius = amplitudes.pair("lesion_radius", above=0) if amplitudes.has("lesion_radius") else (0.06, 0.3)
    return SpectroscopicImages(
        model=model, population=population, contrast=jnp.asarray(contrast), anatomy=_anatomy(found.section("anatomy"), shape, field_of_view),
        encoding=_encoding(found.section("encoding")), relaxation=weights,
        water=artefact("water", found.section("water"), sampling) if found.has("water") else None,
        lipids=artefact("lipids", found.section("lipids"), sampling) if found.has("lipids") else None,
        sensitivity=coils, variation=amplitudes.prior("variation", least=0) if amplitudes.has("variation") else fixed(0.0),
        residual=field.prior("residual_hz", shape=(9,)) if field.has("residual_hz") else fixed(np.zeros(9)),
        slab_centre=centre, correlation=uniform(0.0, 0.4), snr=found.prior("snr", above=0) if found.has("snr") else None,
        lesion=amplitudes.probability("lesion_probability") if amplitudes.has("lesion_probability") else 0.0,
        lesion_radius=radius, probe=height_probe(sampling, reference_ppm(found, basis)), terms=jnp.asarray(b0.shim_terms(shape, field_of_view)), field_of_view=field_of_view, slab=slab,
    )  # fmt: skip


def _applied(parameters: Found) -> None:
    """All else moves with the world's one frequency and phase."""
    for group in parameters.content:
        parameters.section(group).allow(*{"phase": ("phase_zero_deg",), "metabolites": WORLD}.get(group, WORLD[1:]))


def reference_ppm(found: Found, basis: BasisSet) -> float:
    """Where, on the ppm scale of the basis, the resonance stands that the signal-to-noise ratio refers to: NAA's, or that of the key "snr_ppm"."""
    shift = found.number("snr_ppm") if found.has("snr_ppm") else LANDMARKS["NAA"]
    if found.has("snr") and not found.has("snr_ppm") and "NAA" not in map(canonical, basis.names):
        raise ValueError(
            f"{found.place}: snr_ppm: wanted the chemical shift of the resonance that snr refers to, found none, and the basis has no NAA"
        )
    return shift + basis_offset(basis)


def relaxation_of(found: Found, names: tuple[str, ...], sampling: Sampling, share: np.ndarray):
    """The section "relaxation": `te_ms`, `tr_ms`, `spread`; the field from the central frequency."""
    found.allow("te_ms", "tr_ms", "spread")
    te, tr = (1e-3 * found.number(k, above=0) for k in ("te_ms", "tr_ms"))
    spread = found.number("spread", least=0) if found.has("spread") else 0.0
    tesla = float(sampling.central_frequency) / GYROMAGNETIC_RATIO["1H"]
    try:
        return relaxation(names, share, field_strength=tesla, echo_time=te, repetition_time=tr, spread=spread)
    except ValueError as error:
        raise ValueError(f"{found.place}: {error}") from None


def _grid(found: Found):
    found.allow("points", "field_of_view_mm", "slab_points", "slab_centre_mm")
    shape = found.counts("points", 3)
    if any(n % 2 for n in shape):
        raise found.error("points", "wanted even numbers")
    field_of_view: Any = found.numbers("field_of_view_mm", 3, above=0)
    centre = found.prior("slab_centre_mm") if found.has("slab_centre_mm") else fixed(0.0)
    return field_of_view, shape, found.count("slab_points"), centre


def _population(found: Found, model, values) -> tuple[Population, np.ndarray]:
    """Amplitudes in grey matter, and each tissue's over them (tissue, m)."""
    found.allow("brain", "lesion", "lesion_probability", "lesion_radius", "variation", "macromolecules")
    names = model.groups[0].names
    brain = found.section("brain")
    brain.allow("condition", "age", "between")
    options: dict[str, Any] = {k: brain.text(k) for k in ("condition", "age") if brain.has(k)}
    if brain.has("between"):
        options["between"] = brain.number("between", least=0)
    lesion: dict[str, Any] = options | ({"condition": found.text("lesion")} if found.has("lesion") else {})
    try:
        grey, white, sick = (
            concentrations.brain(names, fractions=parts, **chosen)
            for parts, chosen in (((1, 0, 0), options), ((0, 1, 0), options), ((0.5, 0.5, 0), lesion))
        )
    except ValueError as error:
        raise ValueError(f"{found.place}: {error}") from None
    first, second = list(grey.median), list(grey.log_sd)
    correlation = np.eye(len(model.names))
    correlation[: len(names), : len(names)] = grey.correlation
    contrast = np.zeros((len(Tissue), len(model.names)), np.float32)
    contrast[[Tissue.GREY, Tissue.WHITE, Tissue.LESION]] = 1.0
    contrast[Tissue.WHITE, : len(names)] = white.median / grey.median
    contrast[Tissue.LESION, : len(names)] = sick.median / grey.median
    if found.has("macromolecules"):
        _, (one, two) = found.two_numbers("macromolecules", "log_normal")
        first += [one] * len(model.groups[1].names)
        second += [two] * len(model.groups[1].names)
    return Population(model.names, log_normal(np.array(first), np.array(second)), values, correlation), contrast


def _anatomy(found: Found, shape, field_of_view) -> anatomy.Anatomy:
    """`head: {}`, `labels: {file: ..., grey: [...], ...}` or `probabilities: {grey: file, ...}`."""
    found.allow("head", "labels", "probabilities")
    if len(found.content) != 1:
        raise ValueError(
            f"{found.place}: wanted one of head, labels, probabilities, found {', '.join(found.content) or 'none'}"
        )
    (kind,) = found.content
    section = found.section(kind)
    tissues = [t.name.lower() for t in Tissue]
    if kind == "head":
        section.allow()
        return anatomy.ProceduralHead(shape)
    section.allow(*tissues, *(("file",) if kind == "labels" else ()))
    names = [k for k in section.content if k != "file"]
    try:
        if kind == "labels":
            values = {k: section.labels(k) for k in names}
            return anatomy.from_labels(section.path("file"), values, shape, field_of_view)
        return anatomy.from_probabilities({k: section.path(k) for k in names}, shape, field_of_view)
    except ValueError as error:
        if str(error).startswith(found.place):
            raise
        raise ValueError(f"{section.place}: {error}") from None


def _encoding(found: Found) -> Encoding:
    found.allow("matrix", "kspace")
    matrix = found.counts("matrix", 3)
    asked = found.content.get("kspace", "cartesian")
    kind, settings = (asked, Found({}, found.place)) if isinstance(asked, str) else _one(found.section("kspace"))
    allowed: Mapping[str, tuple[str, ...]] = {
        "cartesian": (), "elliptical": (), "variable_density": ("acceleration", "centre"), "spiral": ("shots",), "rosette": ("shots",),
    }  # fmt: skip
    if kind not in allowed:
        raise found.error("kspace", f"wanted one of {', '.join(allowed)}")
    settings.allow(*allowed[kind])
    if kind in ("spiral", "rosette"):
        shots = {"shots": settings.count("shots")} if settings.has("shots") else {}
        return Along(matrix, getattr(nonuniform, kind)(matrix[:2], **shots))
    if kind != "variable_density":
        return Cartesian(matrix, kind == "elliptical")
    centre = settings.number("centre", above=0) if settings.has("centre") else 0.2
    return Cartesian(matrix, acceleration=settings.number("acceleration", above=1), centre=centre)


def _one(found: Found) -> tuple[str, Found]:
    if len(found.content) != 1:
        raise ValueError(f"{found.place}: wanted one name with its settings, found {dict(found.content)!r}")
    (kind,) = found.content
    return kind, found.section(kind)
