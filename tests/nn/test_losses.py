"""Losses and what a data set says of the truth, by their formulas; which losses a network can be trained with."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import Sample
from mrsjax.nn import Matched, NetworkSpec, build, layers
from mrsjax.nn.losses import amplitudes, check, likelihood, weighted
from mrsjax.nn.network import Calibration
from tests.nn.small import PREDICTED, N, simulator, spec
from tests.physics.examples import basis, sampling

CALIBRATION = Calibration(np.array([0.5, 3.0, 0.1]), np.array([2.0, 1.5, 0.2]), np.linspace(2, 7, 6), np.full(6, 2.0))


@pytest.fixture(scope="module")
def own():
    """A network that gives amplitudes and standard deviations, and what it says of one FID."""
    network = build(spec(amplitudes="network", variance=True), basis(N), sampling(N), CALIBRATION)
    sample = eqx.filter_jit(lambda s, k: s.sample(k))(simulator(), jax.random.key(1))
    return network, eqx.filter_jit(lambda n, x: n(x))(network, sample.data)


def test_outputs_of_the_truth_are_what_says_it(own):
    network, found = own
    np.testing.assert_allclose(
        network.outputs_of(found.vector, found.amplitudes, found.scale), found.outputs, atol=2e-4
    )
    mean = network.outputs_of(jnp.asarray(CALIBRATION.location), 3.0 * CALIBRATION.amplitude, jnp.float32(3.0))
    np.testing.assert_allclose(mean, 0.0, atol=2e-4)
    none = network.outputs_of(found.vector, jnp.zeros(6), found.scale)
    assert np.isfinite(none).all() and none[3:].max() < -3


def test_the_likelihood_is_that_of_the_outputs(own):
    network, found = own
    away = jnp.linspace(-1.0, 1.0, 9)
    vector = network.map.vector(found.outputs[:3] + away[:3])
    truth = network.positive(found.outputs[3:] + away[3:], found.scale)
    given = {"vector": vector, "amplitudes": truth.at[5].set(jnp.nan)}
    terms = 0.5 * (away / np.exp(found.log_sd)) ** 2 + found.log_sd
    value = likelihood(network, found, Sample(found.amplitudes, given, {}))
    assert float(value) == pytest.approx(float(terms[:8].mean()), rel=1e-3)


def test_the_error_of_amplitudes_is_in_units_of_their_spread(own):
    network, found = own
    truth = found.amplitudes + found.scale * 2.0 * jnp.array([1.0, -1.0, 0.5, 0.0, 2.0, jnp.nan])
    value = amplitudes(network, found, Sample(found.amplitudes, {"amplitudes": truth}, {}))
    assert float(value) == pytest.approx((1 + 1 + 0.25 + 0 + 4) / 5, rel=1e-4)


def test_a_refined_network_is_its_layer():
    network = build(spec(amplitudes="refined", steps=2), basis(N), sampling(N), CALIBRATION)
    fid = eqx.filter_jit(lambda s, k: s.sample(k))(simulator(), jax.random.key(1)).data

    @eqx.filter_jit
    def both(network, fid):
        start = network.encode(fid)
        return network(fid), start, layers.refine(network.model, start.problem, start.values, 2)

    found, start, (values, c) = both(network, fid)
    np.testing.assert_allclose(found.amplitudes, start.noise * c, rtol=1e-5)
    np.testing.assert_allclose(found.vector, network.map.of(values), rtol=1e-5)
    assert np.abs(found.vector - start.vector).max() > 1e-3


class Known(eqx.Module):
    """Components in another order than the network's, one of them missing."""

    model: object = eqx.field(static=True)

    def sample(self, key):
        values = {"metabolites": {"shift": jnp.float32(1.5), "lorentz": jnp.float32(2.5)}}
        return Sample(jnp.zeros(4), {"amplitudes": jnp.array([1.0, 2.0, 3.0]), "values": values}, {})


def test_truth_comes_in_the_order_of_the_network():
    class Model:
        names = ("Ins", "NAA", "Cr")

    matched = Matched(Known(Model()), ("NAA", "Lac", "Ins"), ("metabolites.lorentz", "metabolites.shift"))
    truth = matched.sample(jax.random.key(0)).truth
    np.testing.assert_array_equal(truth["amplitudes"], [2.0, np.nan, 1.0])
    np.testing.assert_array_equal(truth["vector"], [2.5, 1.5])
    with pytest.raises(ValueError, match=r"phase\.phase_zero"):
        Matched(Known(Model()), ("NAA",), ("phase.phase_zero",)).sample(jax.random.key(0))


@pytest.mark.parametrize(
    ("network", "loss", "named"),
    [
        ({}, "likelihood", "variance: true"),
        ({"variance": True}, "parameters", r"network\.variance"),
        ({"amplitudes": "none"}, "amplitudes", "amplitudes: none"),
        ({"amplitudes": "none"}, "signal", "amplitudes: none"),
        ({"predicted": (), "amplitudes": "network"}, "parameters", "predicted"),
    ],
    ids=str,
)
def test_losses_that_a_network_cannot_have_are_named(network, loss, named):
    with pytest.raises(ValueError, match=named):
        check(NetworkSpec(**{"predicted": PREDICTED, **network}), {loss: 1.0})


@pytest.mark.parametrize("weight", [-1.0, 0.0, np.nan, np.inf, True, "much"])
def test_weights_of_losses_are_positive(weight):
    with pytest.raises(ValueError, match=r"loss\.residual: wanted a number above 0"):
        weighted({"residual": weight})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"encoder": "mlp"}, "encoder: wanted a mapping"),
        ({"inputs": []}, "inputs: wanted a mapping"),
        ({"predicted": "metabolites.shift"}, "predicted: wanted a list"),
        ({"predicted": [1]}, "predicted: wanted a list"),
        ({"predicted": []}, "at least one parameter"),
        ({"steps": -1}, "steps"),
        ({"steps": 1.5}, r"network\.steps: wanted a whole number"),
        ({"variance": "no"}, r"network\.variance: wanted true or false, found 'no'"),
        ({"seed": -1}, r"network\.seed"),
        ({"predicted": 3}, "predicted: wanted a list"),
    ],
    ids=str,
)
def test_mistakes_in_a_specification_are_named(given, named):
    with pytest.raises(ValueError, match=named):
        NetworkSpec(**given)
