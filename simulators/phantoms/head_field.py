"""A head of ellipsoids at 3 T and its field by susceptibility: tissue, frontal sinus, ear canals, mouth."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from mrsjax.core.field_map import FieldMap
from mrsjax.physics.susceptibility import dipole_field

#: Susceptibility of tissue relative to air, ppm (water -9.05, air 0.36; Schenck 1996).
TISSUE = -9.4
#: Centre and semi-axes (mm, RAS+) of the head and of the air inside it.
HEAD = ((0.0, 0.0, 0.0), (72.0, 92.0, 85.0))
AIR = {
    "frontal sinus": ((0.0, 74.0, -12.0), (14.0, 9.0, 12.0)),
    "sphenoid sinus": ((0.0, 30.0, -38.0), (12.0, 12.0, 9.0)),
    "right ear": ((58.0, -8.0, -42.0), (11.0, 8.0, 9.0)),
    "left ear": ((-58.0, -8.0, -42.0), (11.0, 8.0, 9.0)),
    "mouth": ((0.0, 62.0, -66.0), (20.0, 20.0, 9.0)),
}


def _fraction(centre, axes, affine: np.ndarray, n: int, fine: int = 2) -> np.ndarray:
    """Volume fraction of each voxel of a cubic grid inside an ellipsoid."""
    spacing = affine[0, 0]
    axis = affine[0, 3] + spacing * ((np.arange(n * fine) + 0.5) / fine - 0.5)
    x, y, z = [((axis - c) / a) ** 2 for c, a in zip(centre, axes, strict=True)]
    inside = (x[:, None, None] + y[None, :, None] + z[None, None, :]) < 1
    return inside.reshape(n, fine, n, fine, n, fine).mean(axis=(1, 3, 5))


def head_field(*, spacing: float = 4.0, field_strength: float = 3.0) -> FieldMap:
    """Field (Hz) of the head with the main field along z; known where at least nine tenths of a voxel are tissue."""
    n = 2 * int(100.0 / spacing)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (n - 1) / 2
    tissue = _fraction(*HEAD, affine, n)
    for centre, axes in AIR.values():
        tissue = np.clip(tissue - _fraction(centre, axes, affine, n), 0.0, 1.0)
    relative = np.asarray(dipole_field(jnp.asarray(TISSUE * tissue), jnp.full(3, spacing)))
    return FieldMap(relative * 42.577478518 * field_strength, tissue > 0.9, affine, ("simulated head",))
