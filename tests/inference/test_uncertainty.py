"""The reported uncertainties against the scatter of repeated noise, and the choice between models."""

from types import SimpleNamespace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.accuracy.own_priors import drawn, noisy
from mrsjax.core import FitResult
from mrsjax.data import default_basis
from mrsjax.inference import choose, fisher, fit
from mrsjax.inference.selection import criteria
from mrsjax.inference.stages import excess_of
from mrsjax.inference.varpro import Linear, Point, Problem, Tree, rows_of, smooth, stacked
from mrsjax.physics import default_model
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
    tree = Tree(model)

    def spectrum(u):
        p = len(tree.start)
        return stacked(model.spectrum(tree.unravel(u[:p]), u[p:])[None])[0]

    u = jnp.concatenate([result.state.theta[0], result.amplitudes[0]])
    j = np.asarray(jax.jacfwd(spectrum)(u))
    information = j.T @ j / float(result.noise_sd[0]) ** 2 + np.diag(
        np.concatenate([1 / np.asarray(tree.sd) ** 2, np.zeros(len(TRUTH))])
    )
    wanted = np.linalg.inv(information)[-len(TRUTH) :, -len(TRUTH) :]
    np.testing.assert_allclose(result.covariance[0], wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max())


@pytest.mark.slow
def test_covariance_of_every_term_is_that_of_double_precision():
    """Own lines, macromolecules, their ratios and a spline: iterated in single precision on fewer points, reported as if in double on all."""
    model = brain(creatine_ch2=0.3)
    result = fit(model, noisy(drawn(model, 2, seed=3)[0], model.sampling, 120, seed=1))
    tree, state = Tree(model), result.state
    prior = np.where(np.isfinite(tree.sd), tree.sd, 0) ** 2
    m, p = len(model.names), len(tree.start)
    for i in range(2):
        values, unit = tree.unravel(state.theta[i]), float(state.unit[i])
        level = max(float(result.noise_sd[i]) / unit, float(excess_of(model, np.asarray(result.misfit))[i]) * float(result.noise_sd[i]) / unit)  # fmt: skip
        design, parts = model.design(values)
        rows = stacked(rows_of(model.jacobian(values, result.amplitudes[i], parts)))
        rows = np.asarray(jnp.concatenate([rows, stacked(design)])) / unit
        problem = Problem(jnp.zeros(1), state.log_stiffness[i], jnp.zeros((0, 0)), jnp.zeros(0))
        flat = np.asarray(smooth(model, problem, jnp.asarray(rows)))
        of_data, precision, score = rows @ rows.T - flat @ flat.T, np.zeros((p + m, p + m)), np.zeros((p + m, p + m))
        weight = np.asarray(state.weight[i])
        precision[:p, :p], score[:p, :p] = np.diag(weight), np.diag(weight**2 * prior)
        precision[p:, p:] = score[p:, p:] = np.asarray(state.precision[i]) / unit**2
        free = (state.theta[i] > tree.lower) & (state.theta[i] < tree.upper)
        keep = np.ix_(*[np.concatenate([np.asarray(free), np.ones(m, bool)])] * 2)
        inverse = np.linalg.inv((of_data + precision)[keep])
        wanted = np.sqrt(np.diag(inverse @ (of_data * level**2 + score)[keep] @ inverse)[-m:])
        np.testing.assert_allclose(result.crlb[i], wanted, rtol=0.02)


@pytest.mark.slow
def test_intervals_cover_where_the_truth_is_drawn_from_the_priors():
    """Own shifts and widths, macromolecules and their ratios as their priors say: the fit weighs its priors by what the first stage left (here 1.2 to 2.7 noise levels), and its errors with them."""
    basis = default_basis()
    model = default_model(basis, basis.sampling, lineshape="voigt")
    clean, truth = drawn(model, 96, seed=4)
    result = fit(model, noisy(clean, model.sampling, 80, seed=6))
    assert 1.2 < np.median(np.asarray(result.state.unit) / np.asarray(result.noise_sd)) < 2.7
    z = (np.asarray(result.amplitudes) - truth) / np.asarray(result.crlb)
    strong = z[(truth > 3 * np.asarray(result.crlb)) & np.isin(result.names, result.metabolites)]
    assert 0.90 < np.mean(np.abs(strong) < 1.96) < 0.98
    assert np.sqrt(np.mean(strong**2)) < 1.25


def test_a_larger_residual_widens_what_the_data_tell_and_no_prior():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 5, 40))
    x = x @ x.swapaxes(1, 2)
    gram, cross, information = x[:, :2, :2], x[:, :2, 2:], x[:, 2:, 2:].copy()
    weight = np.array([[1e-9, 1e-9, 1e8]])  # the last one is its prior
    problem = Problem(np.zeros(1), np.zeros(1), np.zeros((1, 2, 2)), weight)
    at = Point(
        np.zeros((1, 3)),
        Linear(np.zeros(1), np.ones((1, 2)), np.ones((1, 2), bool), gram),
        np.zeros((1, 3)),
        information + np.diag(weight[0]),
        cross,
    )
    tree = SimpleNamespace(lower=-np.ones(3), upper=np.ones(3), sd=weight[0] ** -0.5)
    one, two = (fisher.covariance(cast(Any, tree), problem, at, np.array([level])) for level in (1.0, 2.0))
    np.testing.assert_allclose(two[0], 4 * one[0], rtol=1e-3)
    np.testing.assert_allclose(two[1], one[1] * [2, 2, 1], rtol=1e-3)
    np.testing.assert_allclose([one[2], two[2]], 4.0, atol=1e-3)  # two amplitudes, two of three parameters


def test_on_data_that_no_model_explains_the_criterion_does_not_take_the_most_flexible():
    """Each model leaves ten times the noise's energy; 20 parameters more explain what 20 of noise would, scaled."""
    models = [cast(Any, SimpleNamespace(window=(0, 500)))] * 2
    results = [
        cast(Any, SimpleNamespace(misfit=np.array([m]), effective_parameters=np.array([k])))
        for m, k in ((5000.0, 20.0), (4950.0, 40.0))
    ]
    simple, flexible = criteria(models, results)
    assert simple < flexible
    noise = [
        cast(Any, SimpleNamespace(misfit=r.misfit / 11, effective_parameters=r.effective_parameters)) for r in results
    ]
    simple, flexible = criteria(models, noise)
    np.testing.assert_allclose([simple[0], flexible[0]], [5000 / 11 + 20, 4950 / 11 + 40])


def test_choice_prefers_the_generating_model_and_the_simpler_of_equals():
    model, fids = synthetic(6, snr=60, seed=5)
    wrong = brain(lineshape="lorentz", macromolecules="off", baseline=None, own_shift=0, own_width=0, water_tails=0)
    choice = choose([wrong, model], fids)
    assert choice.index == 1
    assert choice.criterion[1] < choice.criterion[0]
    with pytest.raises(ValueError, match="at least one"):
        choose([], fids)
