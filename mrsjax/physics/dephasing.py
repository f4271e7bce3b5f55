"""Dephasing of a signal by a distribution of frequency offsets: the sum over points, exact or through a histogram."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import exponentials
from mrsjax.core.sampling import Sampling

#: Half width of the histogram's Gaussian kernel, bins.
_REACH = 6


def direct_sum(field: Float[Array, " r"], weight: Float[Array, "*k r"], sampling: Sampling) -> Complex[Array, "*k n"]:
    """D(t) = sum_r weight_r exp(2 pi i field_r t), field in Hz; r n operations."""
    return weight @ exponentials(2j * jnp.pi * field, sampling.dwell_time, sampling.n_points)


def histogram_sum(
    field: Float[Array, " r"], weight: Float[Array, "*k r"], sampling: Sampling
) -> Complex[Array, "*k n"]:
    """The same sum through a histogram of the field: 12 r + n log n operations.

    Each point is spread over 12 bins of width 1 / (4 n dwell_time) by a Gaussian, the histogram is transformed and divided by the Gaussian's
    transform (Greengard and Lee 2004). The error is below 3e-6 sum |weight| at every t in double precision, 1e-4 in single; offsets outside the
    bandwidth alias as they do in a sampled signal. Differentiable in the field: the spread weights move with it.
    """
    n = sampling.n_points
    bins = 4 * n
    tau = math.pi * _REACH / (2.0 * 1.5) / (2 * n) ** 2  # oversampling 2 of the orders -n .. n
    place = jnp.mod(field * sampling.dwell_time, 1.0) * bins
    near = jnp.floor(place)
    reach = jnp.arange(1 - _REACH, _REACH + 1)
    distance = (2 * math.pi / bins) * ((place - near)[:, None] - reach)
    spread = jnp.exp(-(distance**2) / (4 * tau))
    index = jnp.mod(near[:, None].astype(jnp.int32) + reach, bins)
    counts = jnp.zeros((*weight.shape[:-1], bins), spread.dtype)
    counts = counts.at[..., index].add(weight[..., None] * spread)
    sums = jnp.conj(jnp.fft.rfft(counts))[..., :n]
    return sums * (math.sqrt(math.pi / tau) / bins * jnp.exp(tau * jnp.arange(n) ** 2))
