"""Sub-spectra of edited data: which condition is which, their alignment on each other, their difference and sum."""

from __future__ import annotations

import jax
from jaxtyping import Array, Complex, Float, Int

from mrsjax.core import Sampling
from mrsjax.processing.align import align
from mrsjax.processing.alignment import Drift
from mrsjax.processing.phasing import PEAKS, fit_peak

#: Choline's singlet, ppm: of equal size in the conditions of GABA, GSH and lactate editing, and without an edited neighbour.
WINDOW = (3.1, 3.35)


def align_subspectra(
    fids: Complex[Array, "e n"],
    sampling: Sampling,
    *,
    window: tuple[float, float] = WINDOW,
    limit_hz: float = 10.0,
) -> tuple[Complex[Array, "e n"], Drift]:
    """Sub-spectra turned onto the first: frequency and phase of each minimise its difference from the first in a window of ppm.

        min over f, phi, a >= 0 of |S_1(nu) - a S_k(nu; f, phi)|^2,   nu in the window

    The scale a is for the minimum only: the sub-spectra keep their sizes. A window with edited lines in it turns their change into an error of frequency and phase.
    """
    turned, drift = align(fids, sampling, target=fids[0], window=window, limit_hz=limit_hz)
    drift = Drift(drift.frequency.at[0].set(0.0), drift.phase.at[0].set(0.0))
    return turned.at[0].set(fids[0]), drift


def naa_energies(fids: Complex[Array, "2 n"], sampling: Sampling) -> Float[Array, "2"]:
    """Root energy of NAA's line in its window over the noise, in each condition (an amplitude may be that of a hump, a height that of a spike, where there is no NAA). GABA's editing pulse at 1.9 ppm leaves less of it (Mescher 1998): the smaller one is the edited; pulses for GSH and lactate leave it alone."""
    return jax.vmap(lambda s: fit_peak(s, sampling, PEAKS["NAA"][1]).snr)(fids)


def difference(fids: Complex[Array, "2 n"], edited: Int[Array, ""] | int = 1) -> Complex[Array, " n"]:
    """Edited minus unedited condition."""
    return fids[edited] - fids[1 - edited]


def total(fids: Complex[Array, "2 n"]) -> Complex[Array, " n"]:
    """Sum of the conditions."""
    return fids[0] + fids[1]
