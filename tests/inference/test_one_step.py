"""The one-step estimator: near the optimum it is the fit, far from it says so."""

import jax
import numpy as np
import pytest

from mrsjax.core import Status
from mrsjax.inference import fit
from mrsjax.inference.one_step import one_step
from tests.inference.test_fit import synthetic


@pytest.fixture(scope="module")
def fitted():
    model, fids = synthetic(24, snr=40.0, n=256, seed=11, shift=(0.5, 0.5), phase=(0.2, 0.2))
    return model, fids, fit(model, fids, tolerance=1e-4)


def _start(model, result, move):
    """Values of the coarse model, `move` standard deviations of the fit away from its optimum."""
    rng = np.random.default_rng(0)
    start = {}
    for name, x in result.parameters.items():
        group, key = name.split(".")
        start.setdefault(group, {})[key] = np.asarray(x) + move * rng.normal(size=x.shape) * result.parameters_sd[name]
    coarse = model.coarse().start()
    return {g: {k: start[g][k] for k in v} for g, v in coarse.items()}


def test_near_the_optimum_it_is_the_fit(fitted):
    model, fids, best = fitted
    found = one_step(model, fids, _start(model, best, 1.0))
    off = (np.asarray(found.amplitudes) - np.asarray(best.amplitudes)) / np.asarray(best.crlb)
    assert np.sqrt(np.mean(off**2)) < 0.06
    np.testing.assert_allclose(found.crlb, best.crlb, rtol=0.12)  # of the start
    np.testing.assert_allclose(found.noise_sd, best.noise_sd, rtol=1e-3)
    assert np.mean(np.asarray(found.status) == Status.CONVERGED) > 0.8
    for name, sd in best.parameters_sd.items():
        moved = np.abs(found.parameters[name] - best.parameters[name]) / np.where(sd > 0, sd, np.inf)
        assert np.median(moved) < 0.2, name


def test_far_from_the_optimum_it_says_so(fitted):
    model, fids, best = fitted
    start = _start(model, best, 0.0)
    start["metabolites"]["shift"] = start["metabolites"]["shift"] + 3.0
    found = one_step(model, fids, start)
    assert np.all(np.asarray(found.status) == Status.MAX_ITERATIONS)


def test_parameters_stay_within_their_bounds_and_amplitudes_above_zero(fitted):
    model, fids, best = fitted
    narrow = fids * np.exp(6 * np.pi * np.asarray(model.sampling.time))  # than a line without Lorentz width
    found = one_step(model, narrow, _start(model, best, 0.0))
    lorentz = np.asarray(found.parameters["metabolites.lorentz"])
    assert np.all(lorentz >= 0) and np.mean(lorentz == 0) > 0.5
    assert np.all(np.asarray(found.amplitudes) >= 0)


def test_spectra_that_are_none_are_refused(fitted):
    model, fids, best = fitted
    start = jax.tree.map(lambda x: x[:3], _start(model, best, 0.0))
    bad = np.array(fids[:3])
    bad[0], bad[1] = np.nan, 0.0
    found = one_step(model, bad, start)
    assert list(np.asarray(found.status)[:2]) == [Status.INVALID_DATA] * 2
    assert np.isnan(found.amplitudes[:2]).all() and np.isfinite(found.amplitudes[2]).all()
    with pytest.raises(ValueError, match="start"):
        one_step(model, fids[:2], {"metabolites": {}})
