"""Noise level of a spectrum, from blocks of points without signal."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import to_spectrum
from mrsjax.core.sampling import Sampling

#: Points of a block, the shifts (ppm) between which 1H signals are expected, and those that are fitted.
BLOCK = 32
SIGNAL_PPM = (-0.5, 9.5)
FITTED_PPM = (-0.5, 4.2)
#: A region whose noise is below this part of the lowest in the fitted region was emptied by a filter (water removal).
EMPTIED = 0.1


class NoiseBlocks(NamedTuple):
    """Weights (1 or 0) of the blocks of BLOCK points of a spectrum: `quiet` ones lie outside the signal region (all, when fewer
    than four do), `fitted` ones inside the fitted region."""

    quiet: Float[np.ndarray | Array, " b"]
    fitted: Float[np.ndarray | Array, " b"]


def noise_blocks(sampling: Sampling) -> NoiseBlocks:
    """Which blocks of a spectrum tell its noise.

    **Raises:** `ValueError` for fewer than four blocks.
    """
    usable = sampling.n_points // BLOCK
    if usable < 4:
        raise ValueError(f"n_points: wanted at least {4 * BLOCK} for a noise estimate, found {sampling.n_points}")
    ppm = np.asarray(sampling.ppm)[: usable * BLOCK].reshape(usable, BLOCK)
    outside = (ppm[:, -1] < SIGNAL_PPM[0]) | (ppm[:, 0] > SIGNAL_PPM[1])
    outside[[0, -1]] = False  # the receiver's filter
    fitted = (ppm[:, 0] > FITTED_PPM[0] - 0.3) & (ppm[:, -1] < FITTED_PPM[1])
    return NoiseBlocks(np.where(outside.sum() >= 4, outside, True).astype(float), fitted.astype(float))


def noise_sd(fid: Complex[Array, " n"], blocks: NoiseBlocks) -> Float[Array, ""]:
    """Standard deviation of the real part of the noise in the spectrum (core.fourier scaling).

    Each block is detrended by a parabola; the median over the quiet blocks is taken, or the lower quartile where no block is known to be free of
    signal (`quiet` all 1). Blocks that a filter has emptied do not count; when all quiet ones are, the lowest level of the fitted blocks is taken, by
    second differences (variance 6 sd^2 for white noise), which hardly see the tails of lines.
    """
    n = blocks.quiet.shape[0]
    spectrum = to_spectrum(fid)[: n * BLOCK].reshape(n, BLOCK)
    x = np.linspace(-1, 1, BLOCK)
    q, _ = np.linalg.qr(np.stack([np.ones(BLOCK), x, x**2], axis=1))
    q = jnp.asarray(q, spectrum.real.dtype)
    rest = spectrum - (spectrum @ q) @ q.T
    variance = jnp.sum(jnp.abs(rest) ** 2, axis=1) / (2 * (BLOCK - 3))
    second = jnp.mean(jnp.abs(jnp.diff(spectrum, 2, axis=1)) ** 2, axis=1) / 12
    floor = jnp.min(jnp.where(blocks.fitted > 0, second, jnp.inf))
    floor = jnp.where(jnp.isfinite(floor), floor, 0.0)
    counts = (blocks.quiet > 0) & (variance >= EMPTIED**2 * floor)
    level = jnp.where(jnp.all(blocks.quiet > 0), 0.25, 0.5)
    ranked = jnp.sort(jnp.where(counts, variance, jnp.inf))
    at = jnp.round(level * (jnp.sum(counts) - 1)).astype(int)
    return jnp.sqrt(jnp.where(jnp.any(counts), ranked[at], floor))


noise_sds = jax.vmap(noise_sd, in_axes=(0, None))
