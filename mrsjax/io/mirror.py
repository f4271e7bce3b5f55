"""Do the spectra run the wrong way? Brain metabolites lie at 1.8-4.2 ppm; their mirror image about water is empty."""

from __future__ import annotations

import warnings

import numpy as np

from mrsjax.core import BasisSet, FIDs
from mrsjax.io.errors import MirroredWarning

#: The metabolite window, ppm. Its mirror image about a reference of 4.65 is 5.1-7.5.
WINDOW = (1.8, 4.2)


def mirror_ratio(fids: FIDs | BasisSet) -> float:
    """Energy in 1.8-4.2 ppm over that in its mirror image about 0 Hz, all spectra summed.

    The flanks of a water line are broad and lie on both sides, metabolites are narrow: second differences of the
    complex spectrum along frequency keep the narrow part. `nan` where that part is below 2e-4 of the whole (a water
    reference: nothing to go by), without signal, for nuclei other than 1H, and when the window is not sampled.
    """
    sampling = fids.sampling
    if sampling.nucleus != "1H":
        return float("nan")
    data = np.asarray(fids.fids if isinstance(fids, BasisSet) else fids.spectra)
    data = data[np.all(np.isfinite(data), axis=-1)]
    top = float(np.abs(data).max()) if data.size else 0.0
    if top == 0.0:
        return float("nan")
    data = data / top
    dwell, f0 = float(sampling.dwell_time), float(sampling.central_frequency)
    n = data.shape[-1]
    decay = np.exp(-np.arange(n) * dwell * 10.0)  # 3 Hz of broadening: fewer noise points count
    spectrum = np.fft.fftshift(np.fft.fft(data * decay, axis=-1), axes=-1)
    frequency = np.fft.fftshift(np.fft.fftfreq(n, dwell))[1:-1]
    narrow = np.sum(np.abs(np.diff(spectrum, 2, axis=-1)) ** 2, axis=0)
    low, high = ((p - float(sampling.ppm_ref)) * 1e-6 * f0 for p in WINDOW)
    here, there = (frequency > low) & (frequency < high), (frequency < -low) & (frequency > -high)
    if here.sum() < 8 or there.sum() < 8:
        return float("nan")
    energy, mirror = float(narrow[here].sum()), float(narrow[there].sum())
    if energy + mirror <= 2e-4 * float(narrow.sum()):
        return float("nan")
    return energy / mirror if mirror > 0 else float("inf")


def mirrored(fids: FIDs | BasisSet) -> bool:
    """Whether the spectra look mirrored: the mirror image of 1.8-4.2 ppm holds at least 1.5 times its energy."""
    return mirror_ratio(fids) < 1 / 1.5


def warn_if_mirrored(fids: FIDs | BasisSet, path: object) -> None:
    """A `MirroredWarning` that names the fix."""
    ratio = mirror_ratio(fids)
    if ratio < 1 / 1.5:
        warnings.warn(
            f"{path}: the spectra look mirrored: 1.8-4.2 ppm holds {ratio:.2g} times the energy of "
            "its mirror image 5.1-7.5 ppm; read again with conjugate=True (command line: --conjugate) if that is so",
            MirroredWarning,
            stacklevel=3,
        )
