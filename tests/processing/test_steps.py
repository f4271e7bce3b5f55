import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import FIDs, to_spectrum
from mrsjax.processing import eddy, filters, phasing, transients

from .signals import METABOLITES, SAMPLING, T, line, moved, noise


def test_outliers_are_dropped_with_their_reason_and_the_average_is_of_the_others():
    rng = np.random.default_rng(0)
    data = METABOLITES + noise(rng, 0.3, 20)
    data[3] += line(1.3, 40, 30)
    data[7] = np.nan
    data[11] *= -1
    found = transients.select(jnp.asarray(data))
    assert np.flatnonzero(~np.asarray(found.keep)).tolist() == [3, 7, 11]
    assert found.bad_data[7] and found.outlying[3] and found.unlike[11]
    mean = transients.average(jnp.asarray(data), found.keep)
    np.testing.assert_allclose(mean, data[np.asarray(found.keep)].mean(0), atol=1e-12)


def test_clean_transients_are_all_kept_and_few_are_never_judged():
    rng = np.random.default_rng(1)
    data = jnp.asarray(METABOLITES + noise(rng, 0.3, 32))
    assert bool(jnp.all(transients.select(data).keep))
    two = jnp.stack([data[0], data[0] * 5])
    assert bool(jnp.all(transients.select(two).keep))


def test_weights_prefer_the_quiet_transients():
    rng = np.random.default_rng(2)
    sd = np.where(np.arange(20) < 5, 3.0, 0.3)
    data = jnp.asarray(METABOLITES + sd[:, None] * noise(rng, 1.0, 20))
    keep = jnp.ones(20, bool)
    plain = transients.average(data, keep)
    weighted = transients.average(data, keep, transients.similarity_weights(data, keep))
    assert np.linalg.norm(weighted - METABOLITES) < 0.5 * np.linalg.norm(plain - METABOLITES)


def test_klose_removes_an_eddy_current_exactly():
    current = np.exp(1j * (0.4 + 2 * np.pi * 4.0 * T + 1.5 * np.exp(-T / 0.03)))
    water = line(4.65, 2000, 6)
    out = eddy.klose(jnp.asarray(METABOLITES * current), jnp.asarray(water * current), SAMPLING)
    np.testing.assert_allclose(out, METABOLITES, atol=1e-6)
    with pytest.raises(ValueError, match="length"):
        eddy.klose(jnp.asarray(METABOLITES), jnp.asarray(water[:-1]), SAMPLING)


def test_the_phase_is_carried_past_the_waters_end_near_the_bound():
    rng = np.random.default_rng(3)
    water = line(4.65, 2000, 14)  # 5 times its noise until 0.125 s, where 0.02 rad of the eddy current are left
    bend = np.exp(-T / 0.03)
    truth = 0.4 + 2 * np.pi * 4.0 * T + 1.5 * bend
    noisy = jnp.asarray(water * np.exp(1j * truth) + noise(rng, 1.0, 200))
    found = jax.jit(jax.vmap(lambda r: eddy.reference_phase(r, SAMPLING)))(noisy)
    error = np.angle(np.exp(1j * (np.asarray(found) - truth)))
    # Cramer-Rao bound of a + b t + c exp(-t / tau), all four unknown, from the part that is seen.
    seen = (T > 0.03) & (T < 0.125)
    j = np.array([np.ones_like(T), T, bend, 1.5 * bend * T / 0.03**2])
    covariance = np.linalg.inv((j * np.abs(water) ** 2)[:, seen] @ j[:, seen].T)
    bound = np.sqrt(np.einsum("it,ij,jt->t", j, covariance, j))
    for at in (300, 400, 500):  # 0.15, 0.2, 0.25 s
        assert np.sqrt(np.mean(error[:, at] ** 2)) < 2.5 * bound[at]
        assert abs(error[:, at].mean()) < bound[at]
    # and where the water is seen it is its own phase
    np.testing.assert_allclose(np.std(error[:, 100]), 1 / np.abs(water[100]), rtol=0.2)


def test_a_peak_is_found_phased_and_referenced():
    fid = moved(METABOLITES, np.array(4.2), np.array(0.8))
    ppm, window = phasing.PEAKS["NAA"]
    found = phasing.fit_peak(jnp.asarray(fid), SAMPLING, window)
    assert float(found.frequency) == pytest.approx(float(SAMPLING.to_hz(2.008)) + 4.2, abs=0.05)
    assert float(found.phase) == pytest.approx(0.8, abs=0.03)
    assert float(found.damping / np.pi) == pytest.approx(5.0, rel=0.05)
    back = phasing.shift_to(jnp.asarray(fid), SAMPLING, found.frequency, ppm) * jnp.exp(-1j * found.phase)
    np.testing.assert_allclose(back, METABOLITES, atol=1.0)


def test_phase_is_that_of_the_equation():
    got = to_spectrum(phasing.phase(jnp.asarray(METABOLITES), SAMPLING, zero=0.5, delay=1e-4, pivot_ppm=2.0))
    f = np.asarray(SAMPLING.frequency) - float(SAMPLING.to_hz(2.0))
    want = np.asarray(to_spectrum(jnp.asarray(METABOLITES))) * np.exp(1j * (0.5 + 2 * np.pi * 1e-4 * f))
    np.testing.assert_allclose(got, want, atol=1e-9)


def test_apodisation_widens_lines_and_interpolation_keeps_the_points():
    got = filters.apodise(jnp.asarray(line(2.0, 1, 3)), SAMPLING, lorentz_hz=4.0)
    np.testing.assert_allclose(got, line(2.0, 1, 7), atol=1e-12)
    fids = FIDs(METABOLITES, SAMPLING)
    assert filters.zero_fill(fids, 600).data.shape == (600,)
    cut = filters.truncate(fids, first=3, last=2)
    np.testing.assert_array_equal(cut.data, METABOLITES[3:-2])
    fine = filters.interpolate(fids, 2)
    np.testing.assert_allclose(np.asarray(fine.data)[::2], METABOLITES, atol=1e-9)
    assert float(fine.sampling.dwell_time) == pytest.approx(2.5e-4)
    with pytest.raises(ValueError, match="truncate"):
        filters.zero_fill(fids, 100)
    with pytest.raises(ValueError, match="2 left"):
        filters.truncate(fids, first=511)
