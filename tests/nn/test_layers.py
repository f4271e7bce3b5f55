"""The fit as layers: values against the fit, derivatives against finite differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import Sample
from mrsjax.inference import fit
from mrsjax.nn import build, layers
from mrsjax.nn.losses import signal
from tests.nn.small import N, model, simulator, spec
from tests.physics.examples import basis, brain, sampling

NOISE = 0.05


@pytest.fixture(scope="module")
def case():
    """Model with a baseline, an amplitude that ends at zero, FID, true values."""
    full = brain(
        256,
        lineshape="lorentz",
        macromolecules="off",
        baseline="poly2",
        own_shift=0,
        own_width=0,
        water_tails=0,
        creatine_ch2=0,
    )
    draw = lambda noise: eqx.filter_jit(lambda s, k: s.sample(k))(simulator(noise), jax.random.key(3))  # noqa: E731
    sample = draw(NOISE)
    absent = sample.truth["amplitudes"].at[5].set(-0.5)
    values = jax.tree.map(lambda x: jnp.asarray(x, float), sample.truth["values"])
    data = np.asarray(eqx.filter_jit(lambda m, v, a: m.signal(v, a))(model(), values, absent.astype(float)))
    data = data + np.asarray(sample.data - draw(0.0).data)
    return full, jnp.asarray(data), values


def _at(case, offset=0.0):
    full, data, values = case
    moved = {**values, "metabolites": {k: v + offset for k, v in values["metabolites"].items()}}
    return full, layers.problem(full, data, jnp.asarray(NOISE)), moved


def test_projection_is_the_amplitudes_of_the_fit(case):
    full, given, values = _at(case)
    start = jax.tree.map(lambda x: x[None], values)
    wanted = fit(full, np.asarray(case[1])[None], start=start, max_iterations=1)
    found = NOISE * jax.jit(lambda g, v: layers.project(full, g, v))(given, values)
    np.testing.assert_allclose(found, wanted.amplitudes[0], rtol=1e-5, atol=1e-6)
    assert float(found[5]) == 0.0


@pytest.mark.parametrize("layer", ["project", "reduced_cost", "refine"])
def test_derivatives_agree_with_finite_differences(case, layer):
    full, _, values = _at(case, 0.3)
    weights = jnp.arange(1.0, 7.0)

    @jax.jit
    def scalar(shift, width, data):
        v = {**values, "metabolites": {"shift": shift, "lorentz": width}}
        p = layers.problem(full, data, jnp.asarray(NOISE))
        if layer == "project":
            return layers.project(full, p, v) @ weights
        if layer == "reduced_cost":
            return layers.reduced_cost(full, p, v)
        refined, amplitudes = layers.refine(full, p, v, 1)
        return amplitudes @ weights + 100 * refined["metabolites"]["shift"]

    shift, width = values["metabolites"]["shift"], values["metabolites"]["lorentz"]
    data = case[1]
    gradient = jax.jit(jax.grad(scalar, argnums=(0, 1)))(shift, width, data)
    h = 1e-5
    numeric = [
        (scalar(shift + h, width, data) - scalar(shift - h, width, data)) / (2 * h),
        (scalar(shift, width + h, data) - scalar(shift, width - h, data)) / (2 * h),
    ]
    np.testing.assert_allclose(gradient, numeric, rtol=2e-4, atol=1e-4 * np.abs(numeric).max())


def test_refinement_steps_lead_to_the_optimum_of_the_fit(case):
    full, given, values = _at(case, 0.5)
    best = fit(full, np.asarray(case[1])[None], tolerance=1e-6)
    wanted = float(best.parameters["metabolites.shift"][0])
    step = jax.jit(lambda v: layers.refine(full, given, v, 1)[0])
    errors = []
    for _ in range(4):
        errors.append(abs(float(values["metabolites"]["shift"]) - wanted))
        values = step(values)
    assert errors[1] < 0.3 * errors[0] and errors[3] < 2e-3


def test_a_batch_is_its_spectra(case):
    full, given, values = _at(case, 0.2)
    both = jax.tree.map(lambda x: jnp.stack([x, x]), given)
    one = lambda g: layers.refine(full, g, values, 1)[1]  # noqa: E731
    np.testing.assert_allclose(jax.jit(jax.vmap(one))(both)[1], jax.jit(one)(given), rtol=1e-8)


def test_the_signal_loss_is_what_the_decoder_leaves():
    network = build(spec(amplitudes="network", inputs={"window_ppm": (1.8, 3.4)}), basis(N), sampling(N))

    @jax.jit
    def losses(fid):
        found = network(fid)
        decoded = network.model.signal(found.values, found.amplitudes)
        spectrum = found.amplitudes @ network.model.design(found.values)[0]
        data = network.model.crop(fid)
        left = jnp.mean(jnp.abs(data - spectrum) ** 2) / jnp.mean(jnp.abs(data) ** 2)  # of the model's window
        own = signal(network, found, Sample(decoded, {}, {}))
        return signal(network, found, Sample(fid, {}, {})), left, own

    given, wanted, none = losses(simulator().sample(jax.random.key(1)).data)
    assert float(given) == pytest.approx(float(wanted), rel=1e-4) and float(none) < 1e-10 < float(given)
