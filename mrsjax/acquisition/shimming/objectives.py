"""What a good shim is, judged on the field: mean square, Huber, percentile, lost volume, leakage. All differentiable in the currents.

An objective is called as `objective(region, currents)` and is to be made small; `a + b` and `2.0 * a` compose. Those that look at the spectrum are in
`spectral`.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mrsjax.acquisition.shimming.region import Region


class Objective(eqx.Module):
    """A number to be made small."""

    @abc.abstractmethod
    def __call__(self, region: Region, currents: Float[Array, " k"]) -> Float[Array, ""]:
        """The value at shim currents."""

    def __add__(self, other: Objective) -> Objective:
        return Sum((1.0, 1.0), (self, other))

    def __rmul__(self, factor: float) -> Objective:
        return Sum((factor,), (self,))


class Sum(Objective):
    """sum_i factor_i objective_i; another weight is no other program."""

    factors: Float[Array, " i"] = eqx.field(converter=lambda f: jnp.asarray(f, jnp.result_type(float)))
    parts: tuple[Objective, ...]

    def __call__(self, region, currents):
        return self.factors @ jnp.stack([part(region, currents) for part in self.parts])


class MeanSquare(Objective):
    """sum_r w_r f_r^2, Hz^2: least squares, the square of the field's standard deviation where the frequency is among the channels."""

    def __call__(self, region, currents):
        return region.weight @ region.predicted(currents) ** 2


class Huber(Objective):
    """sum_r w_r h(f_r), Hz^2: f^2 below `width` (Hz), 2 width |f| - width^2 above, so that far-off parts of the voxel count less (Huber 1964)."""

    width: float = eqx.field(static=True, default=10.0)

    def __call__(self, region, currents):
        size = jnp.abs(region.predicted(currents))
        return region.weight @ jnp.where(size < self.width, size**2, self.width * (2 * size - self.width))


class Percentile(Objective):
    """The `level` quantile of |f| over the voxel, Hz, smoothed over `smoothing` of the ranks: half of the voxel within f Hz for level 0.5.

    An L-statistic: sum of the sorted |f| with Gaussian weights about the rank; its gradient is that of the points near the quantile.
    """

    level: float = eqx.field(static=True, default=0.8)
    smoothing: float = eqx.field(static=True, default=0.05)

    def __call__(self, region, currents):
        size = jnp.abs(region.predicted(currents))
        order = jnp.argsort(size)
        weight = region.weight[order]
        rank = jnp.cumsum(weight) - weight / 2
        near = weight * jnp.exp(-0.5 * ((rank - self.level) / self.smoothing) ** 2)
        return size[order] @ near / jnp.sum(near)


class LostVolume(Objective):
    """Fraction of the voxel further than `half_width` Hz from the transmitter, with soft edges of `edge` Hz: 1 - the volume kept.

    As a penalty it keeps an optimiser from narrowing the line by giving up part of the voxel. Of a water signal and the half width of the suppression
    band it is the water that leaks past the suppression.
    """

    half_width: float = eqx.field(static=True, default=12.0)
    edge: float = eqx.field(static=True, default=2.0)

    def __call__(self, region, currents):
        size = jnp.abs(region.predicted(currents))
        return region.weight @ jax.nn.sigmoid((size - self.half_width) / self.edge)


class BandLeakage(Objective):
    """Fraction of another region's signal that falls into a band of frequencies: lipid of the scalp in the range of the metabolites.

    **Arguments:** `source`: the region where that signal comes from, with the same channels; `shift`: its chemical shift from the carrier, Hz;
    `low`, `high`: the band, Hz; `edge`: softness, Hz.
    """

    source: Region
    shift: float = eqx.field(static=True)
    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)
    edge: float = eqx.field(static=True, default=5.0)

    def __call__(self, region, currents):
        f = self.source.predicted(currents) + self.shift
        inside = jax.nn.sigmoid((f - self.low) / self.edge) * jax.nn.sigmoid((self.high - f) / self.edge)
        return self.source.weight @ inside


class CurrentPenalty(Objective):
    """sum_k (current_k / scale_k)^2: regularisation where a voxel leaves combinations of channels undetermined."""

    scale: Float[Array, " k"]

    def __call__(self, region, currents):
        return jnp.sum((currents / self.scale) ** 2)


class Average(Objective):
    """Mean of an objective over perturbed regions: robustness over motion and field noise.

    `fields` (s, r), `maps` (s, r, k): field and channel maps of each perturbation, from `robustness.perturbed`.
    """

    objective: Objective
    fields: Float[Array, "s r"]
    maps: Float[Array, "s r k"]

    def __call__(self, region, currents):
        def one(field, maps):
            moved = eqx.tree_at(lambda r: (r.field, r.maps), region, (field, maps))
            return self.objective(moved, currents)

        return jnp.mean(jax.vmap(one)(self.fields, self.maps))
