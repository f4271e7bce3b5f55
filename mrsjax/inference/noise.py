"""Noise level of a spectrum, from blocks of points without signal."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import to_spectrum
from mrsjax.core.sampling import Sampling

#: Points of a block, and the shifts (ppm) between which 1H signals are expected.
BLOCK = 32
SIGNAL_PPM = (-0.5, 9.5)


def noise_blocks(sampling: Sampling) -> Float[np.ndarray, " b"]:
    """1 for each block of BLOCK points of a spectrum that lies outside the signal region; all 1 when fewer than four blocks do."""
    usable = sampling.n_points // BLOCK
    if usable < 4:
        raise ValueError(f"n_points: wanted at least {4 * BLOCK} for a noise estimate, found {sampling.n_points}")
    ppm = np.asarray(sampling.ppm)[: usable * BLOCK].reshape(usable, BLOCK)
    outside = (ppm[:, -1] < SIGNAL_PPM[0]) | (ppm[:, 0] > SIGNAL_PPM[1])
    outside[[0, -1]] = False  # the receiver's filter
    return np.where(outside.sum() >= 4, outside, True).astype(float)


def noise_sd(fid: Complex[Array, " n"], blocks: Float[Array, " b"]) -> Float[Array, ""]:
    """Standard deviation of the real part of the noise in the spectrum (core.fourier scaling).

    Each block is detrended by a parabola; the median over the quiet blocks is taken, or the lower quartile where no block is known to be free of
    signal (`blocks` all 1).
    """
    n = blocks.shape[0]
    spectrum = to_spectrum(fid)[: n * BLOCK].reshape(n, BLOCK)
    x = np.linspace(-1, 1, BLOCK)
    q, _ = np.linalg.qr(np.stack([np.ones(BLOCK), x, x**2], axis=1))
    q = jnp.asarray(q, spectrum.real.dtype)
    rest = spectrum - (spectrum @ q) @ q.T
    variance = jnp.sum(jnp.abs(rest) ** 2, axis=1) / (2 * (BLOCK - 3))
    level = jnp.where(jnp.all(blocks > 0), 0.25, 0.5)
    ranked = jnp.sort(jnp.where(blocks > 0, variance, jnp.inf))
    at = level * (jnp.sum(blocks > 0) - 1)
    return jnp.sqrt(ranked[jnp.round(at).astype(int)])


noise_sds = jax.vmap(noise_sd, in_axes=(0, None))
