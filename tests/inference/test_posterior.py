"""Laplace and NUTS: Gaussian limit, each other, coverage, the density itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from mrsjax.inference import fit
from mrsjax.inference.posterior import Laplace, Nuts, Posterior, posterior, stretch
from mrsjax.inference.unbounded import Coordinates, information, potential
from mrsjax.inference.varpro import Problem, Tree
from tests.inference.test_fit import TRUTH, synthetic

COUNT = 48
NUTS = Nuts(warmup=150, draws=400, chains=2, target_accept=0.8, depth=7)


@pytest.fixture(
    scope="module", params=[pytest.param(60.0, id="strong", marks=pytest.mark.slow), pytest.param(8.0, id="weak")]
)
def fitted(request):
    """48 spectra; in the weak ones lactate is within its noise."""
    model, fids = synthetic(COUNT, snr=request.param, n=256, seed=11, shift=(0.5, 0.5), phase=(0.2, 0.2))
    result = fit(model, fids)
    return model, fids, result, posterior(model, fids, result, Laplace(400), key=jax.random.key(1))


@pytest.fixture(scope="module")
def sampled(fitted):
    """NUTS on the first four."""
    model, fids, result, _ = fitted
    first = jax.tree.map(lambda x: x[:4], result)
    return posterior(model, fids[:4], first, NUTS, key=jax.random.key(2))


def pooled(draws):
    return draws.amplitudes.reshape(len(draws.amplitudes), -1, len(draws.names))


@pytest.mark.slow
def test_draws_are_non_negative_and_converged(sampled):
    r_hat, ess = sampled.diagnose(sampled.amplitudes)
    assert pooled(sampled).min() >= 0
    assert r_hat.max() < 1.05 and ess.min() > 60
    assert sampled.divergent.sum() <= 3


@pytest.mark.slow
@pytest.mark.parametrize("fitted", [60.0], indirect=True, ids=["strong"])  # the weak ones are not the Gaussian limit
def test_strong_signals_have_the_cramer_rao_bound(fitted, sampled):
    result, laplace = fitted[2:]
    crlb = np.asarray(result.crlb)
    strong = np.asarray(result.amplitudes) > 15 * crlb
    assert strong.mean() > 0.6
    ratio = pooled(laplace).std(axis=1) / crlb
    assert abs(ratio[strong].mean() - 1) < 0.04
    ratio = pooled(sampled).std(axis=1) / crlb[:4]
    assert abs(ratio[strong[:4]].mean() - 1) < 0.06
    away = (pooled(sampled).mean(axis=1) - np.asarray(result.amplitudes)[:4]) / crlb[:4]
    assert np.abs(away.mean(axis=0)).max() < 0.3


@pytest.mark.slow
def test_laplace_and_nuts_agree(fitted, sampled):
    result, laplace = fitted[2:]
    a, b = (np.quantile(pooled(x)[:4], (0.16, 0.5, 0.84), axis=1) for x in (laplace, sampled))
    assert np.abs((a - b) / np.asarray(result.crlb)[:4]).mean() < 0.15


def test_intervals_cover_the_truth(fitted):
    low, high = np.quantile(pooled(fitted[3]), (0.05, 0.95), axis=1)
    inside = (low < TRUTH) & (TRUTH < high)
    assert 0.83 < inside.mean() < 0.97  # 288 intervals of 90 %, those of one spectrum not independent


def test_curvature_is_that_of_the_potential_without_noise():
    """At the truth of noiseless data the Gauss-Newton matrix is the exact Hessian, that of bounds and non-negativity included."""
    model, fids = synthetic(1, snr=np.inf, n=256, shift=(0.5, 0.5), phase=(0.2, 0.2))
    values = model.start()
    values["metabolites"] |= {"shift": 0.5, "lorentz": 3.0, "gauss": 16.0}
    values["phase"] |= {"phase_zero": 0.2}
    theta, tree = ravel_pytree(values)[0], Tree(model)
    m = len(TRUTH)
    flat = jnp.zeros((m, m)), jnp.zeros(theta.shape)  # no priors: their gradient would be left
    problem = Problem(model.crop(jnp.asarray(fids[0])), jnp.zeros(()), *flat)
    at = Coordinates(
        tree.lower, tree.upper, jnp.linspace(0.3, 1.0, len(theta)), jnp.asarray(TRUTH) / jnp.linspace(0.5, 4.0, m)
    )
    u = at.inward(theta, jnp.asarray(TRUTH))
    exact = jax.jit(jax.hessian(lambda u: potential(model, problem, at, u)))(u)
    got = jax.jit(lambda u: information(model, problem, at, u))(u)
    scale = jnp.sqrt(jnp.diagonal(got))
    np.testing.assert_allclose(got / jnp.outer(scale, scale), exact / jnp.outer(scale, scale), atol=1e-9)


def test_coordinates_invert_and_know_their_slope():
    at = Coordinates(jnp.array([-2.0, -jnp.inf]), jnp.array([3.0, jnp.inf]), jnp.array([1.2, 1.0]), jnp.array([0.5]))
    theta, c = jnp.array([1.0, -7.0]), jnp.array([0.4])

    @jax.jit
    def everything(u):
        outward = lambda u: jnp.concatenate(at.outward(u))  # noqa: E731
        exact = jnp.diagonal(jax.jacobian(outward)(u))
        steps = jnp.log(exact) - jnp.log(at.slope(0.0 * u)), at.log_slope(u) - at.log_slope(0.0 * u)
        second = -jnp.diagonal(jax.hessian(at.log_slope)(u))
        return outward(u), (at.slope(u), exact), (jnp.sum(steps[0]), steps[1]), (at.curvature(u), second)

    back, *pairs = everything(at.inward(theta, c))
    np.testing.assert_allclose(back, jnp.concatenate([theta, c]), rtol=1e-12)
    for given, exact in pairs:
        np.testing.assert_allclose(given, exact, rtol=1e-9, atol=1e-12)


def test_diagnoses_of_many_spectra_are_those_of_each():
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 2, 100, 4)).cumsum(axis=2) * [0.0, 1.0, 1.0, 1.0] + rng.normal(size=(3, 2, 100, 4))
    x[1] = np.nan
    nothing = np.full(3, np.nan)
    r_hat, ess = Posterior(x, x, nothing, np.zeros(3), ("a",) * 4).diagnose(x)
    for row in (0, 2):
        np.testing.assert_allclose(r_hat[row], split_gelman_rubin(x[row]), rtol=1e-10)
        np.testing.assert_allclose(ess[row], effective_sample_size(x[row]), rtol=1e-10)
    assert np.isnan(r_hat[1]).all() and r_hat[0, 0] < 1.1 < r_hat[0, 1:].min()


def test_spectra_without_a_fit_have_no_draws():
    model, fids = synthetic(2, n=256)
    fids[0] = np.nan
    draws = posterior(model, fids, fit(model, fids), Laplace(400), key=jax.random.key(0))
    assert np.isnan(draws.amplitudes[0]).all() and np.isfinite(draws.amplitudes[1]).all()
    r_hat, ess = draws.diagnose(draws.amplitudes)
    assert np.isnan(r_hat).all() and np.isnan(ess[0]).all() and ess[1].min() > 100


def test_wide_directions_are_stretched_and_the_others_kept():
    """Draws that are 6 and 3 times too wide along two directions become standard normal; noise of few draws is not taken for width."""
    rng = np.random.default_rng(2)
    n, axes = 12, np.linalg.qr(rng.normal(size=(12, 12)))[0]
    width = np.array([6.0, 3.0] + [1.0] * 10)
    x = 5.0 + rng.normal(size=(1, 2, 60, n)) * width @ axes.T
    mean, wider = stretch(x)
    np.testing.assert_allclose(mean[0], x[0].reshape(-1, n).mean(axis=0))
    of_wider = wider[0] @ wider[0].T  # covariance that y ~ N(0, 1) would give x
    np.testing.assert_allclose(np.sqrt(np.linalg.eigvalsh(of_wider)[:-2]), 1.0, rtol=1e-12)
    found = np.sqrt(np.diagonal(axes.T @ of_wider @ axes)[:2])
    np.testing.assert_allclose(found, width[:2], rtol=0.2)
