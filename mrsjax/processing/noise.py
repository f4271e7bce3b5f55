"""Noise of a FID without a window that is known to be free of signal, and the noise that a file carries."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from mrsjax.core.data import Acquisition

#: What a step says when it cannot tell what becomes of the noise that a file carries.
DROPPED = "the noise that the file carried (NoiseStandardDeviation) does not hold behind this step and was dropped"


def carried(about: Acquisition, factor: float | None) -> Acquisition:
    """The acquisition behind a step that makes white noise `factor` times as large; `None`: no one number tells it, and `noise_sd` is dropped."""
    if about.noise_sd is None or factor == 1.0:
        return about
    return dataclasses.replace(about, noise_sd=None if factor is None else about.noise_sd * factor)


def noise_power(fid: Complex[Array, " n"]) -> Float[Array, ""]:
    """E |noise|^2 of a point of a FID: median of the squared second differences of its spectrum, in which lines are few and tails smooth."""
    spectrum = jnp.fft.fft(fid, norm="ortho")
    second = jnp.roll(spectrum, -1) - 2.0 * spectrum + jnp.roll(spectrum, 1)
    return jnp.median(jnp.abs(second) ** 2) / (6.0 * jnp.log(2.0))
