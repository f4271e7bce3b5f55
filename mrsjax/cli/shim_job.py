"""The work of `mrsjax shim`: files to a region, words to an objective, currents to a prediction."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from mrsjax import io
from mrsjax.acquisition.shimming import (
    Coils,
    Cuboid,
    Harmonics,
    Huber,
    InversePeak,
    Linewidth,
    LostVolume,
    MeanSquare,
    MeasuredCoils,
    Objective,
    Percentile,
    Region,
    ShimStatus,
    crlb,
    cuboid_of_affine,
    cuboid_of_spar,
    limits_of,
    region,
    region_of_mask,
    shim,
    typical_model,
)
from mrsjax.acquisition.shimming.voxel import rotation
from mrsjax.core.constants import GYROMAGNETIC_RATIO
from mrsjax.core.field_map import FieldMap
from mrsjax.core.metabolites import canonical
from mrsjax.data import default_basis
from mrsjax.io.field_map import read_field_map, read_image, same_grid
from mrsjax.report.shimming import Shimmed

#: Whose Cramer-Rao bounds count where none are named.
METABOLITES = ("GABA", "GSH", "Gln", "Glu")
#: Points along each edge of a cuboid: of the optimiser, and where its currents are judged.
SEEN, JUDGED = 10, 16


def run(
    fieldmap: str,
    place: tuple[float, ...] | Path,
    coils: tuple[str, int] | Path,
    limit: dict[str, float | tuple[float, float]],
    metabolites: tuple[str, ...],
    options: dict[str, Any],
    say: Callable[[str], None],
) -> Shimmed:
    """Reads, shims and predicts; no `metabolites`: those of `METABOLITES` that the basis has.

    **Raises:** `ValueError` and `OSError` with one line.
    """
    say("reading")
    echo = options["echo_difference_ms"]
    field_map = read_field_map(
        fieldmap,
        unit=options["unit"],
        echo_difference=None if echo is None else echo * 1e-3,
        magnitude=options["magnitude"],
        mask=options["mask"],
        unwrap=options["unwrap"],
    )
    channels = (
        MeasuredCoils(*read_image(coils), unit="unit") if isinstance(coils, Path) else Harmonics(coils[1], coils[0])
    )
    limits = limits_of(channels, limit, options["total_limit"])
    voxel, points = _region(place, field_map, channels)
    fine = points if voxel is None else region(field_map, voxel, channels, points=JUDGED)
    basis = default_basis() if options["basis"] is None else io.read_basis(options["basis"])
    model, amplitudes = typical_model(basis)
    there = {canonical(n) for n in model.names}
    chosen = metabolites or tuple(n for n in METABOLITES if canonical(n) in there) or ("NAA",)
    bound = crlb(model, amplitudes, chosen)
    objective = _objective(options, bound)
    say("least squares")
    base = shim(points, channels, limits=limits)
    if isinstance(objective, MeanSquare):
        found = base
    else:
        say(f"optimising {options['objective']}")
        # without it the narrowest line is that of a small part of the voxel
        if options["volume_weight"] > 0 and options["objective"] in ("linewidth", "peak", "crlb"):
            reference = float(objective(points, base.currents))
            objective = objective + (options["volume_weight"] * reference) * LostVolume()
        found = shim(points, channels, objective, limits=limits, starts=options["starts"])
    notes = list(field_map.notes)
    if float(points.covered) < 0.999:
        notes.append(f"the field is known in {float(points.covered):.0%} of the voxel; the rest is left out")
    notes += _other_field(field_map, float(basis.sampling.central_frequency))
    if bool(found.total_at_limit):
        notes.append("the sum of the currents is at its limit")
    if int(found.status) != ShimStatus.CONVERGED:
        notes.append(f"the optimiser ended with {ShimStatus(int(found.status)).name.lower().replace('_', ' ')}")
    say("predicting")
    sizes = jnp.asarray([amplitudes[n] for n in model.names])
    base, found = base.on(fine), found.on(fine)
    currents = jnp.stack([jnp.zeros_like(found.currents), base.currents, found.currents])
    evaluate = eqx.filter_jit(lambda bound, points, c: jax.lax.map(lambda x: bound.relative(points, x), c))
    bounds = np.asarray(evaluate(bound, fine, currents))
    return Shimmed(
        field_map,
        voxel,
        fine,
        channels,
        base,
        found,
        options["objective"],
        chosen,
        bounds,
        model,
        sizes,
        tuple(notes),
    )


def _region(place: tuple[float, ...] | Path, field_map: FieldMap, coils: Coils) -> tuple[Cuboid | None, Region]:
    if isinstance(place, tuple):
        voxel = Cuboid(place[:3], place[3:6], rotation(place[6:9]) if len(place) == 9 else None)
        return voxel, region(field_map, voxel, coils, points=SEEN)
    if place.suffix.lower() in (".spar", ".sdat"):
        voxel = cuboid_of_spar(io.read(place).acquisition.header)
        return voxel, region(field_map, voxel, coils, points=SEEN)
    try:
        image, affine = read_image(place)
    except io.FormatError:
        fids = io.read(place)
        affine, count = (
            fids.acquisition.affine,
            math.prod(n for n, dim in zip(fids.data.shape, fids.dims, strict=False) if dim in ("x", "y", "z")),
        )
        if affine is None:
            raise ValueError(f"{place}: says nothing of the voxel's position; give --voxel as numbers") from None
        if count > 1:
            raise ValueError(
                f"{place}: holds {count} voxels; wanted one: give --voxel as numbers or as a mask"
            ) from None
        voxel = cuboid_of_affine(affine)
        return voxel, region(field_map, voxel, coils, points=SEEN)
    if image.shape != field_map.field.shape or not same_grid(affine, field_map.affine, image.shape):
        raise ValueError(
            f"{place}: wanted a mask on the field map's grid {field_map.field.shape}, found {image.shape} or another position"
        )
    return None, region_of_mask(field_map, image != 0, coils)


def _other_field(field_map: FieldMap, central_frequency: float) -> list[str]:
    """A note where the map and the basis are of different fields."""
    if field_map.field_strength is None:
        return []
    gamma = GYROMAGNETIC_RATIO["1H"]
    ratio = field_map.field_strength * gamma / central_frequency
    if abs(ratio - 1) < 0.1:
        return []
    return [
        f"the map was measured at {field_map.field_strength:g} T, the basis is for {central_frequency / gamma:.1f} T: bounds and predicted spectrum are "
        "those of the basis' field; give --basis"
    ]


def _objective(options, bound: Objective) -> Objective:
    kinds: dict[str, Callable[[], Objective]] = {
        "mean-square": MeanSquare,
        "huber": lambda: Huber(options["huber_hz"]),
        "percentile": lambda: Percentile(options["level"] / 100.0),
        "linewidth": Linewidth,
        "peak": InversePeak,
        "crlb": lambda: bound,
    }
    return kinds[options["objective"]]()
