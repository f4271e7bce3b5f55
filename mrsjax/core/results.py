"""What a fit returns: numbers, their uncertainty, and whether to trust them."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mrsjax.core.metabolites import SUMS, canonical


class Status(enum.IntEnum):
    """How the fit of one spectrum ended."""

    CONVERGED = 0
    MAX_ITERATIONS = 1
    INVALID_DATA = 2  # NaN, zero or flat input: nothing was fitted, all numbers are NaN
    NO_PROGRESS = 3  # the damping grew without finding a better point
    NO_SIGNAL = 4  # fitted, but the total amplitude is within its own noise
    AT_BOUND = 5  # the frequency shift ended at its bound, or the spectrum matches better beyond it: wrong reference frequency, or a basis of another field


#: What ratios are relative to unless asked otherwise: creatine with phosphocreatine, or a basis' own sum of them.
TOTAL_CREATINE = (*SUMS["tCr"], "tCr")


def weights_of(names: tuple[str, ...], parts: Iterable[str]) -> Float[np.ndarray, " m"]:
    """1 for the amplitudes `names` that are among `parts`, by any of their names, else 0."""
    wanted = {canonical(n) for n in parts}
    return np.array([float(canonical(n) in wanted) for n in names])


def amplitude_sums(
    weights: Float[Any, "*s q m"], amplitudes: Float[Any, "s m"], covariance: Float[Any, "s m m"]
) -> tuple[Float[Any, "s q"], Float[Any, "s q"]]:
    """Weighted sums of the amplitudes and their standard deviations; arrays of NumPy or of JAX."""
    variance = ((weights @ covariance) * weights).sum(-1)
    return (weights @ amplitudes[:, :, None])[..., 0], variance.clip(0) ** 0.5


def amplitude_ratios(
    weights: Float[Any, "q m"], reference: Float[Any, " m"], amplitudes: Float[Any, "s m"], covariance
) -> tuple[Float[Any, "s q"], Float[Any, "s q"]]:
    """Ratios of weighted sums to one of them and their standard deviations by first-order propagation: g' C g with g = (a - r b)/B, r = A/B; NaN for a
    reference that is not positive. Arrays of NumPy or of JAX."""
    where = amplitudes.__array_namespace__().where
    below = (amplitudes @ reference)[:, None]
    below = where(below > 0, below, float("nan"))
    ratio = (weights @ amplitudes[:, :, None])[..., 0] / below
    gradient = (weights - ratio[..., None] * reference) / below[..., None]
    return ratio, amplitude_sums(gradient, amplitudes, covariance)[1]


class FitResult(eqx.Module):
    """Fits of `s` spectra with `m` amplitudes.

    - `amplitudes`, `covariance`: in units of the basis; covariance of the estimate from the full Fisher information (all parameters, baseline and amplitudes together; `inference.fisher`).
    - `parameters`, `parameters_sd`: the non-linear ones as a flat mapping "group.name" -> array `(s, ...)`, SI units.
    - `units`: unit of each entry of `parameters`.
    - `noise_sd`: standard deviation of the real part of the noise in a spectrum (core.fourier scaling).
    - `baseline_ed`: effective number of baseline parameters for each ppm, the columns of the water's tails counted (they add up to 0.5 in the default window).
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
        """Standard deviation of each amplitude: the Cramer-Rao lower bound where the model has no priors (`inference.fisher`)."""
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
        value, sd = amplitude_sums(self._weights(parts)[None], self.amplitudes, self.covariance)
        return value[:, 0], sd[:, 0]

    def ratio(
        self, parts: tuple[str, ...], reference: tuple[str, ...] = TOTAL_CREATINE
    ) -> tuple[Float[Array, " s"], Float[Array, " s"]]:
        """Ratio of two sums and its CRLB by first-order propagation; NaN where the reference is zero.

        **Raises:** `ValueError` when no part of one of them is in the basis.
        """
        a, b = self._weights(parts), self._weights(reference)
        value, sd = amplitude_ratios(a[None], b, self.amplitudes, self.covariance)
        return value[:, 0], sd[:, 0]

    def _weights(self, parts: tuple[str, ...]) -> Float[Array, " m"]:
        """1 for the amplitudes that are among `parts`, by any of their names."""
        weights = weights_of(self.names, parts)
        if not weights.any():
            raise ValueError(f"parts: none of {', '.join(parts)} among the amplitudes {', '.join(self.names)}")
        return jnp.asarray(weights, dtype=self.amplitudes.dtype)
