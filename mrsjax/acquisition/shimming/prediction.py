"""What shim currents do in a voxel: field, line, volume kept."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from mrsjax.acquisition.shimming.region import Region
from mrsjax.acquisition.shimming.spectral import Line, line, volume_kept


class Prediction(eqx.Module):
    """Field of a voxel and what the spectrum shows of it.

    - `field` (r,): Hz at the region's points, `weight` (r,): their fractions of the signal.
    - `line`: of a singlet (`spectral.Line`: frequency, spectrum, FWHM, maximum); `kept`: fraction of the voxel within 12 Hz of the line's maximum.
    """

    field: Float[Array, "*b r"]
    weight: Float[Array, "*b r"]
    line: Line
    kept: Float[Array, "*b"]

    @property
    def sd(self) -> Float[Array, "*b"]:
        """Standard deviation of the field over the voxel, Hz: sqrt(sum_r w_r (f_r - mean)^2)."""
        mean = jnp.sum(self.weight * self.field, axis=-1, keepdims=True)
        return jnp.sqrt(jnp.sum(self.weight * (self.field - mean) ** 2, axis=-1))


def predict(region: Region, currents: Float[Array, " k"]) -> Prediction:
    """What currents do in a region; `vmap` over regions from outside.

    Spectral objectives know the points that they were optimised on: judge their currents on a finer region of the same voxel.
    """
    field = region.predicted(currents)
    shown = line(field, region.weight)
    return Prediction(field, region.weight, shown, volume_kept(region, field, shown.peak))
