"""Quality of a spectrum and of its fit: signal-to-noise ratios, line widths, fit quality, each under the name of its
definition.

Definitions after Kreis 2021 and Near 2021. A spectrum here is complex, phased, not apodised and in the scaling of
`core.fourier`; sigma is the standard deviation of the real part of its noise. Functions take one spectrum; vmap for
more.

- `snr_spec` = max Re(peak) / sigma, `snr_2sd` = max Re(peak) / (2 sigma), the maximum being that of the interpolated
  spectrum;
- `snr_lcm` = max Re(fit - baseline) / (2 RMS of the residual), over the fit window (Provencher's definition);
- `snr_matched` = sqrt(sum_k |component_k|^2) / sigma: amplitude over the noise of a matched filter (North 1963);
- `fwhm`: full width at half maximum of a named resonance, in Hz; `fqn` = var(residual) / var(noise), 1 is ideal.
"""

from __future__ import annotations

import dataclasses
import enum

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from mrsjax.core import Sampling

#: Where the singlet of a named resonance lies, ppm.
RESONANCES = {"tNAA": (1.9, 2.12), "tCr": (2.93, 3.13), "tCho": (3.13, 3.3)}

#: Noise windows in the order of preference, ppm: free of brain signals on the low side, then on the high side.
NOISE_WINDOWS = ((-2.0, 0.0), (-1.5, -0.2), (8.8, 10.5), (-4.0, -1.0), (10.0, 12.0))


class Band(enum.Enum):
    """How a line width in ppm is judged (Oz 2020, Kreis 2021)."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


def linewidth_band(fwhm_ppm: float) -> Band:
    """Below 0.1 ppm good, up to 0.15 ppm fair, wider (or not measurable) poor."""
    return Band.GOOD if fwhm_ppm < 0.1 else Band.FAIR if fwhm_ppm <= 0.15 else Band.POOR


@dataclasses.dataclass(frozen=True)
class NoiseWindow:
    """Where noise was measured: bounds in ppm, and in words why not in the preferred window (empty when it was)."""

    low: float
    high: float
    reason: str = ""

    @property
    def fallback(self) -> bool:
        """Whether it is another window than the preferred one."""
        return bool(self.reason)


_NARROW = "the spectral width does not reach -2 to 0 ppm"


def noise_window(sampling: Sampling) -> NoiseWindow:
    """The first window of `NOISE_WINDOWS` that lies within the spectral width; otherwise the outer tenth farthest from
    2.5 ppm.
    """
    ppm = np.asarray(sampling.ppm)
    for i, (low, high) in enumerate(NOISE_WINDOWS):
        # A margin of 2 % of the spectral width: analogue and digital filters shape the very edge.
        margin = 0.02 * (ppm[-1] - ppm[0])
        if low >= ppm[0] + margin and high <= ppm[-1] - margin and np.sum((ppm >= low) & (ppm <= high)) >= 32:
            return NoiseWindow(low, high, _NARROW if i else "")
    width = ppm[-1] - ppm[0]
    low_end, high_end = ppm[0] + 0.02 * width, ppm[-1] - 0.02 * width
    if 2.5 - low_end > high_end - 2.5:
        return NoiseWindow(float(low_end), float(low_end + 0.1 * width), _NARROW)
    return NoiseWindow(float(high_end - 0.1 * width), float(high_end), _NARROW)


def noise_sd(spectrum: Complex[Array, " n"], inside: Bool[Array | np.ndarray, " n"]) -> Float[Array, ""]:
    """Standard deviation of the real part inside a window after removal of a parabola (detrending), with its degrees of
    freedom.
    """
    weight = jnp.asarray(inside, dtype=spectrum.real.dtype)
    count = jnp.sum(weight)
    index = jnp.cumsum(weight) - 0.5 * (count + 1.0)
    u = 2.0 * index / jnp.maximum(count, 1.0)
    # Three functions that are orthogonal on the window: each removes its own projection.
    rest = jnp.real(spectrum) * weight
    basis = []
    for degree in range(3):
        p = weight * u**degree
        for q in basis:
            p = p - jnp.sum(p * q) * q
        p = p / jnp.sqrt(jnp.sum(p**2))
        basis.append(p)
        rest = rest - jnp.sum(rest * p) * p
    return jnp.sqrt(jnp.sum(rest**2) / (count - 3.0))


_FINER = 16


def _interpolated(curve: Complex[Array, " k"]) -> Float[Array, " f"]:
    """Real part of a curve on a sixteenfold grid, by zero filling of its transform.

    The real part of a causal signal is undersampled on the natural grid: heights would depend on where a line falls
    between points. The transform's last eighth is kept as negative times, where the cut of the window has put part of
    the signal's start.
    """
    k = curve.shape[0]
    transform = jnp.fft.ifft(curve)
    late = k // 8
    padded = jnp.zeros(_FINER * k, dtype=transform.dtype)
    padded = padded.at[: k - late].set(transform[: k - late]).at[_FINER * k - late :].set(transform[k - late :])
    return jnp.real(jnp.fft.fft(padded))


def peak_height(spectrum: Complex[Array, " k"], inside: Bool[Array | np.ndarray, " k"]) -> Float[Array, ""]:
    """Largest real part inside a window, between the points too; NaN for an empty window."""
    inside = jnp.asarray(inside)
    top = jnp.max(jnp.where(jnp.repeat(inside, _FINER), _interpolated(spectrum), -jnp.inf))
    return jnp.where(jnp.any(inside), top, jnp.nan)


def snr_spec(spectrum, peak: Bool[Array | np.ndarray, " k"], sigma: Float[Array, ""]) -> Float[Array, ""]:
    """max Re(peak) / sigma."""
    return peak_height(spectrum, peak) / sigma


def snr_2sd(spectrum, peak: Bool[Array | np.ndarray, " k"], sigma: Float[Array, ""]) -> Float[Array, ""]:
    """max Re(peak) / (2 sigma)."""
    return peak_height(spectrum, peak) / (2.0 * sigma)


def snr_lcm(
    fit: Complex[Array, " k"], baseline: Complex[Array, " k"], residual: Complex[Array, " k"]
) -> Float[Array, ""]:
    """max Re(fit - baseline) / (2 RMS Re(residual)) over the window."""
    return jnp.max(jnp.real(fit - baseline)) / (2.0 * jnp.sqrt(jnp.mean(jnp.real(residual) ** 2)))


def snr_matched(component: Complex[Array, " k"], sigma: Float[Array, ""]) -> Float[Array, ""]:
    """sqrt(sum |component|^2) / sigma: the amplitude of a known line over its standard deviation, noise being the only
    unknown.
    """
    return jnp.sqrt(jnp.sum(jnp.abs(component) ** 2)) / sigma


def fqn(residual: Complex[Array, " k"], sigma: Float[Array, ""]) -> Float[Array, ""]:
    """var(Re residual) / sigma^2: 1 for a residual that is noise (Near 2021)."""
    return jnp.var(jnp.real(residual)) / sigma**2


def fwhm(
    line: Complex[Array, " k"], spacing: Float[Array, ""], inside: Bool[Array | np.ndarray, " k"]
) -> Float[Array, ""]:
    """Full width at half maximum of Re(line) around its largest point inside a window, in the unit of `spacing`.

    The half-height crossings on both sides of the maximum of the sixteenfold interpolated curve are located linearly.
    NaN when a side never falls to one half; a doublet whose gap is shallower counts as one line.

    **Arguments:** `line` complex, one component or a baseline-free spectrum on a regular grid; `spacing` of that grid
    (Hz).
    """
    n_fine = _FINER * line.shape[0]
    curve = _interpolated(line)
    fine = jnp.arange(n_fine)
    allowed = jnp.repeat(jnp.asarray(inside), _FINER)
    top = jnp.argmax(jnp.where(allowed, curve, -jnp.inf))
    half = 0.5 * curve[top]
    below = curve < half
    left = jnp.max(jnp.where(below & (fine < top), fine, -1))
    right = jnp.min(jnp.where(below & (fine > top), fine, n_fine))
    inside_grid = (left >= 0) & (right < n_fine) & (half > 0)
    i, j = jnp.clip(left, 0, n_fine - 2), jnp.clip(right, 1, n_fine - 1)
    start = i + (half - curve[i]) / (curve[i + 1] - curve[i])
    end = j - (half - curve[j]) / (curve[j - 1] - curve[j])
    return jnp.where(inside_grid, (end - start) * spacing / _FINER, jnp.nan)


def local_noise_sd(residual: Complex[Array, " k"]) -> Float[Array, ""]:
    """Standard deviation of white noise from second differences, 1.4826 MAD(r_{k-1} - 2 r_k + r_{k+1}) / sqrt(6).

    Smooth structure of the residual cancels, the median ignores sharp structure (von Neumann 1941).
    """
    r = jnp.real(residual)
    difference = r[2:] - 2.0 * r[1:-1] + r[:-2]
    return 1.4826 * jnp.median(jnp.abs(difference - jnp.median(difference))) / jnp.sqrt(6.0)


@dataclasses.dataclass(frozen=True)
class Quality:
    """Quality of `s` spectra. `peak` and `window` say what the numbers refer to."""

    peak: str
    window: NoiseWindow
    snr_spec: Float[np.ndarray, " s"]
    snr_2sd: Float[np.ndarray, " s"]
    snr_lcm: Float[np.ndarray, " s"]
    snr_matched: Float[np.ndarray, " s"]
    fwhm_hz: Float[np.ndarray, " s"]
    fwhm_ppm: Float[np.ndarray, " s"]
    fqn: Float[np.ndarray, " s"]
    noise_sd: Float[np.ndarray, " s"]


#: The power of sigma that each number falls with.
_POWERS = {"snr_spec": 1, "snr_2sd": 1, "snr_lcm": 0, "snr_matched": 1, "fwhm_hz": 0, "fqn": 2}


@jax.jit
def _measured(spectra, inside, bounds, ppm, spacing, fit, baseline, residual, component):
    """Both estimates of the noise, and what would be measured if sigma were 1."""

    unit = jnp.ones(())

    def one(spectrum, bounds, fit, baseline, residual, component):
        peak = (ppm >= bounds[0]) & (ppm <= bounds[1])
        clean = fit + residual - baseline
        return {
            "sigma": noise_sd(spectrum, inside),
            "local": local_noise_sd(residual),
            "snr_spec": snr_spec(clean, peak, unit),
            "snr_2sd": snr_2sd(clean, peak, unit),
            "snr_lcm": snr_lcm(fit, baseline, residual),
            "snr_matched": snr_matched(component, unit),
            "fwhm_hz": fwhm(component, spacing, peak),
            "fqn": fqn(residual, unit),
        }

    return jax.vmap(one)(spectra, bounds, fit, baseline, residual, component)


def assess(
    spectra: Complex[np.ndarray, "s n"],
    sampling: Sampling,
    curves: dict[str, np.ndarray],
    peak: str = "tNAA",
    *,
    shift_ppm: Float[np.ndarray, " s"] | float = 0.0,
) -> Quality:
    """Quality of a stack of fitted spectra.

    **Arguments:**

    - `spectra`: full spectra `(s, n)` as measured (core.fourier), for the noise window; their phase is of no importance
      there. Where water removal or a band-pass filter has emptied that window (less than a fifth of the noise of the
      fit's residual), the noise is that of the residual by second differences, and `Quality.window` says so.
    - `curves`: stacked curves of the fits: `ppm (k,)`; `fit`, `baseline`, `residual`, `component` `(s, k)`. `component`
      is the fitted signal of the named resonance's metabolites: the width is that of its singlet.
    - `shift_ppm`: by how much each spectrum is shifted; the window of the peak follows.
    - `peak`: a name of `RESONANCES`; the height is that of the data without the fitted baseline.

    **Raises:** `ValueError` for an unknown peak.
    """
    part = measured(spectra, sampling, curves, peak, shift_ppm=shift_ppm)
    return judged([part], sampling, np.asarray(curves["ppm"]), peak)


def measured(
    spectra: Complex[np.ndarray, "s n"],
    sampling: Sampling,
    curves: dict[str, np.ndarray],
    peak: str,
    *,
    shift_ppm: Float[np.ndarray, " s"] | float = 0.0,
) -> dict[str, np.ndarray]:
    """What `judged` needs of a part of the spectra; arguments as of `assess`."""
    if peak not in RESONANCES:
        raise ValueError(f"peak: wanted one of {', '.join(RESONANCES)}, found {peak}")
    window = noise_window(sampling)
    full_ppm = np.asarray(sampling.ppm)
    noise = (full_ppm >= window.low) & (full_ppm <= window.high)
    ppm = np.asarray(curves["ppm"])
    spacing = abs(float(ppm[1] - ppm[0])) * 1e-6 * float(sampling.central_frequency)
    rising = slice(None) if ppm[1] > ppm[0] else slice(None, None, -1)
    rows = [np.asarray(curves[k])[:, rising] for k in ("fit", "baseline", "residual", "component")]
    bounds = np.array(RESONANCES[peak]) + np.broadcast_to(np.nan_to_num(shift_ppm), (len(spectra),))[:, None]
    return {k: np.asarray(v) for k, v in _measured(spectra, noise, bounds, ppm[rising], spacing, *rows).items()}


def judged(parts: list[dict[str, np.ndarray]], sampling: Sampling, ppm: Float[np.ndarray, " k"], peak: str) -> Quality:
    """The quality of spectra that were measured in parts: all of them together tell whether the noise window was emptied."""
    values = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
    sigma, local = values.pop("sigma"), values.pop("local")
    window = noise_window(sampling)
    known = np.isfinite(sigma) & np.isfinite(local) & (local > 0)
    if known.any() and np.median(sigma[known] / local[known]) < 0.2:
        reason = (
            f"{window.low:.1f} to {window.high:.1f} ppm has been emptied by a filter; second differences of the"
            " residual"
        )
        sigma, window = local, NoiseWindow(float(ppm.min()), float(ppm.max()), reason)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {k: v / sigma ** _POWERS[k] for k, v in values.items()}
    fwhm_ppm = 1e6 * values["fwhm_hz"] / float(sampling.central_frequency)
    return Quality(peak=peak, window=window, fwhm_ppm=fwhm_ppm, noise_sd=sigma, **values)
