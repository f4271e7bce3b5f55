"""Shim channels: what field each makes, in which unit, up to which current."""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.ndimage import map_coordinates

from mrsjax.core.field_map import known_at, nearest_known
from mrsjax.physics.solid_harmonics import CONVENTIONS, Convention, harmonic_names, shim_fields

#: Name and unit of the receiver's and transmitter's frequency, a channel that shifts the whole field.
FREQUENCY = ("frequency", "Hz")


class Coils(eqx.Module):
    """A set of shim channels."""

    names: eqx.AbstractVar[tuple[str, ...]]
    units: eqx.AbstractVar[tuple[str, ...]]

    @abc.abstractmethod
    def maps(self, position: Float[Array | np.ndarray, "r 3"]) -> Float[Array, "r k"]:
        """Field of one unit of each channel, Hz, at positions in patient space, mm."""

    def covers(self, position: Array | np.ndarray) -> np.ndarray:
        """Where (r,) the channels' fields are known."""
        return np.ones(len(position), dtype=bool)


class Harmonics(Coils):
    """Ideal channels: solid harmonics to an order, in a vendor's frame and units, and the frequency.

    **Raises:** `ValueError` for an unknown order or convention.
    """

    order: int = eqx.field(static=True)
    convention: Convention = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    units: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, order: int = 2, convention: str = "plain"):
        if convention not in CONVENTIONS:
            raise ValueError(f"convention: wanted one of {', '.join(CONVENTIONS)}, found {convention!r}")
        self.order, self.convention = order, CONVENTIONS[convention]
        self.names = (FREQUENCY[0], *harmonic_names(order))
        self.units = (FREQUENCY[1], *(self.convention.units[n] for n in range(order) for _ in range(2 * n + 3)))

    def maps(self, position):
        fields = shim_fields(position, self.order, self.convention)
        return jnp.concatenate([jnp.ones_like(fields[:, :1]), fields], axis=1)


class MeasuredCoils(Coils):
    """Channels measured as field maps, Hz per unit of current on a grid, and the frequency.

    **Arguments:** `volumes` (x, y, z, k); `affine`: voxel indices to mm; `names`: of the k channels; `unit`: of their current.

    Between grid points the maps are interpolated linearly; where a channel is not a number its field is unknown. A position outside the grid or nearest
    to an unknown point raises `ValueError`.
    """

    volumes: Float[np.ndarray, "x y z k"]
    known: Bool[np.ndarray, "x y z"]
    affine: Float[np.ndarray, "4 4"]
    names: tuple[str, ...] = eqx.field(static=True)
    units: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, volumes: np.ndarray, affine: np.ndarray, names: tuple[str, ...] | None = None, unit: str = "A"):
        if volumes.ndim != 4:
            raise ValueError(f"coil maps: wanted (x, y, z, channels), found shape {volumes.shape}")
        k = volumes.shape[3]
        self.affine, self.known = np.asarray(affine, dtype=float), np.all(np.isfinite(volumes), axis=3)
        if not self.known.any():
            raise ValueError("coil maps: no point has a number for every channel")
        self.volumes = nearest_known(np.asarray(volumes, dtype=float), self.known, self.affine)
        found = tuple(f"channel{i + 1}" for i in range(k)) if names is None else tuple(names)
        if len(found) != k:
            raise ValueError(f"coil maps: wanted {k} names, found {len(found)}")
        self.names, self.units = (FREQUENCY[0], *found), (FREQUENCY[1], *([unit] * k))

    def covers(self, position):
        return known_at(self._index(position), self.known)

    def _index(self, position):
        return np.linalg.solve(self.affine[:3, :3], (np.asarray(position) - self.affine[:3, 3]).T)

    def maps(self, position):
        index = self._index(position)
        if not np.all(self.covers(position)):
            raise ValueError(
                "coil maps: the voxel reaches outside the maps, or where a channel has no number; measure them over the whole volume"
            )
        fields = [
            map_coordinates(self.volumes[..., c], index, order=1, mode="nearest") for c in range(self.volumes.shape[3])
        ]
        return jnp.asarray(np.stack([np.ones(index.shape[1]), *fields], axis=1))
