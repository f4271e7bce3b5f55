"""Eddy-current correction (Klose 1990): the phase of a water signal, point by point, taken from the spectrum's FID."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core import Sampling, cis, to_spectrum
from mrsjax.inference.linalg import solve
from mrsjax.processing.noise import noise_power


def reference_phase(reference: Complex[Array, " n"], sampling: Sampling, *, floor: float = 5.0) -> Float[Array, " n"]:
    """Phase of a water FID, rad, continuous in time.

    From the first point where the water (averaged over 9 points) is weaker than `floor` times its noise the phase is continued by a + b t + c exp(-t / tau), fitted to the last three
    quarters of the visible part with the water's power as weight: an eddy current that has not yet decayed bends the phase, and a line alone would carry its slope on.
    Of 12 tau from a fiftieth to a half of the visible time the best is taken; c has a prior of 1 rad.
    """
    n = reference.shape[-1]
    spectrum = jnp.abs(to_spectrum(reference))
    at = sampling.frequency[jnp.argmax(spectrum)]
    carrier = 2.0 * jnp.pi * at * sampling.time
    slow = reference * cis(-carrier)
    smooth = jnp.convolve(slow, jnp.ones(9) / 9.0, mode="same")
    noise = noise_power(reference)
    weak = jnp.abs(smooth) < floor * jnp.sqrt(noise)
    index = jnp.arange(n)
    weak = weak & (index > 4)
    gone = jnp.cumsum(weak) > 0
    phase = jnp.unwrap(jnp.angle(slow))
    last = jnp.where(jnp.any(gone), jnp.argmax(gone) - 1, n - 1)
    x = index / jnp.maximum(last, 1)
    tiny = jnp.finfo(noise.dtype).tiny
    seen = ((index >= last // 4) & (index <= last)).astype(noise.dtype)
    # Var(phase) = noise / (2 |water|^2).
    weight = seen * 2.0 * jnp.abs(smooth) ** 2 / jnp.maximum(noise, 1e-9 * jnp.max(jnp.abs(smooth)) ** 2 + tiny)

    def fitted(tau):
        columns = jnp.stack([jnp.ones_like(x), x, jnp.exp(-x / tau)])
        gram = (columns * weight) @ columns.T + jnp.diag(jnp.array([tiny, tiny, 1.0], x.dtype))
        answer = solve(gram, (columns * weight) @ phase, jnp.ones(3, bool))
        curve = answer @ columns
        return jnp.sum(weight * (phase - curve) ** 2) + answer[2] ** 2, curve

    misfit, curves = jax.vmap(fitted)(jnp.asarray(np.geomspace(0.02, 0.5, 12), x.dtype))
    return jnp.where(gone, curves[jnp.argmin(misfit)], phase) + carrier


def klose(
    fid: Complex[Array, " n"],
    reference: Complex[Array, " n"],
    sampling: Sampling,
) -> Complex[Array, " n"]:
    """s(t) exp(-i arg r(t)): removes the phase that eddy currents, the receiver and the water's offset give to both.

    After it water lies at 0 Hz (the ppm reference) with phase zero. Without a separate reference, give the water of the same FID (the removed part of
    `hlsvd.remove_peaks`). A reference that is all zero changes nothing.

    **Raises:** `ValueError` when the lengths differ.
    """
    if reference.shape[-1] != fid.shape[-1]:
        raise ValueError(
            f"reference: wanted {fid.shape[-1]} points like the data, found {reference.shape[-1]}; cut both to one length"
        )
    phase = jnp.where(jnp.any(reference != 0), reference_phase(reference, sampling), 0.0)
    return fid * cis(-phase).astype(fid.dtype)
