"""Eddy-current correction (Klose 1990): the phase of a water signal, point by point, taken from the spectrum's FID."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from mrsjax.core import Sampling, cis, to_spectrum
from mrsjax.processing.noise import noise_power


def reference_phase(reference: Complex[Array, " n"], sampling: Sampling, *, floor: float = 5.0) -> Float[Array, " n"]:
    """Phase of a water FID, rad, continuous in time.

    From the first point where the water (averaged over 9 points) is weaker than `floor` times its noise the phase is continued at the water's frequency: noise is not carried
    into the corrected spectrum.
    """
    spectrum = jnp.abs(to_spectrum(reference))
    at = sampling.frequency[jnp.argmax(spectrum)]
    carrier = 2.0 * jnp.pi * at * sampling.time
    slow = reference * cis(-carrier)
    smooth = jnp.convolve(slow, jnp.ones(9) / 9.0, mode="same")
    weak = jnp.abs(smooth) < floor * jnp.sqrt(noise_power(reference))
    weak = weak & (jnp.arange(reference.shape[-1]) > 4)
    gone = jnp.cumsum(weak) > 0
    phase = jnp.unwrap(jnp.angle(slow))
    last = jnp.where(jnp.any(gone), jnp.argmax(gone) - 1, reference.shape[-1] - 1)
    # The water's own frequency, from the later half of its visible part (eddy currents have decayed): the grid of the spectrum is too coarse.
    index = jnp.arange(reference.shape[-1])
    late = (index >= last // 2) & (index + 9 <= last)
    turn = jnp.sum(jnp.where(late, jnp.roll(smooth, -9) * jnp.conj(smooth), 0.0))
    slope = jnp.where(jnp.abs(turn) > 0, jnp.angle(jnp.where(jnp.abs(turn) > 0, turn, 1.0)) / 9.0, 0.0)
    # Its phase at the last visible point, from the same points.
    line = smooth * cis(-slope * (index - last))
    held = jnp.angle(jnp.where(jnp.any(late), jnp.sum(jnp.where(late, line, 0.0)), smooth[last]))
    held = held + 2.0 * jnp.pi * jnp.round((phase[last] - held) / (2.0 * jnp.pi))
    return jnp.where(gone, held + slope * (index - last), phase) + carrier


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
