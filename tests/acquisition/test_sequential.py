"""Shimming by spectra on a simulated spectrometer."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.acquisition.shimming import ShimStatus
from mrsjax.acquisition.shimming.sequential import Specimen, infer, shim_by_spectra
from mrsjax.core import Sampling
from simulators.phantoms.spectrometer import Spectrometer, channels, tube

SAMPLING = Sampling(1 / 48.0, 80e6, 64)
DISTORTION = np.array([0.7, -0.5, 0.9, -0.6])


@pytest.fixture(scope="module")
def sample() -> Specimen:
    place, weight = tube(4, 12, 10)
    return Specimen(
        jnp.asarray(weight), jnp.asarray(channels(Spectrometer.names, place, weight)), jnp.full(4, 1.2), SAMPLING,
        lorentz=0.5, lorentz_sd=0.5, model_error=0.01,
    )  # fmt: skip


def test_tube_and_channels():
    place, weight = tube()
    np.testing.assert_allclose([weight.sum(), weight @ place[:, 2]], [1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(weight @ (place[:, 0] ** 2 + place[:, 1] ** 2), 2.1**2 / 2, rtol=1e-12)
    maps = channels(Spectrometer.names, place, weight)
    np.testing.assert_allclose(maps.T @ (weight[:, None] * maps), np.eye(4), atol=1e-12)


def test_slope_of_the_decay_against_finite_differences(sample):
    at, width = jnp.asarray(DISTORTION), jnp.asarray(0.5)
    _, slope = sample.decay(at, width)
    for k in range(4):
        step = 1e-5 * jnp.eye(4)[k]
        wanted = (sample.decay(at + step, width)[0] - sample.decay(at - step, width)[0]) / 2e-5
        np.testing.assert_allclose(slope[k], wanted, atol=1e-5)


def test_the_field_is_inferred_from_spectra_at_four_settings(sample):
    s = Spectrometer(DISTORTION, sampling=SAMPLING, seed=1, other=0.0, crosstalk=0.0, snr=100.0)
    settings = 0.8 * np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]])  # two leave mirror images
    belief = infer(
        sample, np.stack([s.acquire(x) for x in settings]), settings, noise_sd=s.noise_sd, key=jax.random.key(0)
    )
    np.testing.assert_allclose(belief.currents[0], DISTORTION, atol=0.1)
    assert np.all(np.diff(np.asarray(belief.cost)) >= 0)
    np.testing.assert_allclose(belief.lorentz[0], 0.5, atol=0.15)
    # what is said of the homogeneous width is what is believed: a wrong and firm prior stays
    firm = eqx.tree_at(lambda x: (x.lorentz, x.lorentz_sd), sample, (jnp.asarray(1.0), jnp.asarray(1e-3)))
    told = infer(firm, np.stack([s.acquire(x) for x in settings]), settings, noise_sd=s.noise_sd, key=jax.random.key(0))
    np.testing.assert_allclose(told.lorentz[0], 1.0, atol=0.02)


def test_agent_shims_within_ten_acquisitions_with_imperfect_channels(sample):
    s = Spectrometer(DISTORTION, sampling=SAMPLING, seed=2)
    before = np.abs(s.clean(np.zeros(4))).sum()
    enough = lambda f: np.abs(f).sum() > 0.8 * len(f) * 0.45  # noqa: E731
    setting, tried, status = shim_by_spectra(
        s.acquire, sample, noise_sd=s.noise_sd, good_enough=enough, most=6, key=jax.random.key(1)
    )
    assert len(tried) <= 6 and s.acquisitions == len(tried)
    assert status == (ShimStatus.CONVERGED if enough(s.acquire(tried[-1])) else ShimStatus.MAX_ITERATIONS)
    never = shim_by_spectra(
        s.acquire, sample, noise_sd=s.noise_sd, good_enough=lambda f: False, most=2, key=jax.random.key(1)
    )
    assert never.status == ShimStatus.MAX_ITERATIONS and len(never.settings) == 2
    assert np.abs(s.clean(setting)).sum() > 1.5 * before
    assert np.sqrt(np.mean((s.distortion + s.mixing @ setting) ** 2)) < 0.2  # Hz
