"""Noise of a FID without a window that is known to be free of signal."""

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float


def noise_power(fid: Complex[Array, " n"]) -> Float[Array, ""]:
    """E |noise|^2 of a point of a FID: median of the squared second differences of its spectrum, in which lines are few and tails smooth."""
    spectrum = jnp.fft.fft(fid, norm="ortho")
    second = jnp.roll(spectrum, -1) - 2.0 * spectrum + jnp.roll(spectrum, 1)
    return jnp.median(jnp.abs(second) ** 2) / (6.0 * jnp.log(2.0))
