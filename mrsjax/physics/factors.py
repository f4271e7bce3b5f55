"""Factors in time that all components share: shim field, eddy-current phase. Pluggable; a model without any has the identity."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import cis
from mrsjax.core.parameters import Parameter
from mrsjax.core.sampling import Sampling
from mrsjax.physics.dephasing import direct_sum, histogram_sum


class Factor(eqx.Module):
    """A complex function of time, D(0) = 1 for a pure dephasing."""

    name: eqx.AbstractVar[str]

    @abc.abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """The free quantities; empty for a fixed factor."""

    @abc.abstractmethod
    def __call__(self, values: dict[str, Array], sampling: Sampling) -> Complex[Array, " n"]:
        """D(t) on the grid."""

    def resampled(self, old: Sampling, new: Sampling) -> "Factor":
        """The factor on another grid of times; itself where it holds none."""
        return self

    def jacobian(self, values: dict[str, Array], sampling: Sampling) -> dict[str, Complex[Array, "*p n"]]:
        """Derivatives, leading axes those of each parameter."""
        jacobian = jax.jacfwd(lambda v: self(v, sampling))(values)
        return {k: jnp.moveaxis(v, 0, -1) for k, v in jacobian.items()}


class EddyPhase(Factor):
    """exp(i phase(t)), phase in rad measured on a water reference (Klose 1990)."""

    phase: Float[Array, " n"]
    name: str = eqx.field(static=True, default="eddy")

    def parameters(self):
        return {}

    def __call__(self, values, sampling):
        return cis(self.phase)

    def resampled(self, old, new):
        return eqx.tree_at(lambda f: f.phase, self, jnp.interp(new.time, old.time, jnp.unwrap(self.phase)))


class ShimDephasing(Factor):
    """Dephasing by a distribution of field offsets over a voxel.

        D(t) = sum_r w_r exp(2 pi i (offset_r + sum_k maps_rk current_k) t),   sum_r w_r = 1

    - `offset` (r,): field offsets, Hz; `weight` (r,): fractions of the voxel.
    - `maps` (r, k): field of each shim channel, Hz for a unit of current. The currents are the factor's parameters (`current`); with no
      channel the factor is fixed.
    - `start` (k,): where a fit of the currents begins; None: 0, where the derivative vanishes for a channel that is odd over the voxel.
    - `histogram`: sum through a histogram of the field (error 3e-6, faster from some hundred points on) in place of the exact sum.
    """

    offset: Float[Array, " r"]
    weight: Float[Array, " r"]
    maps: Float[Array, "r k"]
    start: Float[Array, " k"] | None = None
    current_limit: float = eqx.field(static=True, default=1e3)
    histogram: bool = eqx.field(static=True, default=False)
    name: str = eqx.field(static=True, default="shim")

    def parameters(self):
        n = self.maps.shape[1]
        if n == 0:
            return {}
        start = jnp.zeros(n) if self.start is None else self.start
        return {"current": Parameter(start, lower=-self.current_limit, upper=self.current_limit, unit="1")}

    def __call__(self, values, sampling):
        return self._sum(values, self.weight, sampling)

    def jacobian(self, values, sampling):
        # dD/dcurrent_k = 2 pi i t sum_r w_r maps_rk exp(2 pi i field_r t): the same sum with other weights
        sums = self._sum(values, self.weight * self.maps.T, sampling)
        return {"current": 2j * jnp.pi * sampling.time * sums}

    def _sum(self, values, weight, sampling):
        field = self.offset if not values else self.offset + self.maps @ values["current"]
        return (histogram_sum if self.histogram else direct_sum)(field, weight, sampling)
