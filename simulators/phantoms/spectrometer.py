"""A bench-top NMR spectrometer with a water tube and imperfect shims, for studies of automatic shimming."""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float

from mrsjax.core.sampling import Sampling
from mrsjax.physics.solid_harmonics import harmonic_names, solid_harmonics

#: Inner radius and length seen by the coil, mm.
RADIUS, LENGTH = 2.1, 10.0


def tube(
    radii: int = 4, angles: int = 10, slices: int = 14, *, radius: float = RADIUS, length: float = LENGTH
) -> tuple[Float[np.ndarray, "r 3"], Float[np.ndarray, " r"]]:
    """Points (mm) and weights (sum 1) of a cylinder along z: Gauss-Legendre in radius squared and z, uniform in angle."""
    x, wx = np.polynomial.legendre.leggauss(radii)
    z, wz = np.polynomial.legendre.leggauss(slices)
    r = radius * np.sqrt((x + 1) / 2)
    a = 2 * np.pi * (np.arange(angles) + 0.25) / angles
    r, a, zz = np.meshgrid(r, a, z * length / 2, indexing="ij")
    weight = np.einsum("i,j,k->ijk", wx / 2, np.full(angles, 1 / angles), wz / 2)
    return np.stack([r * np.cos(a), r * np.sin(a), zz], axis=-1).reshape(-1, 3), weight.ravel()


def box(size: tuple[float, float, float], points: int = 8) -> tuple[Float[np.ndarray, "r 3"], Float[np.ndarray, " r"]]:
    """Points (mm) and weights (sum 1) of a cuboid about the origin: Gauss-Legendre along each axis."""
    x, w = np.polynomial.legendre.leggauss(points)
    place = np.stack(np.meshgrid(*(x * s / 2 for s in size), indexing="ij"), axis=-1)
    return place.reshape(-1, 3), np.einsum("i,j,k->ijk", w / 2, w / 2, w / 2).ravel()


def channels(names: tuple[str, ...], place: np.ndarray, weight: np.ndarray) -> Float[np.ndarray, "r k"]:
    """Fields of harmonics over the tube, mean 0 and root mean square 1 Hz for one unit."""
    columns = np.asarray(solid_harmonics(place, 3))[:, [harmonic_names(3).index(n) for n in names]]
    columns = columns - weight @ columns
    return columns / np.sqrt(weight @ columns**2)


class Spectrometer:
    """Acquires one water line at shim settings of X, Y, Z, Z2 and counts the acquisitions.

    **Arguments:**

    - `distortion` (4,): currents of the unknown field, Hz root mean square over the tube.
    - `other`: root mean square (Hz) of further second- and third-order fields that no channel reaches; `crosstalk`: relative error of gains and of leakage
      between channels; `lorentz`: FWHM (Hz) at a perfect shim; `snr`: height of the undistorted line over the noise of a spectrum divided by 7.5, the
      loss of height from 0.5 to about 4 Hz: the signal-to-noise ratio of a distorted spectrum; `drift`: standard deviation (Hz) of the frequency.
    """

    names = ("X", "Y", "Z", "Z2")

    def __init__(
        self, distortion: np.ndarray, *, sampling: Sampling, seed: int, other: float = 0.05, crosstalk: float = 0.05, lorentz: float = 0.5,
        snr: float = 30.0, drift: float = 0.5,
    ):  # fmt: skip
        self.rng = np.random.default_rng(seed)
        place, self.weight = tube(6, 14, 20)  # finer than what a method assumes
        self.maps = channels(self.names, place, self.weight)
        rest = channels(("ZX", "ZY", "X2-Y2", "XY", "Z3"), place, self.weight)
        self.fixed = other / np.sqrt(5) * rest @ self.rng.normal(size=5)
        self.mixing = np.eye(4) + crosstalk * self.rng.normal(size=(4, 4))
        self.distortion, self.lorentz, self.drift = np.asarray(distortion, float), lorentz, drift
        self.time = np.asarray(sampling.time)
        undistorted = np.exp(-np.pi * lorentz * self.time).sum() / np.sqrt(len(self.time))
        self.noise_sd = undistorted / 7.5 / snr
        self.acquisitions = 0

    def clean(self, setting: Float[np.ndarray, " k"]) -> Complex[np.ndarray, " n"]:
        """The FID without noise, phase and drift."""
        field = self.maps @ (self.distortion + self.mixing @ np.asarray(setting)) + self.fixed
        return np.exp(2j * np.pi * np.outer(self.time, field)) @ self.weight * np.exp(-np.pi * self.lorentz * self.time)

    def acquire(self, setting: Float[np.ndarray, " k"]) -> Complex[np.ndarray, " n"]:
        """A noisy FID, amplitude 1, with an unknown phase and frequency."""
        self.acquisitions += 1
        turn = 2 * np.pi * (self.rng.uniform() + self.drift * self.rng.normal() * self.time)
        noise = self.rng.normal(size=(2, len(self.time))) * self.noise_sd
        return self.clean(setting) * np.exp(1j * turn) + noise[0] + 1j * noise[1]
