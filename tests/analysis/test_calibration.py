"""Ranks, coverage and alarms on a Gaussian world whose posterior is known."""

import numpy as np
import pytest

from mrsjax.analysis.calibration import LEVELS, coverage, gaussian_ranks, ranks, roc, uniformity

COUNT, DRAWS = 2000, 200


@pytest.fixture(scope="module")
def world():
    """theta ~ N(0, 1), x = theta + N(0, 0.7): posterior mean, its sd, the truth, and draws of it."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(COUNT, 2))
    x = truth + 0.7 * rng.normal(size=truth.shape)
    mean, sd = x / (1 + 0.49), np.sqrt(0.49 / 1.49)
    return truth, mean, sd, rng.normal(size=(COUNT, DRAWS, 2))


def test_the_true_posterior_is_calibrated(world):
    truth, mean, sd, e = world
    found = ranks(mean[:, None] + sd * e, truth)
    assert len(LEVELS) == 20
    np.testing.assert_allclose(coverage(found), LEVELS[:, None] + np.zeros(2), atol=0.035)
    assert uniformity(found).probability.min() > 0.01
    np.testing.assert_allclose(gaussian_ranks(mean, np.full_like(mean, sd), truth), found, atol=0.16)


@pytest.mark.parametrize("change", ["narrow", "biased"])
def test_a_wrong_posterior_is_found_out(world, change):
    truth, mean, sd, e = world
    draws = mean[:, None] + (0.6 if change == "narrow" else 1.0) * sd * e + (0.3 * sd if change == "biased" else 0.0)
    found = ranks(draws, truth)
    assert uniformity(found).probability.max() < 1e-4
    if change == "narrow":
        assert coverage(found)[10].max() < LEVELS[10] - 0.1


def test_weights_mend_draws_of_another_density(world):
    truth, mean, sd, e = world
    wide, shift = 1.3 * sd, 0.4 * sd
    draws = mean[:, None] + shift + wide * e
    one = draws[..., :1]  # weights are of the first quantity alone
    log_w = -0.5 * ((one - mean[:, None, :1]) / sd) ** 2 + 0.5 * e[..., :1] ** 2
    w = np.exp(log_w[..., 0])
    found = ranks(one, truth[:, :1], w / w.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(coverage(found), LEVELS[:, None], atol=0.035)
    assert uniformity(ranks(one, truth[:, :1])).probability.max() < 1e-4


def test_roc_of_shifted_gaussians():
    rng = np.random.default_rng(1)
    found = roc(rng.normal(size=4000), 1 + rng.normal(size=4000))
    assert found.area == pytest.approx(0.7602, abs=0.015)  # Phi(1 / sqrt 2)
    assert found.false[0] == 0 and found.true[-1] == 1
    assert roc(np.zeros(3), np.zeros(4)).area == 0.5
    assert roc(np.zeros(3), np.full(4, np.nan)).area == 1.0  # what has no number is the first to alarm


def test_a_posterior_without_weights_covers_nothing_and_is_not_left_out():
    found = ranks(np.zeros((2, 4, 1)), np.ones((2, 1)), np.array([[0.25] * 4, [np.nan] * 4]))
    assert np.isnan(found[1, 0]) and np.isfinite(found[0, 0])
    np.testing.assert_array_equal(coverage(np.array([[0.5], [np.nan]]))[:, 0], 0.5)
    with pytest.raises(ValueError, match="1 of 2"):
        uniformity(found)
