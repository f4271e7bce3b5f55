import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.processing import coils

from .signals import METABOLITES, SAMPLING, WATER, noise


@pytest.fixture(scope="module")
def measured():
    """Data, water, sensitivities and the coils' noise factor."""
    rng = np.random.default_rng(0)
    b = rng.normal(size=6) + 1j * rng.normal(size=6)
    mix = np.eye(6) + 0.4 * (rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6)))
    mixed = lambda *s: np.einsum("ab,b...->a...", mix, noise(rng, 0.5, 6, *s))  # noqa: E731
    data = b[:, None, None] * METABOLITES + mixed(8)
    return data, b[:, None] * WATER + mixed(), b, mix


def test_noise_covariance_and_the_best_possible_gain(measured):
    data, water, b, mix = measured
    truth = 2 * 0.5**2 * mix @ mix.conj().T
    covariance = coils.noise_covariance(jnp.asarray(data), SAMPLING)
    assert np.linalg.norm(covariance - truth) < 0.12 * np.linalg.norm(truth)
    best = np.sqrt(np.real(b.conj() @ np.linalg.solve(truth, b)))
    for found in (coils.wsvd(jnp.asarray(water), covariance), coils.first_points(jnp.asarray(water), covariance)):
        w = np.asarray(found.weights)
        reached = abs(w @ b) / np.sqrt(np.real(w @ truth @ w.conj()))
        assert 0.98 * best < reached <= best * (1 + 1e-9)
    plain = np.abs(b) @ np.abs(b) / np.sqrt(np.real(b.conj() @ truth @ b))
    assert plain < 0.95 * best  # the whitening is worth something here
    # Noise keeps the mean variance of the coils.
    w = np.asarray(coils.wsvd(jnp.asarray(water), jnp.asarray(truth)).weights)
    assert np.real(w @ truth @ w.conj()) == pytest.approx(np.trace(truth).real / 6)


def test_dead_coils_and_nan_transients_are_left_out(measured):
    data, water, _b, _ = measured
    data, water = data.copy(), water.copy()
    data[2] = water[2] = 0.0
    data[:, 3] = np.nan
    covariance = coils.noise_covariance(jnp.asarray(data), SAMPLING)
    found = coils.wsvd(jnp.asarray(water), covariance)
    assert np.asarray(found.live).tolist() == [True, True, False, True, True, True]
    assert found.weights[2] == 0 and np.all(np.isfinite(found.weights))
    out = np.asarray(found(jnp.asarray(data)))
    assert np.isfinite(np.delete(out, 3, axis=0)).all()
    scale = np.vdot(METABOLITES, out[0]) / np.vdot(METABOLITES, METABOLITES)
    assert np.linalg.norm(out[0] - scale * METABOLITES) / np.linalg.norm(out[0]) < 0.25


def test_phase_of_the_strongest_coil_is_kept_and_vmap_is_a_loop(measured):
    _, water, b, _ = measured
    found = coils.wsvd(jnp.asarray(b[:, None] * WATER))
    strongest = np.argmax(np.abs(b))
    assert np.angle(np.asarray(found.weights) @ b / b[strongest]) == pytest.approx(0, abs=1e-6)
    both = jnp.stack([jnp.asarray(water), jnp.asarray(2j * water[::-1])])
    batch = jax.vmap(coils.wsvd)(both)
    for i in range(2):
        np.testing.assert_allclose(batch.weights[i], coils.wsvd(both[i]).weights, atol=1e-10)
