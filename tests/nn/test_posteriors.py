"""How far a network is from certain: spreads, ensembles, flows with exact weights, adaptation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.analysis.calibration import ranks
from mrsjax.inference.marginal import marginal
from mrsjax.nn import Matched, Training, calibrate, flows, layers, train, weighted
from mrsjax.nn.adaptation import adapt
from mrsjax.nn.flows import NeuralPosterior, negative_log_density, sample
from mrsjax.nn.network import build
from mrsjax.nn.prediction import encode
from mrsjax.nn.spread import Ensemble, each, mixture, of_dropout, of_ensemble
from tests.nn import small
from tests.physics.examples import basis, sampling

SETTINGS = Training(steps=600, batch=64, every=200, validation=64, learning_rate=4e-3, warmup=20, weight_decay=0.0)
#: So much that a network of 32 units reaches its posteriors within seconds.
NOISE = 20.0
RANGES = np.array([[-4.0, 4.0], [1.0, 6.0], [-0.4, 0.4]])


def log_prior(vector):
    """Of small.Singlets."""
    low, high = jnp.asarray(RANGES.T, vector.dtype)
    return jnp.where(jnp.all((vector >= low) & (vector <= high)), 0.0, -jnp.inf)


def draw(count, seed=5, noise=0.05):
    keys = jax.random.split(jax.random.key(seed), count)
    return eqx.filter_jit(lambda s, k: jax.vmap(s.sample)(k))(small.simulator(noise), keys)


@pytest.fixture(scope="module")
def flow():
    """A flow trained for some seconds on the small world."""
    simulator = small.simulator(NOISE)
    network = calibrate(small.spec(variance=True), basis(small.N), sampling(small.N), simulator, count=256)
    posterior = NeuralPosterior(network, key=jax.random.key(1), layers=3, width=16, knots=4)
    data = Matched(simulator, network.model.names, small.PREDICTED)
    return train(posterior, data, negative_log_density, SETTINGS)


def test_mixture_has_the_moments_of_its_draws():
    rng = np.random.default_rng(0)
    mean, log_sd = rng.normal(size=(5, 2)), 0.3 * rng.normal(size=(5, 2))
    found = mixture(jnp.asarray(mean), jnp.asarray(log_sd))
    drawn = mean[rng.integers(5, size=400000)]
    which = rng.integers(5, size=400000)
    drawn = mean[which] + np.exp(log_sd[which]) * rng.normal(size=(400000, 2))
    np.testing.assert_allclose(found.mean, drawn.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(found.total, drawn.std(axis=0), rtol=0.01)


def test_marginal_likelihood_is_the_integral_over_amplitudes():
    """One amplitude, no baseline: the integral of exp(-chi^2 / 2) by quadrature, at two parameter values."""
    model = small.model()
    model = eqx.tree_at(lambda m: m.groups[0].fids, model, model.groups[0].fids[:1])
    group = model.groups[0]
    model = eqx.tree_at(
        lambda m: m.groups, model, (type(group)(group.fids, group.lineshape, group.own, "metabolites", ("NAA",)),)
    )
    s = draw(1, noise=0.5)
    problem = layers.problem(model, jnp.asarray(s.data[0], complex), jnp.asarray(2.0))
    start = model.start()

    def numeric(values):
        design = model.design(values)[0][0]
        c = np.linspace(-20, 20, 20001)
        rest = np.asarray(problem.data)[None] - c[:, None] * np.asarray(design)[None]
        chi2 = np.sum(np.abs(rest) ** 2, axis=1)
        return -0.5 * chi2.min() + np.log(np.sum(np.exp(-0.5 * (chi2 - chi2.min()))))

    other = {**start, "metabolites": {**start["metabolites"], "lorentz": jnp.asarray(6.0)}}
    exact = [marginal(model, problem, v).log_likelihood for v in (start, other)]
    assert float(exact[1] - exact[0]) == pytest.approx(numeric(other) - numeric(start), rel=1e-6)


@pytest.mark.slow
def test_weighted_draws_are_the_posterior(flow):
    """Against the posterior on a grid over the three parameters: means and standard deviations, of the amplitudes too."""
    network, s = flow.network.network, draw(4, noise=NOISE)
    axes = [
        np.linspace(a, b, n, endpoint=False) + (b - a) / n / 2 for (a, b), n in zip(RANGES, (48, 24, 24), strict=True)
    ]
    grid = jnp.asarray(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3), jnp.float32)

    @jax.jit
    def on_grid(fid):
        found = network.encode(fid)
        at = jax.vmap(lambda v: marginal(network.model, found.problem, network.map.tree(v)))(grid)
        w = jax.nn.softmax(at.log_likelihood)
        mean, c = w @ grid, w @ at.mean
        deviation = jnp.sqrt(w @ (at.variance + (at.mean - c) ** 2))
        return mean, jnp.sqrt(w @ (grid - mean) ** 2), found.noise * c, found.noise * deviation

    mean, sd, amplitudes, deviations = (np.stack(x) for x in zip(*map(on_grid, s.data), strict=True))
    draws = 16000
    found = sample(flow.network, s.data, log_prior, draws=draws, key=jax.random.key(0))
    assert np.asarray(found.efficiency).min() * draws > 200  # effective draws: a mean is good to 0.07 of its deviation
    w, v = np.asarray(found.weights)[..., None], np.asarray(found.vectors)
    got = np.sum(w * v, axis=1)
    assert np.abs((got - mean) / sd).max() < 0.25
    np.testing.assert_allclose(np.sqrt(np.sum(w * (v - got[:, None]) ** 2, axis=1)), sd, rtol=0.25)
    assert np.abs((found.amplitudes - amplitudes) / deviations).max() < 0.15
    np.testing.assert_allclose(found.amplitudes_sd, deviations, rtol=0.1)


def test_no_draw_inside_the_prior_is_an_alarm(flow):
    """Weights do not exist, and the effective number is 0: not NaN, which no threshold hears."""
    fids = draw(3, noise=NOISE).data
    never = lambda vector: jnp.where(vector[0] > 1e6, 0.0, -jnp.inf)  # noqa: E731
    found = sample(flow.network, fids, never, draws=8, key=jax.random.key(0))
    np.testing.assert_array_equal(found.efficiency, 0.0)
    assert np.isnan(found.weights).all() and np.isnan(found.amplitudes).all()
    assert np.isnan(ranks(found.vectors, np.zeros((3, 3)), found.weights)).all()


def test_draws_are_made_slot_by_slot(flow):
    """Any number of FIDs; a draw adds its numbers to the memory of the program (0.7 kB measured), not a signal model (10 kB)."""
    fids = draw(11, noise=NOISE).data
    many = sample(flow.network, fids, log_prior, draws=16, key=jax.random.key(0))
    assert many.vectors.shape == (11, 16, 3) and not np.allclose(many.vectors[0], many.vectors[1])
    few = flows._sample.lower(flow.network, fids[:8], np.zeros((8, 2), np.uint32), log_prior, 16)
    more = flows._sample.lower(flow.network, fids[:8], np.zeros((8, 2), np.uint32), log_prior, 160)
    needed = [x.compile().compiled.memory_analysis().temp_size_in_bytes for x in (few, more)]
    assert needed[1] - needed[0] < 8 * 144 * 2000, needed


def test_few_effective_draws_say_that_the_data_are_unlike(flow):
    """A line of no metabolite among theirs. (The same line in the empty part of the window is hardly noticed: ROC 0.65 to 0.73 in four trainings.)"""
    usual = draw(24, noise=NOISE)
    t = np.arange(small.N) * 5e-4
    odd = np.asarray(usual.data) + 300 * np.exp(-2j * np.pi * 100 * t - 60 * t)
    effective = [
        np.asarray(
            sample(flow.network, jnp.asarray(x, jnp.complex64), log_prior, draws=400, key=jax.random.key(0)).efficiency
        )
        for x in (usual.data, odd)
    ]
    assert np.median(effective[1]) < 0.1 * np.median(effective[0]), effective
    assert np.mean(effective[1][:, None] < effective[0]) > 0.95


def test_outputs_invert_the_map():
    network = small_network()
    u = jnp.array([0.7, -1.2, 0.3], jnp.float32)
    np.testing.assert_allclose(network.map.outputs(network.map.vector(u)), u, atol=1e-4)


def small_network(**changes):
    return calibrate(small.spec(**changes), basis(small.N), sampling(small.N), small.simulator(), count=64)


@pytest.mark.slow
def test_an_ensemble_is_its_members_and_trains_as_one():
    network = small_network()
    ensemble = Ensemble(network, basis(small.N), sampling(small.N), 3)
    fids = draw(4).data
    found = of_ensemble(ensemble, fids)
    alone = [build(small.spec(seed=k), basis(small.N), sampling(small.N)).encoder.params for k in range(3)]
    members = jnp.stack([jax.vmap(lambda x, p=p: ensemble.member(p).encode(x).outputs)(fids) for p in alone])
    np.testing.assert_allclose(found.mean, members.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.epistemic, members.std(axis=0), atol=1e-5)
    assert float(found.aleatoric.max()) == 0
    data = Matched(small.simulator(), network.model.names, small.PREDICTED)
    few = Training(steps=60, batch=32, every=30, validation=32, learning_rate=4e-3, warmup=5)
    done = train(ensemble, data, each(weighted({"parameters": 1.0})), few)
    assert done.history[-1].validation < 0.6 * done.history[0].loss
    assert not np.allclose(*[jax.tree.leaves(done.network.params)[0][k] for k in (0, 1)])


def test_dropout_at_use_spreads():
    fids = draw(4).data
    on = of_dropout(
        small_network(encoder={"name": "mlp", "widths": [32], "rate": 0.3}), fids, draws=16, key=jax.random.key(0)
    )
    off = of_dropout(small_network(), fids, draws=16, key=jax.random.key(0))
    assert float(on.epistemic.min()) > 1e-3 and float(off.epistemic.max()) < 1e-6


def test_adaptation_lowers_the_residual_and_the_error():
    """An untrained network on spectra: its own residual, without truth, leads towards the parameters."""
    network, s = small_network(), draw(9)
    found = adapt(network, s.data, steps=40, learning_rate=5e-3)
    assert np.all(found.after <= found.before) and np.median(found.after / found.before) < 0.7
    error = lambda values: np.median(np.abs(values["metabolites"]["shift"] - s.truth["values"]["metabolites"]["shift"]))  # noqa: E731
    assert error(found.values) < 0.7 * error(encode(network, s.data)[0])
    alone = adapt(network, np.stack([s.data[3], np.nan * s.data[3]]), steps=40, learning_rate=5e-3)
    np.testing.assert_allclose(alone.after[0], found.after[3], rtol=1e-3)
    assert np.isnan(alone.after[1]) and np.isnan(alone.values["metabolites"]["shift"][1])
