"""What a fit returns: numbers, their uncertainty, and whether to trust them."""

from __future__ import annotations

import enum
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from mrsjax.core.metabolites import SUMS, canonical


class Status(enum.IntEnum):
    """How the fit of one spectrum ended."""

    CONVERGED = 0
    MAX_ITERATIONS = 1
    INVALID_DATA = 2  # NaN, zero or flat input: nothing was fitted, all numbers are NaN
    NO_PROGRESS = 3  # the damping grew without finding a better point
    NO_SIGNAL = 4  # fitted, but the total amplitude is within its own noise
    AT_BOUND = 5  # the frequency shift ended at its bound: wrong reference frequency, or a basis of another field


class FitResult(eqx.Module):
    """Fits of `s` spectra with `m` amplitudes.

    - `amplitudes`, `covariance`: in units of the basis; covariance from the full Fisher information (all parameters, baseline
      and amplitudes together).
    - `parameters`, `parameters_sd`: the non-linear ones as a flat mapping "group.name" -> array `(s, ...)`, SI units.
    - `units`: unit of each entry of `parameters`.
    - `noise_sd`: standard deviation of the real part of the noise in a spectrum (core.fourier scaling).
    - `baseline_ed`: effective number of baseline parameters for each ppm.
    - `misfit`: chi^2 / 2 of the residual outside the baseline's reach, priors not counted; `effective_parameters`: how many
      amplitudes, non-linear and (real) baseline parameters the data, not the priors, determine.
    - `status`: a `Status` for each spectrum; `iterations`, `cost` beside it.
    - `names`: of the amplitudes; `metabolites`: the ones that are no macromolecules, lipids or other nuisance.
    """

    amplitudes: Float[Array, "s m"]
    covariance: Float[Array, "s m m"]
    parameters: dict[str, Float[Array, "s ..."]]
    parameters_sd: dict[str, Float[Array, "s ..."]]
    noise_sd: Float[Array, " s"]
    baseline_ed: Float[Array, " s"]
    misfit: Float[Array, " s"]
    effective_parameters: Float[Array, " s"]
    status: Int[Array, " s"]
    iterations: Int[Array, " s"]
    cost: Float[Array, " s"]
    state: Any  # what `inference.evaluate` and implicit differentiation need
    names: tuple[str, ...] = eqx.field(static=True)
    metabolites: tuple[str, ...] = eqx.field(static=True)
    units: dict[str, str] = eqx.field(static=True)

    @property
    def crlb(self) -> Float[Array, "s m"]:
        """Cramer-Rao lower bound of each amplitude, as a standard deviation in its unit."""
        return jnp.sqrt(jnp.diagonal(self.covariance, axis1=-2, axis2=-1))

    @property
    def correlation(self) -> Float[Array, "s m m"]:
        """Correlation matrix of the amplitudes."""
        sd = self.crlb
        return self.covariance / (sd[:, :, None] * sd[:, None, :])

    def total(self, parts: tuple[str, ...]) -> tuple[Float[Array, " s"], Float[Array, " s"]]:
        """A sum of amplitudes and its CRLB, covariances included. Parts that are not in the basis are left out.

        **Raises:** `ValueError` when none is in it.
        """
        w = self._weights(parts)
        return self.amplitudes @ w, jnp.sqrt(jnp.einsum("m,smn,n->s", w, self.covariance, w))

    def ratio(
        self, parts: tuple[str, ...], reference: tuple[str, ...] = SUMS["tCr"]
    ) -> tuple[Float[Array, " s"], Float[Array, " s"]]:
        """Ratio of two sums and its CRLB by first-order propagation: g' C g with g = (a - r b)/B, r = A/B.

        **Raises:** `ValueError` when no part of one of them is in the basis.
        """
        a, b = self._weights(parts), self._weights(reference)
        below = self.amplitudes @ b
        r = (self.amplitudes @ a) / below
        g = (a - r[:, None] * b) / below[:, None]
        return r, jnp.sqrt(jnp.einsum("sm,smn,sn->s", g, self.covariance, g))

    def _weights(self, parts: tuple[str, ...]) -> Float[Array, " m"]:
        """1 for the amplitudes that are among `parts`, by any of their names."""
        wanted = {canonical(n) for n in parts}
        weights = [float(canonical(n) in wanted) for n in self.names]
        if not any(weights):
            raise ValueError(f"parts: none of {', '.join(parts)} among the amplitudes {', '.join(self.names)}")
        return jnp.array(weights, dtype=self.amplitudes.dtype)
