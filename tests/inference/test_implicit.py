import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.inference import differentiable_fit, fit
from tests.inference.test_fit import TRUTH
from tests.physics.examples import brain


@pytest.fixture(scope="module")
def fits():
    """A fit at the default tolerance of a model with own lines, free line and spline baseline."""
    model = brain(512, macromolecules="off")
    rng = np.random.default_rng(11)
    clean = np.asarray(model.signal(model.start(), jnp.asarray(TRUTH)))
    noise = 0.02 * np.abs(clean[0]) * (rng.normal(size=(2, clean.size)) + 1j * rng.normal(size=(2, clean.size)))
    fids = clean + noise
    fids[1] = np.nan
    sd = 0.02 * float(np.abs(clean[0]))
    return model, fids, sd, fit(model, fids, noise_sd=sd)


def test_a_fit_at_the_default_tolerance_is_polished_before_it_is_differentiated(fits):
    model, fids, sd, result = fits
    fid = jnp.asarray(fids[0])
    direction = jnp.asarray(np.random.default_rng(6).normal(size=fid.shape)) * sd
    estimate, tangent = jax.jvp(
        lambda x: differentiable_fit(model, x, result, 0).amplitudes, (fid,), (direction.astype(fid.dtype),)
    )
    h = 0.5  # the refits iterate in single precision
    both = np.stack([fid + h * direction, fid - h * direction, fid])
    tight = np.asarray(fit(model, both, noise_sd=sd, tolerance=1e-12, max_iterations=200).amplitudes)
    crlb = np.asarray(result.crlb[0])
    assert np.abs((np.asarray(estimate) - tight[2]) / crlb).max() < 0.02
    np.testing.assert_allclose(tangent, (tight[0] - tight[1]) / (2 * h), atol=0.02 * np.abs(tangent).max())


def test_what_is_no_optimum_has_no_derivative(fits):
    model, fids, _, result = fits
    invalid = differentiable_fit(model, jnp.asarray(fids[1]), result, 1)
    assert np.isnan(np.asarray(invalid.amplitudes)).all()
    other = differentiable_fit(model, jnp.asarray(5 * fids[0] + 3 * fids[0][::-1]), result, 0, newton_steps=0)
    assert np.isnan(np.asarray(other.amplitudes)).all()


def test_stiffness_and_widths_of_priors_have_their_derivatives(fits):
    model, fids, _, result = fits
    fid = jnp.asarray(fids[0])

    def at(change, steps=6):
        stiffer = eqx.tree_at(lambda m: m.baseline.log_stiffness, model, model.baseline.log_stiffness + change)
        return differentiable_fit(stiffer, fid, result, 0, newton_steps=steps).amplitudes

    _, tangent = jax.jvp(at, (0.0,), (1.0,))
    assert float(jnp.abs(tangent).max()) > 1e-3 * float(result.crlb[0].min())

    def moved(change):  # the optimum itself at another stiffness
        other = eqx.tree_at(lambda r: r.state.log_stiffness, result, result.state.log_stiffness + change)
        return differentiable_fit(model, fid, other, 0, newton_steps=6).amplitudes

    numeric = (moved(1e-3) - moved(-1e-3)) / 2e-3
    np.testing.assert_allclose(tangent, numeric, atol=1e-3 * float(jnp.abs(numeric).max()))


@pytest.fixture
def fitted(fits):
    model, fids, _, result = fits
    return model, jnp.asarray(fids[0]), result


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
    wanted[0] = -float(differentiable_fit(model, fid, result, 0).amplitudes[0])
    np.testing.assert_allclose(jacobian, wanted, atol=1e-4 * abs(wanted[0]))


def test_gradient_with_respect_to_dwell_time_agrees_with_finite_differences(fitted):
    model, fid, result = fitted

    def at(scale, steps):
        other = eqx.tree_at(lambda m: m.sampling.dwell_time, model, model.sampling.dwell_time * scale)
        return differentiable_fit(other, fid, result, 0, newton_steps=steps).amplitudes

    gradient = jax.jacfwd(lambda s: at(s, 2))(1.0)
    numeric = (at(1 + 1e-5, 4) - at(1 - 1e-5, 4)) / 2e-5
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3 * float(jnp.abs(numeric).max()))
