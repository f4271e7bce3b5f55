import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.inference import differentiable_fit, fit
from tests.inference.test_fit import TRUTH, synthetic


@pytest.fixture(scope="module")
def fitted():
    model, fids = synthetic(1, snr=40)
    model = eqx.tree_at(lambda m: m.groups[0].fids, model, jnp.asarray(model.groups[0].fids))
    return model, jnp.asarray(fids[0]), fit(model, fids, tolerance=1e-8)


def _refit(model, fid):
    return np.asarray(fit(model, np.asarray(fid)[None], tolerance=1e-12, max_iterations=100).amplitudes[0])


def test_value_is_the_fit(fitted):
    model, fid, result = fitted
    estimate = differentiable_fit(model, fid, result, 0)
    np.testing.assert_allclose(estimate.amplitudes, result.amplitudes[0], rtol=1e-4)
    assert np.abs(np.asarray(estimate.amplitudes) / TRUTH - 1).max() < 0.2


def test_derivative_with_respect_to_data_agrees_with_refitting(fitted):
    model, fid, result = fitted
    direction = jnp.asarray(np.random.default_rng(5).normal(size=fid.shape)) * 0.02 * jnp.abs(fid[0])
    f = lambda x: differentiable_fit(model, x, result, 0).amplitudes  # noqa: E731
    _, tangent = jax.jvp(f, (fid,), (direction.astype(fid.dtype),))
    # noise level and prior weights are held: refit with the optimum of the same problem
    h = 1e-3
    numeric = (
        np.asarray(f2(model, fid + h * direction, result)) - np.asarray(f2(model, fid - h * direction, result))
    ) / (2 * h)
    np.testing.assert_allclose(tangent, numeric, rtol=2e-3, atol=2e-3 * np.abs(numeric).max())
    refit = (_refit(model, fid + h * direction) - _refit(model, fid - h * direction)) / (2 * h)
    np.testing.assert_allclose(tangent, refit, rtol=0.05, atol=0.05 * np.abs(refit).max())


def f2(model, fid, result):
    """The optimum itself at other inputs, by repeated Newton steps."""
    return differentiable_fit(model, fid, result, 0, newton_steps=4).amplitudes


def test_gradient_with_respect_to_a_model_constant(fitted):
    model, fid, result = fitted

    def f(scale):
        scaled = eqx.tree_at(
            lambda m: m.groups[0].fids, model, model.groups[0].fids * jnp.asarray([scale, 1, 1, 1, 1, 1])[:, None]
        )
        return differentiable_fit(scaled, fid, result, 0).amplitudes

    jacobian = jax.jacrev(f)(1.0)
    # a basis response twice as large halves its amplitude: d c_0 / d scale = -c_0, all others unchanged
    wanted = np.zeros(6)
    wanted[0] = -float(result.amplitudes[0, 0])
    np.testing.assert_allclose(jacobian, wanted, atol=1e-4 * abs(wanted[0]))


def test_gradient_with_respect_to_dwell_time_agrees_with_finite_differences(fitted):
    model, fid, result = fitted

    def at(scale, steps):
        other = eqx.tree_at(lambda m: m.sampling.dwell_time, model, model.sampling.dwell_time * scale)
        return differentiable_fit(other, fid, result, 0, newton_steps=steps).amplitudes

    gradient = jax.jacfwd(lambda s: at(s, 2))(1.0)
    numeric = (at(1 + 1e-5, 4) - at(1 - 1e-5, 4)) / 2e-5
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3 * float(jnp.abs(numeric).max()))
