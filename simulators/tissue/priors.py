"""Priors of single quantities: distributions of numpyro, drawn by their inverse cumulative distribution.

One vector of uniform deviates serves all quantities of a spectrum (few random calls, one precision, correlations by a Gaussian copula).
"""

from __future__ import annotations

from functools import singledispatch

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from numpyro.distributions import Distribution, LogNormal, LogUniform, Normal, TransformedDistribution, Uniform
from numpyro.distributions.transforms import PowerTransform

#: Deviates stay this far from 0 and 1: a normal prior ends at 5.2 standard deviations.
EDGE = 1e-7


def single(x: ArrayLike) -> Float[Array, "..."]:
    """An array in single precision, whatever the session's: artificial data are the same under x64."""
    return jnp.asarray(np.asarray(x), jnp.float32)


def uniform(low: ArrayLike, high: ArrayLike) -> Uniform:
    """Every value between `low` and `high` alike."""
    return Uniform(single(low), single(high))


def log_uniform(low: ArrayLike, high: ArrayLike) -> LogUniform:
    """Every ratio between `low` and `high` (positive) alike."""
    return LogUniform(single(low), single(high))


def normal(mean: ArrayLike, sd: ArrayLike) -> Normal:
    """Normal with standard deviation `sd`."""
    return Normal(single(mean), single(sd))


def log_normal(median: ArrayLike, log_sd: ArrayLike) -> LogNormal:
    """Positive, with a median and the standard deviation of the natural logarithm."""
    return LogNormal(jnp.log(single(median)), single(log_sd))


def squared_uniform(low: ArrayLike, high: ArrayLike) -> TransformedDistribution:
    """The square of a uniform quantity that is not negative: squared Gaussian widths (`physics.Gauss`) from widths in Hz."""
    return TransformedDistribution(uniform(low, high), PowerTransform(2.0))


def fixed(value: ArrayLike) -> Uniform:
    """One value: a uniform prior without width, so that `widened` leaves it alone."""
    return uniform(value, value)


def draw(prior: Distribution, deviates: Float[Array, "..."]) -> Float[Array, "..."]:
    """Values at uniform deviates in (0, 1), shape that of the prior."""
    return prior.icdf(jnp.clip(deviates, EDGE, 1 - EDGE))


def ends(prior: Distribution) -> tuple[float, float]:
    """The smallest and the largest value that is drawn, over all elements."""
    low, high = (np.asarray(draw(prior, jnp.full(prior.batch_shape, u, jnp.float32))) for u in (0.0, 1.0))
    return float(low.min()), float(high.max())


@singledispatch
def widened(prior: Distribution, factor: ArrayLike) -> Distribution:
    """The same prior about the same centre, `factor` times as wide.

    A uniform prior that does not go below zero is not taken below zero: it is cut there. Log-priors widen in the logarithm.

    **Raises:** `TypeError` for a distribution that has no rule here.
    """
    raise TypeError(f"prior: no rule to widen a {type(prior).__name__}; wanted Uniform, Normal or a transform of one")


@widened.register
def _(prior: Uniform, factor):
    bottom, top = jnp.asarray(prior.low), jnp.asarray(prior.high)
    centre, half = 0.5 * (bottom + top), 0.5 * (top - bottom)
    low = centre - factor * half
    return Uniform(jnp.where(bottom >= 0, jnp.maximum(low, 0.0), low), centre + factor * half)


@widened.register
def _(prior: Normal, factor):
    return Normal(prior.loc, prior.scale * factor)


@widened.register
def _(prior: LogUniform, factor):
    bottom, top = jnp.log(jnp.asarray(prior.low)), jnp.log(jnp.asarray(prior.high))
    centre, half = 0.5 * (bottom + top), 0.5 * (top - bottom)
    return LogUniform(jnp.exp(centre - factor * half), jnp.exp(centre + factor * half))


@widened.register
def _(prior: TransformedDistribution, factor):
    return TransformedDistribution(widened(prior.base_dist, factor), prior.transforms)
