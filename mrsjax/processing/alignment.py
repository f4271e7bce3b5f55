"""Frequency and phase of each transient against a target: spectral registration, and the fit of a reference peak.

Spectral registration (Near et al. 2015) minimises over the frequency f, the phase phi and here also the scale a of a transient s against the target r

    sum_n w_n |r(t_n) - a s(t_n) exp(i (2 pi f t_n + phi))|^2 .

The scale and the phase are linear and drop out: f maximises |C(f)|, C(f) = sum_n w_n r(t_n) conj(s(t_n)) exp(-2 pi i f t_n), and phi = arg C(f). C is a Fourier
transform: its largest value on a fine grid is the global optimum, no starting value is needed, and Newton steps on |C|^2 give the rest of the digits. For
white noise and a noise-free target this is the maximum-likelihood estimate.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Complex, Float

from mrsjax.core import Sampling, cis, to_spectrum


class Drift(eqx.Module):
    """Frequency (Hz) and phase (rad) by which transients are off: removed by `correct`."""

    frequency: Float[Array, "*t"]
    phase: Float[Array, "*t"]


def correct(
    fid: Complex[Array, " n"], sampling: Sampling, frequency: Float[Array, ""], phase: Float[Array, ""]
) -> Complex[Array, " n"]:
    """A FID turned back by an offset: s(t) exp(-i (2 pi frequency t + phase))."""
    return fid * cis(-(2.0 * jnp.pi * frequency * sampling.time + phase)).astype(fid.dtype)


def wrapped(phase: Float[Array, "*t"]) -> Float[Array, "*t"]:
    """A phase within +- pi."""
    return phase - 2.0 * jnp.pi * jnp.round(phase / (2.0 * jnp.pi))


def check_window(sampling: Sampling, window: tuple[float, float]) -> None:
    """Raises `ValueError` for a window of ppm that is upside down or outside the spectrum (a sampling that is traced is not looked at)."""
    low, high = window
    if not low < high:
        raise ValueError(f"window: wanted (low, high) in ppm, found ({low:g}, {high:g})")
    if isinstance(sampling.dwell_time, Tracer):
        return
    half = 0.5e6 / float(sampling.dwell_time) / float(sampling.central_frequency)
    first, last = (float(sampling.ppm_ref) + x for x in (-half, half))
    if high <= first or low >= last:
        raise ValueError(
            f"window: wanted ppm of the spectrum, {first:.2f} to {last:.2f}, found ({low:g}, {high:g}) outside of it"
        )


def band(fid: Complex[Array, " n"], sampling: Sampling, window: tuple[float, float]) -> Complex[Array, " n"]:
    """The part of a FID inside a window of ppm, with edges of half a cosine over 0.1 ppm.

    The filter reaches before t = 0; zeros behind the FID catch that part, which would otherwise come round to its end and favour frequencies that are a whole number
    of periods away.

    **Raises:** `ValueError` of `check_window`.
    """
    check_window(sampling, window)
    low, high = window
    n = fid.shape[-1]
    ppm = sampling.to_ppm(jnp.fft.fftfreq(2 * n) / sampling.dwell_time)
    rise = jnp.clip((ppm - (low - 0.05)) / 0.1, 0.0, 1.0)
    fall = jnp.clip(((high + 0.05) - ppm) / 0.1, 0.0, 1.0)
    weight = 0.25 * (1 - jnp.cos(jnp.pi * rise)) * (1 - jnp.cos(jnp.pi * fall))
    return jnp.fft.ifft(jnp.fft.fft(fid, 2 * n) * weight)[:n].astype(fid.dtype)


def register(
    fid: Complex[Array, " n"],
    target: Complex[Array, " n"],
    sampling: Sampling,
    *,
    limit_hz: float = 50.0,
    weight: Float[Array, " n"] | None = None,
) -> Drift:
    """Offset of one FID from the target, within +- `limit_hz`.

    **Arguments:** `weight` (n,) >= 0 for the points of the FID, all 1 by default. A FID or a target without energy gives zero.

    **Raises:** `ValueError` for a limit beyond half the spectral width.
    """
    n = sampling.n_points
    if not isinstance(sampling.dwell_time, Tracer) and limit_hz > 0.5 / float(sampling.dwell_time):
        raise ValueError(
            f"limit_hz: wanted at most half the spectral width, {0.5 / float(sampling.dwell_time):g}, found {limit_hz:g}"
        )
    size = 4 * n
    grid = jnp.fft.fftfreq(size) / sampling.dwell_time
    product = jnp.conj(target) * fid if weight is None else jnp.conj(target) * fid * weight
    product = product / jnp.maximum(jnp.max(jnp.abs(product)), jnp.finfo(product.real.dtype).tiny)
    height = jnp.abs(jnp.fft.fft(product, size))
    start = grid[jnp.argmax(jnp.where(jnp.abs(grid) <= limit_hz, height, -1.0))]
    time = sampling.time
    # In units of the FID's length the three moments are of one size, in single precision too.
    x = time / (n * sampling.dwell_time)

    def newton(_, u):
        turned = product * cis(-2.0 * jnp.pi * u * x)
        c0, c1, c2 = (jnp.sum(turned * (-2j * jnp.pi * x) ** k) for k in range(3))
        slope = 2.0 * jnp.real(jnp.conj(c0) * c1)
        curve = 2.0 * (jnp.abs(c1) ** 2 + jnp.real(jnp.conj(c0) * c2))
        step = jnp.where(curve < 0, -slope / jnp.where(curve < 0, curve, -1.0), 0.0)
        return u + jnp.clip(step, -0.25, 0.25)

    scale = n * sampling.dwell_time
    u = jax.lax.fori_loop(0, 5, newton, start * scale)
    top = jnp.sum(product * cis(-2.0 * jnp.pi * u * x))
    something = jnp.abs(top) > 0
    safe = jnp.where(something, top, 1.0)
    return Drift(jnp.where(something, u / scale, 0.0), jnp.where(something, jnp.angle(safe), 0.0))


def register_robust(
    fid: Complex[Array, " n"],
    target: Complex[Array, " n"],
    sampling: Sampling,
    window: tuple[float, float],
    *,
    limit_hz: float = 50.0,
    iterations: int = 12,
) -> Drift:
    """Offset of one FID from the target by the points of the spectrum that fit, for water and lipid that differ between transients.

    Starts from `register` in the window, then re-weights (Huber's weights at 1.5 robust standard deviations) Gauss-Newton steps over the scale,
    frequency and phase in the frequency domain (the aim of Mikkelsen et al. 2020).
    """
    inside = (sampling.ppm >= window[0]) & (sampling.ppm <= window[1])
    first = register(band(fid, sampling, window), band(target, sampling, window), sampling, limit_hz=limit_hz)
    goal = to_spectrum(target)
    count = jnp.sum(inside)

    def step(turn, carry):
        frequency, alpha = carry
        moved = correct(fid, sampling, frequency, jnp.zeros_like(frequency))
        s = to_spectrum(moved)
        slope = to_spectrum(moved * (-2j * jnp.pi * sampling.time)) * alpha
        rest = goal - alpha * s
        size = jnp.abs(rest)
        sd = jnp.nanmedian(jnp.where(inside, size, jnp.nan)) / 1.1774
        huber = jnp.minimum(1.0, 1.5 * sd / jnp.maximum(size, 1e-30))
        bisquare = jnp.maximum(1.0 - (size / jnp.maximum(4.7 * sd, 1e-30)) ** 2, 0.0) ** 2
        w = jnp.where(inside, jnp.where(turn < iterations // 2, huber, bisquare), 0.0)
        # Unknowns: change of the complex scale, change of frequency (real).
        ss, sd_, dd = (
            jnp.sum(w * jnp.abs(s) ** 2),
            jnp.sum(w * jnp.conj(s) * slope),
            jnp.sum(w * jnp.abs(slope) ** 2),
        )
        sr, dr = jnp.sum(w * jnp.conj(s) * rest), jnp.sum(w * jnp.conj(slope) * rest)
        ss = jnp.maximum(ss, jnp.finfo(ss.dtype).tiny)
        # Eliminate the scale: (dd - |sd|^2 / ss) df = Re(dr - conj(sd) sr / ss).
        bottom = dd - jnp.abs(sd_) ** 2 / ss
        df = jnp.real(dr - jnp.conj(sd_) * sr / ss) / jnp.maximum(bottom, jnp.finfo(ss.dtype).tiny)
        df = jnp.clip(df, -2.0, 2.0)
        da = (sr - sd_ * df) / ss
        return frequency + df, alpha + da

    s0 = to_spectrum(correct(fid, sampling, first.frequency, jnp.zeros_like(first.frequency)))
    ss0 = jnp.sum(jnp.where(inside, jnp.abs(s0) ** 2, 0.0))
    alpha = jnp.sum(jnp.where(inside, jnp.conj(s0) * goal, 0.0)) / jnp.maximum(ss0, jnp.finfo(ss0.dtype).tiny)
    frequency, alpha = jax.lax.fori_loop(0, iterations, step, (first.frequency, alpha))
    good = (count > 0) & (ss0 > 0) & (jnp.abs(frequency - first.frequency) < limit_hz)
    return Drift(
        jnp.where(good, frequency, first.frequency),
        jnp.where(good & (jnp.abs(alpha) > 0), -jnp.angle(jnp.where(alpha == 0, 1.0, alpha)), first.phase),
    )


def mean_target(fids: Complex[Array, "t n"], keep: Bool[Array, " t"]) -> Complex[Array, " n"]:
    """Mean of the transients that are kept."""
    total = jnp.sum(jnp.where(keep[:, None], fids, 0.0), axis=0)
    return total / jnp.maximum(jnp.sum(keep), 1)


def median_target(fids: Complex[Array, "t n"], keep: Bool[Array, " t"]) -> Complex[Array, " n"]:
    """Median of the real and the imaginary parts of the transients that are kept."""
    shown = jnp.where(keep[:, None], fids, jnp.nan)
    middle = jnp.nanmedian(jnp.real(shown), axis=0) + 1j * jnp.nanmedian(jnp.imag(shown), axis=0)
    return jnp.where(jnp.any(keep), middle, 0.0).astype(fids.dtype)


def typical(fids: Complex[Array, "t n"], keep: Bool[Array, " t"]) -> Complex[Array, " n"]:
    """The transient whose magnitude FID is nearest to the median magnitude FID: phase and frequency drift do not disturb the choice."""
    size = jnp.abs(jnp.where(keep[:, None], fids, 0.0))
    middle = jnp.nanmedian(jnp.where(keep[:, None], size, jnp.nan), axis=0)
    distance = jnp.sum((size - jnp.nan_to_num(middle)) ** 2, axis=-1)
    return jnp.where(jnp.any(keep), fids[jnp.argmin(jnp.where(keep, distance, jnp.inf))], 0.0)
