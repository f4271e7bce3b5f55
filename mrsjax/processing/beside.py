"""Spectral registration beside nuisance signals that change from transient to transient (water, lipid).

A transient s turned back by f is the target r times a complex scale a, white noise of unit variance, and lines of random amplitude (standard deviation A each)
on a grid G (n, m) of frequencies in the nuisance windows and of widths. Noise and lines have covariance C = I + A^2 G G^H, and the offset solves generalised least squares

    min over f and complex a of (s_f - a r)^H C^-1 (s_f - a r),    C^-1 = I - B B^H,    B = G V (L + 1/A^2)^(-1/2),

s_f the transient turned back by f, V and L the eigenvectors and eigenvalues of G^H G: one decomposition for a series, none for a transient.
The steps are Fisher scoring with the derivative of a r, which is less noisy than that of s; the information that the nuisance lines have about f is not used.
For large A this projects the nuisance lines out (variable projection; the signal model of Near et al. 2015 with nuisance parameters).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from mrsjax.core import Sampling, cis
from mrsjax.processing.alignment import Drift, band, correct, register

#: Residual water, and lipid up to the CH2 beside its double bonds at 2.25 ppm: NAA goes with it, creatine, choline and inositol are left.
WINDOWS = ((4.2, 5.1), (0.6, 2.4))


def subspace(
    sampling: Sampling,
    windows: tuple[tuple[float, float], ...] = WINDOWS,
    *,
    widths_hz: tuple[float, ...] = (4.0, 12.0, 40.0),
    points: int = 25,
    amplitude: float = 100.0,
) -> Complex[Array, "n m"]:
    """B of the module's equation. **Arguments:** `windows` in ppm, `points` frequencies in each; `amplitude` A in noise standard deviations of a point."""
    ppm = jnp.concatenate([jnp.linspace(low, high, points) for low, high in windows])
    hz = jnp.repeat(sampling.to_hz(ppm), len(widths_hz))
    width = jnp.tile(jnp.asarray(widths_hz), ppm.size)
    t = sampling.time[:, None]
    lines = cis(2.0 * jnp.pi * hz * t) * jnp.exp(-jnp.pi * width * t)
    values, vectors = jnp.linalg.eigh(lines.conj().T @ lines)
    return lines @ vectors / jnp.sqrt(jnp.maximum(values, 0.0) + 1.0 / amplitude**2)


def changing(
    fids: Complex[Array, "t n"],
    sampling: Sampling,
    window: tuple[float, float],
    keep: Bool[Array, " t"],
    *,
    windows: tuple[tuple[float, float], ...] = WINDOWS,
) -> Float[Array, ""]:
    """How much the nuisance changes between transients: the robust standard deviation (1.4826 MAD) of its root energy over the median root energy of the metabolites in `window`.

    Energies in bands of ppm do not see drifts of frequency and phase, the median no single bad transient. White noise alone gives about 1 / (2 SNR sqrt(n)).
    """

    nuisance, metabolites = _size(fids, sampling, windows, keep), jnp.nanmedian(_size(fids, sampling, (window,), keep))
    spread = 1.4826 * jnp.nanmedian(jnp.abs(nuisance - jnp.nanmedian(nuisance)))
    return spread / jnp.maximum(metabolites, jnp.finfo(metabolites.dtype).tiny)


def water(
    fids: Complex[Array, "t n"], sampling: Sampling, window: tuple[float, float], keep: Bool[Array, " t"]
) -> Float[Array, ""]:
    """Median over transients of the water's root energy over that of the metabolites in `window`."""
    return jnp.nanmedian(_size(fids, sampling, WINDOWS[:1], keep) / _size(fids, sampling, (window,), keep))


def _size(fids, sampling: Sampling, windows, keep) -> Float[Array, " t"]:
    """Root energy of each transient in some windows of ppm."""
    energy = sum(jnp.sum(jnp.abs(jax.vmap(lambda s, w=w: band(s, sampling, w))(fids)) ** 2, -1) for w in windows)
    return jnp.where(keep, jnp.sqrt(energy), jnp.nan)


def shrink(
    target: Complex[Array, " n"], fids: Complex[Array, "t n"], averages: Float[Array, ""] | float
) -> Complex[Array, " n"]:
    """A noisy target times S / (S + N / averages), S and N the power of signal and noise over time: its late noise would pin each transient to the place it had before.

    S is the mean power of the transients over 33 points less N, the mean of their last eighth.
    """
    power = jnp.mean(jnp.abs(fids) ** 2, axis=0)
    noise = jnp.mean(power[-(power.size // 8) :])
    signal = jnp.maximum(jnp.convolve(jnp.pad(power, 16, mode="edge"), jnp.ones(33) / 33.0, mode="valid") - noise, 0.0)
    return target * signal / jnp.maximum(signal + noise / averages, jnp.finfo(power.dtype).tiny)


def register_beside(
    fid: Complex[Array, " n"],
    target: Complex[Array, " n"],
    sampling: Sampling,
    nuisance: Complex[Array, "n m"],
    *,
    limit_hz: float = 50.0,
    iterations: int = 6,
) -> Drift:
    """Offset of one FID from the target by the module's equation: `register` of what is left outside the nuisance, then scoring steps."""

    def rest(s):
        return s - nuisance @ (nuisance.conj().T @ s)

    first = register(rest(fid), rest(target), sampling, limit_hz=limit_hz)
    goal, slope = rest(target), target * (2j * jnp.pi * sampling.time)
    tiny = jnp.finfo(goal.real.dtype).tiny
    energy = jnp.maximum(jnp.real(jnp.vdot(target, goal)), tiny)
    cross = jnp.vdot(goal, slope)
    curve = jnp.maximum(jnp.real(jnp.vdot(slope, rest(slope))) - jnp.abs(cross) ** 2 / energy, tiny)

    def turned(frequency):
        back = correct(fid, sampling, frequency, jnp.zeros_like(frequency))
        return back, jnp.vdot(goal, back) / energy

    def step(_, frequency):
        back, a = turned(frequency)
        size = jnp.maximum(jnp.abs(a) ** 2, tiny)
        change = jnp.real(jnp.vdot(a * slope, rest(back - a * target))) / (size * curve)
        return frequency + jnp.clip(change, -2.0, 2.0)

    frequency = jax.lax.fori_loop(0, iterations, step, first.frequency)
    a = turned(frequency)[1]
    good = (jnp.abs(a) > 0) & (jnp.abs(frequency) <= limit_hz)
    return Drift(
        jnp.where(good, frequency, first.frequency),
        jnp.where(good, jnp.angle(jnp.where(jnp.abs(a) > 0, a, 1.0)), first.phase),
    )
