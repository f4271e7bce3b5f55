"""A small spectrum with known lines, transients and coils."""

import numpy as np

from mrsjax.core import Sampling

SAMPLING = Sampling(5e-4, 123.25e6, 512)
T = np.asarray(SAMPLING.time)


def line(ppm, amplitude=1.0, fwhm=5.0, phase=0.0):
    return amplitude * np.exp(1j * phase + 2j * np.pi * float(SAMPLING.to_hz(ppm)) * T - np.pi * fwhm * T)


METABOLITES = line(2.008, 12) + line(3.027, 8) + line(3.2, 6) + line(3.9, 5) + line(2.35, 4, 9)
WATER = line(4.65, 1500, 6, 0.3) + line(4.71, 300, 9, 0.6) + line(4.6, 150, 5, -0.4)


def noise(rng, sd, *shape):
    """Complex noise, sd for each of the two parts."""
    return sd * (rng.normal(size=(*shape, T.size)) + 1j * rng.normal(size=(*shape, T.size)))


def moved(fid, hz, phase):
    return fid * np.exp(1j * (2 * np.pi * np.asarray(hz)[..., None] * T + np.asarray(phase)[..., None]))
