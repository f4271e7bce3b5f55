"""Derivatives of the steps against finite differences, and the noise that they are judged by."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.processing import BandHLSVD, coils, eddy, phasing, remove_peaks
from mrsjax.processing.noise import noise_power

from .signals import METABOLITES, SAMPLING, T, line

COILS = np.array([1.0, 0.6j, -0.8])
WATER_LINE = line(4.65, 400, 6)
BAND = BandHLSVD(SAMPLING, components=3)
MIXED = np.stack([line(2.0, 0.5, 3), line(3.0, 0.4, 8), line(2.6, 0.6, 9)])


def turned(fid, x):
    return jnp.asarray(fid) * jnp.exp(1j * (2 * jnp.pi * x * SAMPLING.time + 0.3 * x))


def of_klose(x):
    bent = turned(WATER_LINE * np.exp(1.2j * np.exp(-T / 0.03)), x)
    return eddy.klose(jnp.asarray(METABOLITES), bent, SAMPLING)


def of_wsvd(x):
    b = jnp.asarray(COILS) * jnp.array([1.0, 1.0 + 0.5 * x, 1.0])
    data = b[:, None] * METABOLITES + jnp.asarray(MIXED)
    return coils.wsvd(data)(data)


def of_peak(x):
    found = phasing.fit_peak(turned(METABOLITES, x), SAMPLING, phasing.PEAKS["NAA"][1])
    return jnp.stack([found.frequency, found.damping, found.amplitude, found.phase]) * jnp.array(
        [1.0, 1.0, 1.0, 1.0 + 0j]
    )


def of_water(x):
    return remove_peaks(jnp.asarray(METABOLITES) + turned(0.1 * WATER_LINE, x) * (1.0 + 0.1 * x), BAND)[0]


@pytest.mark.parametrize("step", [of_klose, of_wsvd, of_peak, of_water])
def test_derivatives_are_finite_differences(step):
    run = jax.jit(lambda x: jax.jvp(step, (x,), (jnp.ones_like(x),)))  # compiled once
    x, h = jnp.asarray(0.7), 1e-4
    slope = run(x)[1]
    finite = (run(x + h)[0] - run(x - h)[0]) / (2 * h)
    assert np.linalg.norm(finite) > 1e-3
    assert np.linalg.norm(slope - finite) < 1e-3 * np.linalg.norm(finite)


@pytest.mark.parametrize("n", [512, 4096])
def test_noise_power_is_that_of_a_point_also_beside_lines(n):
    rng = np.random.default_rng(0)
    sd, t = 0.7, np.arange(n) * 5e-4
    water = sum(
        a * np.exp((2j * np.pi * f - np.pi * w) * t) for a, f, w in ((3000, 3.0, 8), (20, -120.0, 6), (10, -250.0, 9))
    )
    data = sd * (rng.normal(size=(200, n)) + 1j * rng.normal(size=(200, n)))
    run = jax.jit(jax.vmap(noise_power))
    alone, beside = np.asarray(run(jnp.asarray(data))), np.asarray(run(jnp.asarray(data + water)))
    assert alone.mean() == pytest.approx(2 * sd**2, rel=0.02) and alone.std() / alone.mean() < 3.0 / n**0.5
    assert beside.mean() == pytest.approx(2 * sd**2, rel=0.25)
