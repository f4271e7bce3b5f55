"""Artefacts as recipes write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mrsjax.core import Sampling
from simulators import artefacts
from simulators.artefacts import Artefact
from simulators.datasets.schema import Found

#: Artefact as recipes write it -> (its constructor, key -> what the key holds).
ARTEFACTS: Mapping[str, tuple[Callable[..., Any], Mapping[str, str]]] = {
    "baseline": (
        artefacts.spline_baseline,
        {"strength": "prior", "range_ppm": "pair", "spacing_ppm": "number", "walk": "flag", "mean": "sequence", "name": "text"},
    ),
    "water": (
        artefacts.residual_water,
        {"strength": "prior", "probability": "probability", "lines": "count", "spread_ppm": "number"},
    ),
    "lipids": (artefacts.scalp_lipids, {"strength": "prior", "probability": "probability", "shift_sd_ppm": "number"}),
    "spurious": (
        artefacts.spurious_peaks,
        {"strength": "prior", "probability": "probability", "peaks": "count", "range_ppm": "pair"},
    ),
    "echo": (
        artefacts.out_of_voxel_echo,
        {
            "strength": "prior", "probability": "probability", "centre_ms": "pair", "width_ms": "pair", "range_ppm": "pair",
            "chirp_hz_per_s": "number", "name": "text",
        },
    ),
    "eddy": (artefacts.eddy_currents, {"amplitude_hz": "number", "decay_ms": "pair", "terms": "count"}),
    "transients": (
        artefacts.transients,
        {
            "count": "count", "drift_hz": "number", "walk_hz": "number", "jump_hz": "number", "jump_probability": "probability",
            "phase_deg": "number", "motion_probability": "probability",
        },
    ),
    "scatter": (artefacts.scatter, {"count": "count", "frequency_hz": "number", "phase_deg": "number", "conditions": "count"}),
    "truncation": (artefacts.truncation, {"fraction": "prior"}),
    "digitiser": (artefacts.digitiser, {"headroom": "prior", "bits": "count"}),
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
    return make(sampling, **{k: getattr(section, keys[k])(k) for k in section.content})
