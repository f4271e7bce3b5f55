"""Putting data on the conventions that a file format leaves unsaid, before writing."""

from __future__ import annotations

import numpy as np

from mrsjax.core import BasisSet, FIDs
from mrsjax.core.constants import PPM_REF_WATER
from mrsjax.io.hints import exact


def referenced(data: FIDs | BasisSet, ppm_ref: float = PPM_REF_WATER) -> np.ndarray:
    """FIDs `(s, n)` complex128, moved in frequency so that 0 Hz is at `ppm_ref`: LCModel, FSL-MRS and jMRUI files
    cannot state another.

    Nuclei other than 1H are left as they are.
    """
    sampling = data.sampling
    fids = np.asarray(data.fids if isinstance(data, BasisSet) else data.spectra).astype(np.complex128)
    offset = exact(sampling.ppm_ref) - ppm_ref
    if sampling.nucleus != "1H" or abs(offset) < 1e-9:
        return fids
    time = np.arange(sampling.n_points) * exact(sampling.dwell_time)
    return fids * np.exp(2j * np.pi * offset * 1e-6 * exact(sampling.central_frequency) * time)
