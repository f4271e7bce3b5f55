"""A small head with a known field: a block of tissue near the air of a sinus."""

import numpy as np

from mrsjax.core import FieldMap


def sinus(n: int = 24, spacing: float = 5.0, strength: float = 3e6) -> FieldMap:
    """Dipole field (Hz) of air in front of and below the middle, with a linear and a quadratic term; known inside a ball of 50 mm."""
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (n - 1) / 2
    empty = FieldMap(np.zeros((n, n, n)), np.ones((n, n, n), bool), affine)
    place = empty.positions
    d = place - np.array([15.0, 75.0, -30.0])
    r = np.linalg.norm(d, axis=-1)
    field = (
        strength * (3 * (d[..., 2] / r) ** 2 - 1) / r**3 + 0.2 * place[..., 0] - 0.002 * place[..., 1] * place[..., 2]
    )
    return FieldMap(field, np.linalg.norm(place, axis=-1) < 50.0, affine)
