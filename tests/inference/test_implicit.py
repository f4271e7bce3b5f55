import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

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
    other = jnp.asarray(1.001 * fids[0])  # the Hessian is positive there: one step would give finite numbers
    assert np.isnan(np.asarray(differentiable_fit(model, other, result, 0, newton_steps=0).amplitudes)).all()
    found = differentiable_fit(model, other, result, 0).amplitudes
    np.testing.assert_allclose(found[0], 1.001 * result.amplitudes[0, 0], rtol=0.005)


def test_stiffness_and_widths_of_priors_have_their_derivatives(fits):
    model, fids, _, result = fits
    fid = jnp.asarray(fids[0])

    def at(stiffness, width):
        own = lambda m: (m.baseline.log_stiffness, m.groups[0].own.shift_sd)  # noqa: E731
        stiff, sd = own(model)
        other = eqx.tree_at(own, model, (stiff + stiffness, sd * (1 + width)))
        return differentiable_fit(other, fid, result, 0, newton_steps=6).amplitudes

    _, tangent = jax.jvp(at, (0.0, 0.0), (1.0, 1.0))
    index = jax.tree.map(np.zeros_like, model.start())
    index["metabolites"]["own_shift"] += 1
    shift = ravel_pytree(index)[0]

    def moved(stiffness, width):  # the optimum itself, of another stiffness and of priors of another width
        weight = result.state.weight * (1 + width) ** (-2 * shift)
        where = lambda r: (r.state.log_stiffness, r.state.weight)  # noqa: E731
        other = eqx.tree_at(where, result, (result.state.log_stiffness + stiffness, weight))
        return differentiable_fit(model, fid, other, 0, newton_steps=6).amplitudes

    h = 1e-3
    parts = [(moved(*d) - moved(*-d)) / (2 * h) for d in h * np.eye(2)]
    assert min(float(jnp.abs(x).max()) for x in parts) > 0.02 * float(jnp.abs(tangent).max())
    np.testing.assert_allclose(tangent, sum(parts), atol=1e-3 * float(jnp.abs(tangent).max()))


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


@pytest.mark.parametrize("what", ["dwell time", "basis"])
def test_gradients_of_amplitudes_and_parameters_agree_with_finite_differences(fitted, what):
    model, fid, result = fitted
    where = (lambda m: m.sampling.dwell_time) if what == "dwell time" else (lambda m: m.groups[0].fids)
    rng, now = np.random.default_rng(4), where(model)
    step = now if what == "dwell time" else jnp.asarray(rng.normal(size=now.shape)) * jnp.abs(now)

    def at(scale, steps):
        found = differentiable_fit(eqx.tree_at(where, model, now + scale * step), fid, result, 0, newton_steps=steps)
        return found.amplitudes, ravel_pytree(found.values)[0]

    gradients = jax.jacfwd(lambda s: at(s, 2))(0.0)
    for gradient, up, down in zip(gradients, at(1e-5, 4), at(-1e-5, 4), strict=True):
        numeric = (up - down) / 2e-5
        np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3 * float(jnp.abs(numeric).max()))
