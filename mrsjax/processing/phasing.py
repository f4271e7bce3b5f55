"""Phase and frequency reference of a spectrum, from a single resonance."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from mrsjax.core import Sampling, cis, exponentials, to_fid, to_spectrum
from mrsjax.processing.noise import noise_power

#: Chemical shifts of singlets, ppm (Govindaraju et al. 2000; water at 37 degC), and where to look for them.
PEAKS = {
    "NAA": (2.008, (1.85, 2.15)),
    "Cr": (3.027, (2.93, 3.12)),
    "Cho": (3.2, (3.13, 3.3)),
    "water": (4.65, (4.2, 5.1)),
}

#: `Peak.snr` from which on a line counts as found: in 20,000 FIDs of noise alone (512 points, NAA's window) the largest was 3.8.
DETECTED = 5.0


class Peak(eqx.Module):
    """A Lorentzian line a exp(i phase) exp((2 pi i f - d) t): `frequency` Hz, `damping` 1/s, `amplitude` > 0, `phase` rad.

    `snr`: root energy of the line beside its background over the noise of a point (`noise_power`); 1 / (sqrt(2) snr) is the bound of the phase, rad.
    """

    frequency: Float[Array, ""]
    damping: Float[Array, ""]
    amplitude: Float[Array, ""]
    phase: Float[Array, ""]
    snr: Float[Array, ""]


def fit_peak(
    fid: Complex[Array, " n"], sampling: Sampling, window: tuple[float, float], *, iterations: int = 12
) -> Peak:
    """Least-squares Lorentzian on a complex linear background in a window of ppm.

    Amplitude and background are linear and eliminated; frequency and damping by damped Gauss-Newton steps from the largest magnitude and a FWHM of 5 Hz.
    """
    ppm, frequency = sampling.ppm, sampling.frequency
    spectrum = to_spectrum(fid)
    inside = (ppm >= window[0]) & (ppm <= window[1])
    weight = inside.astype(spectrum.real.dtype)
    start = frequency[jnp.argmax(jnp.where(inside, jnp.abs(spectrum), -1.0))]
    x = 2.0 * (ppm - 0.5 * (window[0] + window[1])) / (window[1] - window[0])
    smooth = jnp.stack([weight, weight * x])
    smooth = smooth / jnp.sqrt(jnp.maximum(jnp.sum(smooth**2, axis=1, keepdims=True), 1e-30))

    def flat(v):
        v = v * weight
        for q in smooth:
            v = v - jnp.sum(q * v) * q
        return v

    data = flat(spectrum)

    def solved(theta):
        rate = (-jnp.exp(theta[1]) + 2j * jnp.pi * theta[0]).astype(fid.dtype)
        line = flat(to_spectrum(exponentials(rate, sampling.dwell_time, sampling.n_points)))
        energy = jnp.sum(jnp.abs(line) ** 2)
        a = jnp.sum(jnp.conj(line) * data) / jnp.maximum(energy, 1e-30)
        return a, energy, data - a * line

    def residual(theta):
        rest = solved(theta)[2]
        return jnp.concatenate([jnp.real(rest), jnp.imag(rest)])

    def step(_, carry):
        theta, damping = carry
        r = residual(theta)
        j = jax.jacfwd(residual)(theta)
        g, h = j.T @ r, j.T @ j
        h = h + damping * jnp.diag(jnp.diagonal(h) + 1e-30)
        det = h[0, 0] * h[1, 1] - h[0, 1] ** 2
        det = jnp.where(jnp.abs(det) > 0, det, 1.0)
        move = -jnp.stack([h[1, 1] * g[0] - h[0, 1] * g[1], h[0, 0] * g[1] - h[0, 1] * g[0]]) / det
        move = jnp.clip(move, jnp.array([-5.0, -0.7]), jnp.array([5.0, 0.7]))
        better = jnp.sum(residual(theta + move) ** 2) < jnp.sum(r**2)
        return jnp.where(better, theta + move, theta), jnp.where(better, damping * 0.2, damping * 5.0)

    first = jnp.stack([start, jnp.log(jnp.asarray(jnp.pi * 5.0, start.dtype))])
    theta, _ = jax.lax.fori_loop(0, iterations, step, (first, jnp.asarray(1e-2, start.dtype)))
    a, energy, _ = solved(theta)
    noise = jnp.maximum(noise_power(fid), jnp.finfo(data.real.dtype).tiny)
    phase = jnp.angle(jnp.where(jnp.abs(a) > 0, a, 1.0))
    return Peak(theta[0], jnp.exp(theta[1]), jnp.abs(a), phase, jnp.abs(a) * jnp.sqrt(energy / noise))


def find_peak(fid: Complex[Array, " n"], sampling: Sampling, name: str) -> tuple[Peak, Bool[Array, ""]]:
    """A line of `PEAKS`, and whether it is there: above the noise (`DETECTED`) and inside its window."""
    window = PEAKS[name][1]
    peak = fit_peak(fid, sampling, window)
    at = sampling.to_ppm(peak.frequency)
    return peak, (peak.snr >= DETECTED) & (at >= window[0]) & (at <= window[1])


def refer(fid: Complex[Array, " n"], sampling: Sampling, peak: Peak, name: str) -> Complex[Array, " n"]:
    """A FID moved and turned so that `peak` comes to the chemical shift of `PEAKS` with phase zero."""
    return shift_to(fid, sampling, peak.frequency, PEAKS[name][0]) * cis(-peak.phase).astype(fid.dtype)


def refer_where_found(
    fid: Complex[Array, " n"], sampling: Sampling, name: str
) -> tuple[Complex[Array, " n"], Bool[Array, ""]]:
    """`refer` where the peak is found, else the FID as it is; and whether it was."""
    peak, there = find_peak(fid, sampling, name)
    return jnp.where(there, refer(fid, sampling, peak, name), fid), there


def shift_to(
    fid: Complex[Array, " n"], sampling: Sampling, found: Float[Array, ""], ppm: float
) -> Complex[Array, " n"]:
    """A FID moved so that what is at `found` (Hz) comes to `ppm`."""
    return fid * cis(2.0 * jnp.pi * (sampling.to_hz(ppm) - found) * sampling.time).astype(fid.dtype)


def phase(
    fid: Complex[Array, " n"],
    sampling: Sampling,
    *,
    zero: Float[Array, ""] | float = 0.0,
    delay: Float[Array, ""] | float = 0.0,
    pivot_ppm: float | None = None,
) -> Complex[Array, " n"]:
    """Spectrum times exp(i (zero + 2 pi delay (f - f_pivot))): zero in rad, delay in s (first-order phase), pivot the ppm reference by default."""
    pivot = 0.0 if pivot_ppm is None else sampling.to_hz(pivot_ppm)
    angle = zero + 2.0 * jnp.pi * delay * (sampling.frequency - pivot)
    return to_fid(to_spectrum(fid) * cis(angle))
