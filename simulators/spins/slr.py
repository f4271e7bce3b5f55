"""Shinnar-Le Roux design of selective pulses (Pauly et al. 1991).

A hard-pulse train of n samples turns the Cayley-Klein parameters into polynomials A(z), B(z) of degree n - 1, and
every pair with |A|^2 + |B|^2 = 1 on the unit circle belongs to one train. So B is designed as a
finite-impulse-response filter, A is the minimum-phase polynomial that goes with it (the least RF energy), and the
samples follow by undoing one rotation at a time.
"""

from __future__ import annotations

import enum
import math

import numpy as np
from scipy.signal import remez

from simulators.spins.pulses import Waveform


class Purpose(enum.Enum):
    """What a pulse is for: `(|B| in the slice, effective ripples in and out of it)` by Pauly 1991, table 2."""

    EXCITATION = enum.auto()
    REFOCUSING = enum.auto()
    INVERSION = enum.auto()


def _ripples(purpose: Purpose, inside: float, outside: float) -> tuple[float, float, float]:
    """|B| in the slice and the ripples of B that give the ripples of the magnetisation."""
    if purpose is Purpose.EXCITATION:
        return math.sqrt(0.5), math.sqrt(inside / 2), outside / math.sqrt(2)
    if purpose is Purpose.REFOCUSING:
        return 1.0, inside / 4, math.sqrt(outside)
    return 1.0, inside / 8, math.sqrt(outside / 2)


def _transition(inside: float, outside: float) -> float:
    """Transition width times length of an optimal filter, D_infinity (Herrmann et al. 1973)."""
    a, b = math.log10(inside), math.log10(outside)
    return (5.309e-3 * a**2 + 7.114e-2 * a - 4.761e-1) * b - (2.66e-3 * a**2 + 5.941e-1 * a + 4.278e-1)


def _minimum_phase(magnitude: np.ndarray) -> np.ndarray:
    """Polynomial spectrum of minimum phase with the given magnitude, by the real cepstrum."""
    cepstrum = np.fft.ifft(np.log(magnitude)).real
    fold = np.zeros(len(cepstrum))
    half = len(cepstrum) // 2
    fold[0] = fold[half] = 1.0
    fold[1:half] = 2.0
    return np.exp(np.fft.fft(fold * cepstrum))


def _hard_pulses(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rotation of each sample (complex, rad) from the polynomials A and B, last sample first."""
    out = np.zeros(len(a), complex)
    for k in range(len(a) - 1, -1, -1):
        ratio = b[k] / a[k]
        c = 1 / math.sqrt(1 + abs(ratio) ** 2)
        s = c * np.conj(ratio)
        out[k] = 2 * math.atan2(abs(s), c) * np.exp(1j * np.angle(s))
        a, b = (c * a + s * b)[1:], (c * b - np.conj(s) * a)[:-1]
    return out


def slr(
    duration,
    *,
    time_bandwidth: float = 6.0,
    purpose: Purpose = Purpose.REFOCUSING,
    ripples: tuple[float, float] = (0.01, 0.01),
    samples: int = 100,
) -> Waveform:
    """A linear-phase selective pulse.

    **Arguments:**

    - `duration`: s; `time_bandwidth`: duration times bandwidth (width at half height of |B|).
    - `purpose`: excitation by 90 degrees, refocusing or inversion by 180 degrees.
    - `ripples`: of the magnetisation inside and outside the slice.
    - `samples`: of the waveform.

    **Raises:** `ValueError` when the slice is wider than the samples resolve, or too short for its ripples.
    """
    height, inside, outside = _ripples(purpose, *ripples)
    width = _transition(inside, outside) / time_bandwidth
    edges = [0.0, (1 - width) * time_bandwidth / 2, (1 + width) * time_bandwidth / 2, samples / 2]
    if not 0 < edges[1] < edges[2] < edges[3]:
        raise ValueError(
            f"time_bandwidth: wanted more than {_transition(inside, outside):.2f} for these ripples and less than "
            f"{samples / 2:g} for {samples} samples, found {time_bandwidth:g}"
        )
    response = remez(samples, np.array(edges), [1, 0], weight=[1, inside / outside], fs=samples)
    size = 1 << (samples * 16 - 1).bit_length()
    b = response * height
    largest = np.abs(np.fft.fft(b, size)).max()
    if largest >= 1.0:
        b = b / (largest * (1 + 1e-7))
    # Minimum phase puts the energy first; the recursion takes the last sample of the train first, hence the reversal.
    spectrum = _minimum_phase(np.sqrt(1 - np.abs(np.fft.fft(b, size)) ** 2))
    a = np.fft.ifft(spectrum)[:samples].real[::-1]
    amplitude = np.real(_hard_pulses(a, b)) / (2 * np.pi * float(duration) / samples)
    phase = np.where(amplitude < 0, np.pi, 0.0)
    return Waveform(np.abs(amplitude), phase, duration, name=f"SLR {purpose.name.lower()}")
