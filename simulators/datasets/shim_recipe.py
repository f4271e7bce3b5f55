"""Recipes of kind `shim`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mrsjax.core import Sampling
from mrsjax.physics.solid_harmonics import harmonic_names
from simulators.datasets.schema import Found
from simulators.datasets.shimming import DistortedField
from simulators.phantoms.spectrometer import box, channels, tube
from simulators.tissue.priors import single

KEYS = (
    "name",
    "kind",
    "summary",
    "sampling",
    "object",
    "channels",
    "field",
    "lorentz_hz",
    "drift_hz",
    "phase_deg",
    "snr",
)


def distorted_field(found: Found, sampling: Sampling) -> DistortedField:
    """The simulator of a recipe."""
    names = found.content.get("channels")
    known = harmonic_names(3)
    if not (isinstance(names, list) and names and all(n in known for n in names) and len(set(names)) == len(names)):
        raise found.error("channels", f"wanted a list of some of {', '.join(known)}")
    place, weight = _object(found.section("object"))
    rest = tuple(n for n in known if n not in names)
    field = found.section("field")
    field.allow("distortion_hz", "others_hz", "probe_hz")
    count = len(names)
    return DistortedField(
        sampling=sampling,
        weight=single(weight),
        channels=single(channels(tuple(names), place, weight)),
        others=single(channels(rest, place, weight) if rest else np.zeros((len(weight), 0))),
        distortion=field.prior("distortion_hz", shape=(count,)),
        other=field.prior("others_hz", shape=(len(rest),)),
        lorentz=found.prior("lorentz_hz", least=0),
        drift=found.prior("drift_hz", shape=(count + 1,)),
        phase=found.prior("phase_deg", scale=math.pi / 180, shape=(count + 1,)),
        snr=found.prior("snr", above=0),
        probe=field.number("probe_hz"),
    )


def _object(found: Found):
    found.allow("cylinder_mm", "box_mm")
    if len(found.content) != 1:
        raise ValueError(
            f"{found.place}: wanted one of cylinder_mm, box_mm, found {', '.join(found.content) or 'none'}"
        )
    if found.has("cylinder_mm"):
        return tube(radius=(size := found.numbers("cylinder_mm", 2, above=0))[0], length=size[1])
    size: Any = found.numbers("box_mm", 3, above=0)
    return box(size)
