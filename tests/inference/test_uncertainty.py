"""The reported uncertainties against the scatter of repeated noise, and the choice between models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import FitResult
from mrsjax.inference import choose, fit
from tests.inference.test_fit import TRUTH, synthetic
from tests.physics.examples import brain

REPEATS = 400


@pytest.fixture(scope="module", params=[20.0, 60.0])
def repeated(request) -> FitResult:
    """One spectrum under 400 draws of noise."""
    model, fids = synthetic(REPEATS, snr=request.param, seed=11, shift=(0.5, 0.5), phase=(0.2, 0.2))
    return fit(model, fids)


def test_crlb_is_the_scatter(repeated):
    scatter = np.asarray(repeated.amplitudes).std(axis=0)
    crlb = np.median(np.asarray(repeated.crlb), axis=0)
    away = TRUTH > 4 * crlb
    assert away.sum() >= 5
    assert np.all(np.abs(crlb / scatter - 1)[away] < 0.1)  # 400 repeats: the scatter itself is known to 3.5 %


def test_intervals_cover(repeated):
    z = (np.asarray(repeated.amplitudes) - TRUTH) / np.asarray(repeated.crlb)
    inside = np.abs(z) < 1.96
    assert 0.93 < inside[:, TRUTH > 1.9].mean() < 0.97


def test_bias_is_small_beside_the_spread(repeated):
    a = np.asarray(repeated.amplitudes)
    assert np.all(np.abs(a.mean(axis=0) - TRUTH) < 0.25 * a.std(axis=0))


def test_nonlinear_parameters_have_their_scatter(repeated):
    for name in ("metabolites.shift", "phase.phase_zero"):
        scatter = np.asarray(repeated.parameters[name]).std()
        assert abs(np.median(np.asarray(repeated.parameters_sd[name])) / scatter - 1) < 0.15, name


def test_sums_and_ratios_use_the_covariance(repeated):
    total, sd = repeated.total(("NAA", "Glu"))
    assert abs(float(jnp.median(sd)) / float(jnp.std(total)) - 1) < 0.12
    ratio, sd = repeated.ratio(("NAA",), ("Cr",))
    assert abs(float(jnp.median(sd)) / float(jnp.std(ratio)) - 1) < 0.12
    assert abs(float(jnp.mean(ratio)) - 1.25) < 0.02
    correlation = np.asarray(repeated.correlation[0])
    np.testing.assert_allclose(np.diag(correlation), 1.0, rtol=1e-9)
    assert np.abs(correlation).max() <= 1 + 1e-9


def test_covariance_is_the_inverse_of_the_hessian():
    # without priors and with one linear term the Fisher matrix is J'J of amplitudes and parameters together
    model, fids = synthetic(1, snr=1e4, seed=2)
    result = fit(model, fids, tolerance=1e-9)
    from mrsjax.inference.varpro import Tree, stacked

    tree = Tree(model)

    def spectrum(u):
        p = len(tree.start)
        return stacked(model.spectrum(tree.unravel(u[:p]), u[p:])[None])[0]

    u = jnp.concatenate([result.state.theta[0], result.amplitudes[0]])
    j = np.asarray(jax.jacfwd(spectrum)(u))
    fisher = j.T @ j / float(result.noise_sd[0]) ** 2 + np.diag(
        np.concatenate([1 / np.asarray(tree.sd) ** 2, np.zeros(len(TRUTH))])
    )
    wanted = np.linalg.inv(fisher)[-len(TRUTH) :, -len(TRUTH) :]
    np.testing.assert_allclose(result.covariance[0], wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max())


def test_choice_prefers_the_generating_model_and_the_simpler_of_equals():
    model, fids = synthetic(6, snr=60, seed=5)
    wrong = brain(lineshape="lorentz", macromolecules="off", baseline=None, own_shift=0, own_width=0, water_tails=0)
    choice = choose([wrong, model], fids)
    assert choice.index == 1
    assert choice.criterion[1] < choice.criterion[0]
    with pytest.raises(ValueError, match="at least one"):
        choose([], fids)
