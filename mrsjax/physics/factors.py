"""Factors in time that all components share: shim field, eddy-current phase. Pluggable; a model without any has the identity."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import cis, exponentials
from mrsjax.core.parameters import Parameter
from mrsjax.core.sampling import Sampling


class Factor(eqx.Module):
    """A complex function of time, D(0) = 1 for a pure dephasing."""

    name: eqx.AbstractVar[str]

    @abc.abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """The free quantities; empty for a fixed factor."""

    @abc.abstractmethod
    def __call__(self, values: dict[str, Array], sampling: Sampling) -> Complex[Array, " n"]:
        """D(t) on the grid."""

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


class ShimDephasing(Factor):
    """Dephasing by a distribution of field offsets over a voxel.

        D(t) = sum_r w_r exp(2 pi i (offset_r + sum_k maps_rk current_k) t),   sum_r w_r = 1

    - `offset` (r,): field offsets, Hz; `weight` (r,): fractions of the voxel.
    - `maps` (r, k): field of each shim channel, Hz for a unit of current. The currents are the factor's parameters (`current`); with no
      channel the factor is fixed.
    """

    offset: Float[Array, " r"]
    weight: Float[Array, " r"]
    maps: Float[Array, "r k"]
    current_limit: float = eqx.field(static=True, default=1e3)
    name: str = eqx.field(static=True, default="shim")

    def parameters(self):
        n = self.maps.shape[1]
        if n == 0:
            return {}
        zero = jnp.zeros(n)
        return {"current": Parameter(zero, lower=-self.current_limit, upper=self.current_limit, unit="1")}

    def __call__(self, values, sampling):
        field = self.offset if not values else self.offset + self.maps @ values["current"]
        return self.weight @ exponentials(2j * jnp.pi * field, sampling.dwell_time, sampling.n_points)
