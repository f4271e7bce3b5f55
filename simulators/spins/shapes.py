"""Analytic pulse shapes. Amplitudes in Hz (gamma B1 / 2 pi), durations in s, times at the middle of each sample."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from mrsjax.core.fourier import cis
from simulators.spins.pulses import Waveform


def _midpoints(samples: int) -> np.ndarray:
    """Middle of each sample on (-1, 1)."""
    return (2 * np.arange(samples) + 1) / samples - 1


def block(duration, flip=math.pi / 2, *, samples: int = 1) -> Waveform:
    """A rectangular pulse."""
    return Waveform(np.ones(samples), np.zeros(samples), duration, name="block").with_flip(flip)


def sinc(duration, flip=math.pi / 2, *, lobes: float = 2.0, window: float = 0.46, samples: int = 100) -> Waveform:
    """sinc(lobes u) ((1 - window) + window cos(pi u)), u in (-1, 1): `lobes` zeros on each side; 0.46 is Hamming's
    window.
    """
    u = _midpoints(samples)
    shape = np.sinc(lobes * u) * ((1 - window) + window * np.cos(np.pi * u))
    return _signed(shape, duration, "sinc").with_flip(flip)


def gauss(duration, flip=math.pi, *, truncation: float = 0.01, samples: int = 100) -> Waveform:
    """exp(-beta u^2), `truncation` its value at the ends relative to the middle."""
    u = _midpoints(samples)
    return _signed(np.exp(np.log(truncation) * u**2), duration, "gauss").with_flip(flip)


def sinc_gauss(duration, flip=math.pi, *, lobes: float = 1.5, truncation: float = 0.05, samples: int = 100) -> Waveform:
    """A sinc under a Gaussian: flat top and narrow transition, the usual editing pulse."""
    u = _midpoints(samples)
    return _signed(np.sinc(lobes * u) * np.exp(np.log(truncation) * u**2), duration, "sinc-gauss").with_flip(flip)


def hyperbolic_secant(
    duration, *, bandwidth: float, b1_max: float, order: int = 1, truncation: float = 0.01, samples: int = 200
) -> Waveform:
    """HSn adiabatic full passage: B1 = b1_max sech(beta u^n), frequency sweep over `bandwidth` Hz at constant
    adiabaticity.

    d(frequency)/du is proportional to B1^2 (Silver 1985 for n = 1, Tannus & Garwood 1997 for the family).
    """
    u = _midpoints(samples)
    amplitude = 1 / np.cosh(math.acosh(1 / truncation) * np.abs(u) ** order)
    sweep = np.cumsum(amplitude**2)
    sweep = sweep - 0.5 * amplitude**2
    frequency = bandwidth * (sweep / (amplitude**2).sum() - 0.5)
    return Waveform(b1_max * amplitude, _phase(frequency, duration), duration, name=f"HS{order}")


def goia_wurst(
    duration,
    *,
    bandwidth: float,
    b1_max: float,
    orders: tuple[int, int] = (16, 4),
    depth: float = 0.9,
    samples: int = 250,
) -> Waveform:
    """GOIA-WURST(n, m): B1 = b1_max (1 - |sin(pi u / 2)|^n), G = 1 - depth + depth |sin(pi u / 2)|^m (Andronesi 2010).

    The frequency follows omega(t) = G(t) int B1^2 / G dt, which keeps the adiabaticity constant across the slice;
    `bandwidth` is the sweep at the full gradient.
    """
    u = _midpoints(samples)
    s = np.abs(np.sin(np.pi * u / 2))
    amplitude, gradient = 1 - s ** orders[0], 1 - depth + depth * s ** orders[1]
    rate = amplitude**2 / gradient
    total = np.cumsum(rate) - 0.5 * rate
    position = total / rate.sum() - 0.5
    wave = _phase(bandwidth * gradient * position, duration)
    return Waveform(b1_max * amplitude, wave, duration, gradient=gradient, name=f"GOIA-W({orders[0]},{orders[1]})")


def dual_band(waveform: Waveform, first: float, second: float) -> Waveform:
    """One pulse acting at two offsets (Hz): the sum of two frequency-shifted copies."""
    t = (jnp.arange(waveform.n_samples) + 0.5) / waveform.n_samples - 0.5
    turns = 2 * jnp.pi * t * waveform.duration
    shape = waveform.amplitude * cis(waveform.phase)
    both = shape * (cis(first * turns) + cis(second * turns))
    return Waveform(jnp.abs(both), jnp.angle(both), waveform.duration, gradient=waveform.gradient, name="dual-band")


def shifted(waveform: Waveform, offset) -> Waveform:
    """A pulse whose centre moves by `offset` Hz (phase 0 at its middle)."""
    t = (jnp.arange(waveform.n_samples) + 0.5) / waveform.n_samples - 0.5
    phase = waveform.phase + 2 * jnp.pi * offset * t * waveform.duration
    return Waveform(waveform.amplitude, phase, waveform.duration, gradient=waveform.gradient, name=waveform.name)


def _signed(shape: np.ndarray, duration, name: str) -> Waveform:
    """A real shape; negative lobes have phase pi."""
    return Waveform(np.abs(shape), np.where(shape < 0, np.pi, 0.0), duration, name=name)


def _phase(frequency: np.ndarray, duration) -> np.ndarray:
    """Phase of a frequency sweep (Hz) at the middle of each sample, zero at the middle of the pulse."""
    step = 2 * np.pi * float(duration) / len(frequency)
    phase = step * (np.cumsum(frequency) - 0.5 * frequency)
    return phase - 0.5 * (phase[(len(phase) - 1) // 2] + phase[len(phase) // 2])
