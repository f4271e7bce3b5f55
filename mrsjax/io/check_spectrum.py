"""Checks of what a spectrum shows: mirror image, water, the main peaks, a place for the noise."""

from __future__ import annotations

import numpy as np

from mrsjax.core import FIDs
from mrsjax.io.findings import Finding, Level
from mrsjax.io.mirror import WINDOW, mirror_ratio

#: The three singlets of every healthy brain spectrum: NAA, creatine, choline, ppm.
_SINGLETS = (2.008, 3.027, 3.21)


def _narrow(fids: FIDs, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift (ppm, ascending) and the narrow part of the spectrum: magnitudes of second differences, all spectra
    together.
    """
    s = fids.sampling
    n, dwell = data.shape[-1], float(s.dwell_time)
    smooth = data * np.exp(-10.0 * np.arange(n) * dwell)
    size = 2 * n
    spectrum = np.fft.fftshift(np.fft.fft(smooth, size, axis=-1), axes=-1)
    narrow = np.sqrt(np.sum(np.abs(np.diff(spectrum, 2, axis=-1)) ** 2, axis=0))
    return float(s.ppm_ref) + 1e6 * np.fft.fftshift(np.fft.fftfreq(size, dwell))[1:-1] / float(
        s.central_frequency
    ), narrow


def main_peak_offset(fids: FIDs, within: float = 0.5) -> float:
    """How far (ppm) the singlets of NAA, creatine and choline lie from 2.008, 3.027 and 3.21; `nan` where they are
    not seen.
    """
    data = np.asarray(fids.spectra)
    data = data[np.all(np.isfinite(data), axis=-1)]
    if fids.sampling.nucleus != "1H" or not np.any(data):
        return float("nan")
    ppm, narrow = _narrow(fids, data)
    step = ppm[1] - ppm[0]
    reach = max(1, round(0.02 / step))
    high = np.array([narrow[max(0, i - reach) : i + reach + 1].max() for i in range(narrow.size)])
    offsets = np.arange(-within, within, step)
    at = [np.clip(np.searchsorted(ppm, p + offsets), 0, ppm.size - 1) for p in _SINGLETS]
    best = int(np.argmax(sum(np.log(high[i] + 1e-300) for i in at)))
    inside = narrow[(ppm > 0.0) & (ppm < 4.4)]
    if inside.size < 16 or min(high[i[best]] for i in at) < 4 * np.median(inside):
        return float("nan")
    near = np.abs(ppm - _SINGLETS[0] - offsets[best]) < 0.04
    return float(ppm[near][np.argmax(narrow[near])] - _SINGLETS[0])


def averaged(fids: FIDs) -> FIDs:
    """The mean over transients, which are alike enough for a look at the spectrum; broken ones left out."""
    if "DIM_DYN" not in fids.dims:
        return fids
    axis = fids.dims.index("DIM_DYN")
    data = np.asarray(fids.data)
    good = np.isfinite(data).all(axis=-1, keepdims=True)
    mean = np.sum(np.where(good, data, 0.0), axis=axis) / np.maximum(np.sum(good, axis=axis), 1)
    return FIDs(mean, fids.sampling, fids.dims[:axis] + fids.dims[axis + 1 :], fids.acquisition)


def check_shift(fids: FIDs) -> Finding:
    """Where the main peaks are."""
    offset = main_peak_offset(fids)
    if np.isnan(offset):
        return Finding(
            Level.WARNING,
            "shift",
            "NAA, creatine and choline are not seen near 2.01, 3.03 and 3.21 ppm",
            "check the sampling, unless these are no usual brain spectra",
        )
    if abs(offset) > 0.1:
        new = float(fids.sampling.ppm_ref) - offset
        message = f"NAA, creatine and choline lie {offset:+.2f} ppm off"
        return Finding(Level.WARNING, "shift", message, f"read with ppm_ref={new:.2f}")
    return Finding(Level.OK, "shift", f"NAA is at {2.008 + offset:.2f} ppm")


def check_spectrum(fids: FIDs) -> list[Finding]:
    """Mirror image, water, shift of the main peaks, noise."""
    data = np.asarray(fids.spectra)
    data = data[np.all(np.isfinite(data), axis=-1)]
    out = []
    ratio = mirror_ratio(fids)
    if ratio < 1 / 1.5:
        text = f"mirrored: {WINDOW[0]}-{WINDOW[1]} ppm holds {ratio:.2g} times the energy of its mirror image"
        return [Finding(Level.ERROR, "mirror", text, "read with conjugate=True (--conjugate)")]
    s = fids.sampling
    ppm, narrow = _narrow(fids, data)
    water = narrow[np.abs(ppm - 4.65) < 0.3].max(initial=0.0)
    metabolites = narrow[(ppm > WINDOW[0]) & (ppm < WINDOW[1])].max(initial=0.0)
    if water > 300 * metabolites:
        return [
            Finding(
                Level.WARNING,
                "water",
                "nothing but water is seen: this looks like a water reference",
                "give it as --water, and the metabolite file as DATA",
            )
        ]
    out.append(
        Finding(Level.OK, "mirror", "not mirrored" if ratio > 1.5 else "undecided: too little signal in 1.8-4.2 ppm")
    )
    out.append(check_shift(fids))
    if water > 20 * metabolites:
        out.append(
            Finding(
                Level.NOTE,
                "water",
                "residual water is much larger than the metabolites",
                "`mrsjax process remove-water` takes it away",
            )
        )
    half = 0.5e6 / float(s.dwell_time) / float(s.central_frequency)
    low, high = float(s.ppm_ref) - half, float(s.ppm_ref) + half
    if low < -1.5 or high > 10.5:
        where = f"{max(low, -4.0):.1f} to -1.0 ppm" if low < -1.5 else f"9.5 to {min(high, 12.0):.1f} ppm"
        out.append(Finding(Level.OK, "noise", f"the noise can be measured at {where}"))
    else:
        out.append(
            Finding(
                Level.NOTE,
                "noise",
                f"the spectrum ({low:.1f} to {high:.1f} ppm) has no signal-free part",
                "noise is taken from the residual",
            )
        )
    return out
