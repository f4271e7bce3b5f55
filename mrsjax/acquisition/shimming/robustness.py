"""Perturbed regions, so that a shim is good on average over motion and field noise."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from mrsjax.acquisition.shimming.coils import Coils
from mrsjax.acquisition.shimming.region import Region, interpolate
from mrsjax.acquisition.shimming.voxel import rotation
from mrsjax.core.field_map import FieldMap


def perturbed(
    region: Region,
    field_map: FieldMap,
    coils: Coils,
    *,
    motion: float = 0.0,
    turn: float = 0.0,
    noise: float = 0.0,
    n: int = 8,
    key: Key[Array, ""],
) -> tuple[Float[Array, "n r"], Float[Array, "n r k"]]:
    """Field and channel maps at the region's points after random rigid motions of the head inside the channels' fields, with noise of the map.

    **Arguments:** standard deviations: `motion` of each translation, mm; `turn` of each angle, degrees; `noise` of the map at each point, Hz. `n`: how
    many.

    The head carries its field and the voxel stays with the scanner: the points of the voxel meet other tissue, the channels' fields stay. That the field
    of the susceptibility itself changes with the head's tilt is not in it. Points that leave the known field keep their own value.
    """
    place = np.asarray(region.position)
    centre = np.asarray(region.weight) @ place
    keys = jax.random.split(key, 3)
    shifts = motion * np.asarray(jax.random.normal(keys[0], (n, 3)))
    angles = turn * np.asarray(jax.random.normal(keys[1], (n, 3)))
    turns = np.stack([rotation(angle) for angle in angles])
    moved = np.einsum("ri,nji->nrj", place - centre, turns) + centre + shifts[:, None]
    field, known = interpolate(field_map, moved.reshape(-1, 3))
    carried = np.where(known.reshape(n, -1), field.reshape(n, -1), np.asarray(region.field))
    drawn = jnp.asarray(carried) + noise * jax.random.normal(keys[2], (n, len(place)))
    return drawn, jnp.broadcast_to(coils.maps(region.position), (n, *region.maps.shape))
