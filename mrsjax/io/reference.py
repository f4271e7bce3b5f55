"""Which chemical shift is at 0 Hz of a basis set, where the file does not say."""

from __future__ import annotations

import numpy as np

from mrsjax.core import BasisSet
from mrsjax.core.metabolites import canonical

#: Strong singlets, ppm (Govindaraju et al. 2000).
SINGLETS = {"NAA": 2.008, "Cr": 3.027, "PCr": 3.029}


def peak(fid: np.ndarray, basis: BasisSet, near: float, within: float = 0.1) -> float:
    """Shift (ppm) of the largest peak of |spectrum| near `near`, on a grid of at most 0.002 ppm.

    `nan` where nothing within `within` ppm reaches half of the highest peak anywhere.
    """
    dwell, f0 = float(basis.sampling.dwell_time), float(basis.sampling.central_frequency)
    n = max(4 * fid.size, min(1 << 20, int(1.0 / (dwell * f0 * 2e-9))))
    ppm = float(basis.sampling.ppm_ref) + 1e6 * np.fft.fftfreq(n, dwell) / f0
    window = np.abs(ppm - near) < within
    height = np.abs(np.fft.fft(fid, n))
    if not window.any() or height[window].max() < 0.5 * height.max():
        return float("nan")
    return float(ppm[window][np.argmax(height[window])])


def basis_reference(basis: BasisSet) -> float:
    """Shift at 0 Hz (ppm) that puts the NAA and creatine singlets where they belong.

    Basis files do not state it and tools differ: 4.65 in most, 4.68 in FID-A and Osprey, which is 4 Hz at 3 T. The
    present reference is kept when it is within 0.015 ppm, when the singlets are absent, or when they disagree by more
    than 0.01 ppm.
    """
    present = float(basis.sampling.ppm_ref)
    if basis.sampling.nucleus != "1H":
        return present
    offsets = [
        peak(np.asarray(basis.fids[i]), basis, SINGLETS[canonical(name)]) - SINGLETS[canonical(name)]
        for i, name in enumerate(basis.names)
        if canonical(name) in SINGLETS
    ]
    if len(offsets) < 2 or not np.all(np.isfinite(offsets)) or np.ptp(offsets) > 0.01:
        return present
    offset = float(np.mean(offsets))
    return present if abs(offset) < 0.015 else round(present - offset, 2)
