"""Artefacts as recipes write them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mrsjax.core import Sampling
from simulators import artefacts
from simulators.artefacts import Artefact
from simulators.datasets.schema import Found

#: Readers of a key's value.
Reader = Callable[[Found, str], Any]
SIZE: Reader = partial(Found.prior, least=0)
WIDTH: Reader = partial(Found.number, least=0)

#: Artefact as recipes write it -> (its constructor, key -> what reads it); a key is required where the constructor has no default.
ARTEFACTS: Mapping[str, tuple[Callable[..., Any], Mapping[str, Reader]]] = {
    "baseline": (
        artefacts.spline_baseline,
        {
            "strength": SIZE, "range_ppm": Found.pair, "spacing_ppm": partial(Found.number, above=0), "walk": Found.flag, "mean": Found.sequence,
            "name": Found.text,
        },
    ),
    "water": (
        artefacts.residual_water,
        {"strength": SIZE, "probability": Found.probability, "lines": Found.count, "spread_ppm": WIDTH},
    ),
    "lipids": (artefacts.scalp_lipids, {"strength": SIZE, "probability": Found.probability, "shift_sd_ppm": WIDTH}),
    "spurious": (
        artefacts.spurious_peaks,
        {"strength": SIZE, "probability": Found.probability, "peaks": Found.count, "range_ppm": Found.pair},
    ),
    "echo": (
        artefacts.out_of_voxel_echo,
        {
            "strength": SIZE, "probability": Found.probability, "centre_ms": Found.pair, "width_ms": partial(Found.pair, above=0), "range_ppm": Found.pair,
            "chirp_hz_per_s": WIDTH, "name": Found.text,
        },
    ),
    "eddy": (artefacts.eddy_currents, {"amplitude_hz": WIDTH, "decay_ms": partial(Found.pair, above=0), "terms": Found.count}),
    "transients": (
        artefacts.transients,
        {
            "count": Found.count, "drift_hz": WIDTH, "walk_hz": WIDTH, "jump_hz": WIDTH, "jump_probability": Found.probability,
            "phase_deg": WIDTH, "phase_drift_deg": WIDTH, "phase_jump_deg": WIDTH, "motion_probability": Found.probability,
        },
    ),
    "scatter": (artefacts.scatter, {"count": Found.count, "frequency_hz": WIDTH, "phase_deg": WIDTH, "conditions": Found.count}),
    "truncation": (artefacts.truncation, {"fraction": partial(Found.prior, above=0, most=1)}),
    "digitiser": (artefacts.digitiser, {"headroom": partial(Found.prior, above=0), "bits": Found.count}),
}  # fmt: skip


def artefact(found: Found, sampling: Sampling) -> Artefact:
    """The artefact of an entry with one key, its name."""
    (kind,) = found.content
    if kind not in ARTEFACTS:
        raise found.error(kind, f"wanted one of {', '.join(ARTEFACTS)}")
    return made(kind, found.section(kind), sampling)


def made(kind: str, section: Found, sampling: Sampling) -> Artefact:
    """The artefact of a name, from its settings."""
    make, keys = ARTEFACTS[kind]
    section.allow(*keys)
    parameters = inspect.signature(make).parameters
    section.need(*(k for k in keys if parameters[k].default is inspect.Parameter.empty))
    settings = {k: keys[k](section, k) for k in section.content}
    try:
        return make(sampling, **settings)
    except ValueError as error:  # settings that do not fit each other
        raise ValueError(f"{section.place}: {error}") from None
