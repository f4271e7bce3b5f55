"""Parametric macromolecules and lipids: Gaussian lines at published shifts.

Shifts: the consensus list of Cudalbu et al. 2021 (table 1; the strong ones and those seen at 3 T). Areas relative to M0.94 and widths: fitted by us to the
metabolite-nulled human STEAM spectrum at 3 T, TE 8 ms (D. Deelchand) of the consensus' data collection (mrshub/mm-consensus-data-collection), rounded.
Lipids: Provencher's LCModel manual (2021), section 11.7: 0.89, 1.28, 2.04 ppm.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.basis import BasisSet
from mrsjax.core.fourier import to_spectrum
from mrsjax.core.metabolites import SUMS, canonical
from mrsjax.core.sampling import Sampling
from mrsjax.physics.lineshape import GAUSS_RATE


class Peak(NamedTuple):
    """A Gaussian line: name, shift (ppm), FWHM (ppm), area relative to M0.94."""

    name: str
    ppm: float
    fwhm: float
    area: float


MACROMOLECULES = (
    Peak("MM094", 0.92, 0.15, 1.0),
    Peak("MM122", 1.22, 0.14, 0.45),
    Peak("MM143", 1.42, 0.15, 0.8),
    Peak("MM170", 1.67, 0.16, 0.9),
    Peak("MM190", 1.88, 0.15, 0.5),
    Peak("MM205", 2.05, 0.15, 1.0),
    Peak("MM227", 2.27, 0.16, 0.9),
    Peak("MM257", 2.56, 0.15, 0.4),
    Peak("MM274", 2.74, 0.14, 0.25),
    Peak("MM301", 3.01, 0.14, 0.6),
    Peak("MM321", 3.22, 0.14, 0.35),
    Peak("MM360", 3.60, 0.14, 0.35),
    Peak("MM375", 3.75, 0.13, 0.4),
    Peak("MM387", 3.88, 0.13, 0.35),
    Peak("MM397", 3.98, 0.13, 0.3),
)

LIPIDS = (Peak("Lip09", 0.89, 0.14, 1.0), Peak("Lip13", 1.28, 0.15, 1.0), Peak("Lip20", 2.04, 0.15, 1.0))

#: Singlets that tell where a basis has its ppm scale (Govindaraju et al. 2000).
LANDMARKS = {"NAA": 2.008, "Cr": 3.027, "PCr": 3.029}


def peak_fids(peaks: tuple[Peak, ...], sampling: Sampling, offset_ppm: float = 0.0) -> Complex[Array, "p n"]:
    """FIDs of Gaussian lines, area = first point."""
    shift = np.asarray(sampling.to_hz(np.array([p.ppm for p in peaks]) + offset_ppm), float)
    q = squared_widths(peaks, sampling)
    area = np.array([p.area for p in peaks])
    t = np.arange(sampling.n_points) * float(sampling.dwell_time)
    return jnp.asarray(area[:, None] * np.exp(2j * np.pi * shift[:, None] * t - GAUSS_RATE * q[:, None] * t**2))


def squared_widths(peaks: tuple[Peak, ...], sampling: Sampling) -> Float[np.ndarray, " p"]:
    """Squared FWHM, Hz^2."""
    return np.array([(p.fwhm * 1e-6 * float(sampling.central_frequency)) ** 2 for p in peaks])


def basis_offset(basis: BasisSet) -> float:
    """How far (ppm) the singlets of a basis are from their published shifts; 0 when it has none of them or they are not found within 0.1 ppm."""
    ppm = np.asarray(basis.sampling.ppm)
    for name, fid in zip(basis.names, np.asarray(basis.fids), strict=True):
        wanted = LANDMARKS.get(SUMS.get(canonical(name), (canonical(name),))[0])
        if wanted is None:
            continue
        near = np.flatnonzero(np.abs(ppm - wanted) < 0.12)
        if len(near) < 3:
            continue
        size = np.abs(to_spectrum(fid))[near]
        top = int(np.argmax(size))
        if 0 < top < len(near) - 1:
            a, b, c = size[top - 1 : top + 2]
            step = 0.5 * (a - c) / (a - 2 * b + c) * (ppm[1] - ppm[0])  # parabola through the top
            return float(ppm[near[top]] + step - wanted)
    return 0.0
