import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import Sampling, to_spectrum
from mrsjax.processing import BandHLSVD, remove_peaks, remove_peaks_all

from .signals import METABOLITES, SAMPLING, WATER, line, noise

BAND = BandHLSVD(SAMPLING, (4.35, 4.95))


def test_exponentials_are_found_exactly_without_noise():
    clean, _removed, found = jax.jit(lambda s: remove_peaks(s, BAND))(jnp.asarray(METABOLITES + WATER))
    assert np.abs(clean - METABOLITES).max() < 1e-5 * np.abs(WATER).max()
    used = np.asarray(found.used) > 0
    order = np.argsort(-np.abs(np.asarray(found.amplitude)) * used)[:3]
    ppm = np.asarray(SAMPLING.to_ppm(found.frequency))[order]
    np.testing.assert_allclose(ppm, [4.65, 4.71, 4.6], atol=1e-4)
    np.testing.assert_allclose(np.abs(np.asarray(found.amplitude))[order], [1500, 300, 150], rtol=1e-3)
    np.testing.assert_allclose(np.asarray(found.damping)[order] / np.pi, [6, 9, 5], rtol=1e-3)


def test_water_goes_below_the_noise_and_metabolites_stay():
    rng = np.random.default_rng(0)
    sd = 0.3
    given = METABOLITES + noise(rng, sd, 16)
    clean, _removed = remove_peaks_all(given + WATER, BAND)
    error = np.asarray(to_spectrum(jnp.asarray(clean - given)))
    ppm = np.asarray(SAMPLING.ppm)
    window, brain = (ppm > 4.35) & (ppm < 4.95), (ppm > 0.2) & (ppm < 4.1)
    assert np.sqrt(np.mean(np.abs(error[:, window]) ** 2)) < sd * np.sqrt(2)
    assert np.sqrt(np.mean(np.abs(error[:, brain]) ** 2)) < 0.2 * sd * np.sqrt(2)


def test_voigt_water_goes_below_the_noise_and_moves_no_amplitude_by_its_bound():
    rng = np.random.default_rng(4)
    sd, count = 0.5, 24
    sampling = Sampling(5e-4, 123.25e6, 1024)
    t = np.asarray(sampling.time)

    def one(ppm, amplitude, fwhm=5.0, phase=0.0):
        return amplitude * np.exp(1j * phase + (2j * np.pi * float(sampling.to_hz(ppm)) - np.pi * fwhm) * t)

    parts = [one(2.008, 12), one(3.027, 8), one(3.2, 6), one(3.9, 5), one(1.3, 20, 20)]
    gauss = np.exp(-((np.pi * 4.0 * t) ** 2) / (4 * np.log(2)))
    where, size, turn = rng.normal(4.65, 0.03, count), rng.uniform(500, 4000, count), rng.uniform(-3, 3, count)
    water = np.array([one(p, a, 5, q) * gauss for p, a, q in zip(where, size, turn, strict=True)])
    given = sum(parts) + sd * (rng.normal(size=(count, t.size)) + 1j * rng.normal(size=(count, t.size)))
    clean, _ = remove_peaks_all(given + water, BandHLSVD(sampling))
    error = np.asarray(to_spectrum(jnp.asarray(clean - given))) / (sd * np.sqrt(2))
    ppm = np.asarray(sampling.ppm)
    assert np.sqrt(np.mean(np.abs(error[:, (ppm > 4.35) & (ppm < 4.95)]) ** 2)) < 1.0
    columns = np.array(parts + [1j * p for p in parts])
    solve = np.linalg.pinv(np.concatenate([columns.real, columns.imag], 1).T)
    amplitudes = lambda x: np.concatenate([x.real, x.imag], 1) @ solve.T  # noqa: E731
    change = (amplitudes(clean) - amplitudes(given)) / (sd * np.sqrt(np.diag(solve @ solve.T)))
    assert np.all(np.sqrt(np.mean(change**2, axis=0)) < 1.0) and np.all(np.abs(change.mean(axis=0)) < 0.5)


def test_lines_outside_the_window_are_not_touched():
    lipid = line(1.3, 4000, 20)
    clean, _, _ = jax.jit(lambda s: remove_peaks(s, BAND))(jnp.asarray(METABOLITES + lipid))
    assert np.abs(clean - METABOLITES - lipid).max() < 1e-3 * 4000


def test_the_residual_is_that_of_hlsvdpropy():
    peer = pytest.importorskip("hlsvdpropy", reason="hlsvdpropy (test extra) is not installed")
    rng = np.random.default_rng(1)
    sd = 0.3
    given = METABOLITES + noise(rng, sd)
    _, _, hz, decay, size, phase = peer.hlsvd(given + WATER, 15, 0.5)
    hz = hz * 1e3
    low, high = (float(SAMPLING.to_hz(p)) for p in (4.35, 4.95))
    take = (hz > low) & (hz < high)
    t = np.asarray(SAMPLING.time)
    model = (size * np.exp(1j * np.deg2rad(phase)))[take] @ np.exp((2j * np.pi * hz + 1e3 / decay)[take][:, None] * t)
    ours = remove_peaks_all((given + WATER)[None], BAND)[0][0]
    theirs = given + WATER - model
    ppm = np.asarray(SAMPLING.ppm)
    window = (ppm > 4.35) & (ppm < 4.95)
    left = [np.linalg.norm(np.asarray(to_spectrum(jnp.asarray(x - given)))[window]) for x in (ours, theirs)]
    assert left[0] < 2.0 * left[1] + sd * np.sqrt(2 * window.sum()) * 0.5
    assert np.linalg.norm(ours - theirs) < 0.01 * np.linalg.norm(WATER)


def test_batch_is_a_loop_has_no_lapack_and_passes_bad_voxels_through():
    rng = np.random.default_rng(2)
    data = METABOLITES + WATER + noise(rng, 0.3, 3)
    data[1] = np.nan
    clean, removed = remove_peaks_all(data, BAND, slots=2)
    assert np.isnan(clean[1]).all() and not removed[1].any()
    np.testing.assert_allclose(clean[2], remove_peaks(jnp.asarray(data[2]), BAND)[0], atol=1e-6)
    text = jax.jit(jax.vmap(lambda s: remove_peaks(s, BAND)[0])).lower(jnp.asarray(data)).as_text()
    assert "lapack" not in text and "custom_call" not in text


def test_single_precision_is_near_double():
    data = (METABOLITES + WATER + noise(np.random.default_rng(3), 0.3)).astype(np.complex64)
    single = np.asarray(remove_peaks(jnp.asarray(data), BAND)[0])
    double = np.asarray(remove_peaks(jnp.asarray(data.astype(complex)), BAND)[0])
    assert single.dtype == np.complex64
    assert np.linalg.norm(single - double) < 2e-3 * np.linalg.norm(WATER)


def test_windows_that_cannot_be_seen_are_refused():
    with pytest.raises(ValueError, match="low, high"):
        BandHLSVD(SAMPLING, (5.0, 4.0))
    with pytest.raises(ValueError, match="inside"):
        BandHLSVD(SAMPLING, (4.0, 40.0))
    with pytest.raises(ValueError, match="wanted 512 points"):
        BAND(jnp.zeros(100, complex))
