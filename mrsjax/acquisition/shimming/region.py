"""What a shim is optimised on: field and channel maps at points of a voxel."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.ndimage import map_coordinates

from mrsjax.acquisition.shimming.coils import Coils
from mrsjax.acquisition.shimming.voxel import Cuboid
from mrsjax.core.field_map import FieldMap, known_at, nearest_known


class Region(eqx.Module):
    """Points of a voxel.

    - `field` (r,): Hz, before shimming; `weight` (r,): fraction of the signal, sum 1; `maps` (r, k): Hz for one unit of each channel;
      `position` (r, 3): mm.
    - `covered`: fraction of the voxel where the field is known; the rest is left out.
    """

    field: Float[Array, " r"]
    weight: Float[Array, " r"]
    maps: Float[Array, "r k"]
    position: Float[Array, "r 3"]
    covered: Float[Array, ""]

    def predicted(self, currents: Float[Array, " k"]) -> Float[Array, " r"]:
        """Field with shim currents, Hz: field + maps @ currents."""
        return self.field + self.maps @ currents


def region(field_map: FieldMap, voxel: Cuboid, coils: Coils, *, points: int | tuple[int, int, int] = 10) -> Region:
    """Points of a voxel by a Gauss-Legendre rule, the measured field interpolated to them.

    The interpolation is linear on the map, after each unknown voxel has taken the value of the nearest known one; points whose nearest map voxel is
    unknown are left out, and the weights of the rest scaled to 1.

    **Raises:** `ValueError` when less than a tenth of the voxel is known.
    """
    n = (points, points, points) if isinstance(points, int) else points
    position, weight = voxel.nodes(n)
    field, known = interpolate(field_map, np.asarray(position))
    weight = np.asarray(weight)
    covered = float(weight[known].sum())
    if covered < 0.1:
        raise ValueError(
            f"voxel: the field is known in {covered:.0%} of the box of {np.asarray(voxel.size).round(1).tolist()} mm at "
            f"{np.asarray(voxel.centre).round(1).tolist()} mm (RAS+); wanted at least 10%: check centre and mask"
        )
    place = position[known]
    return Region(
        jnp.asarray(field[known]),
        jnp.asarray(weight[known] / covered),
        coils.maps(place),
        place,
        jnp.asarray(covered, place.dtype),
    )


def region_of_mask(field_map: FieldMap, mask: np.ndarray, coils: Coils) -> Region:
    """The map's own voxels inside a mask or a map of weights of the same grid: a slice, a brain, an MRSI box.

    **Raises:** `ValueError` when shapes differ or nothing is inside.
    """
    if mask.shape != field_map.field.shape:
        raise ValueError(f"mask: wanted the field map's shape {field_map.field.shape}, found {mask.shape}")
    weight = np.where(field_map.known, mask.astype(float), 0.0)
    if weight.sum() <= 0:
        raise ValueError("mask: no voxel of it has a known field")
    inside = weight > 0
    place = jnp.asarray(field_map.positions[inside])
    return Region(
        jnp.asarray(field_map.field[inside].astype(float)),
        jnp.asarray(weight[inside] / weight.sum()),
        coils.maps(place),
        place,
        jnp.asarray(weight.sum() / mask.astype(float).sum(), place.dtype),
    )


def interpolate(field_map: FieldMap, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Field (Hz) at positions (r, 3) in mm, and whether it is known there."""
    affine = field_map.affine
    index = np.linalg.solve(affine[:3, :3], (position - affine[:3, 3]).T)
    filled = nearest_known(field_map.field.astype(float), field_map.known, affine)
    return map_coordinates(filled, index, order=1, mode="nearest"), known_at(index, field_map.known)


def stack(regions: list[Region]) -> Region:
    """Regions of different sizes as one batch with a leading axis, filled up with points of weight 0: for `vmap` over slices or voxels."""
    longest = max(len(r.field) for r in regions)

    def fill(x, n):
        return jnp.pad(x, [(0, longest - n)] + [(0, 0)] * (x.ndim - 1)) if x.ndim else x

    filled = [
        Region(fill(r.field, n), fill(r.weight, n), fill(r.maps, n), fill(r.position, n), r.covered)
        for r in regions
        for n in [len(r.field)]
    ]
    return Region(
        *[
            jnp.stack(parts)
            for parts in zip(*[(r.field, r.weight, r.maps, r.position, r.covered) for r in filled], strict=True)
        ]
    )
