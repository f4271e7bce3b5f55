"""Saved networks: loaded alone, refused where they do not belong; what they give is the fit."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import BasisSet, Sampling, Status
from mrsjax.core.basis import BasisOrigin
from mrsjax.inference import fit
from mrsjax.nn import (
    Matched,
    Network,
    Saved,
    Training,
    build,
    calibrate,
    distances,
    familiarity,
    load,
    predict,
    train,
    weighted,
)
from mrsjax.nn.adaptation import adapt
from mrsjax.nn.checkpoint import read_arrays, write_arrays
from mrsjax.nn.flows import NeuralPosterior
from mrsjax.nn.prediction import encode
from mrsjax.nn.spread import Ensemble
from mrsjax.nn.storage import write_network
from tests.nn.small import PREDICTED, N, model, simulator, spec
from tests.physics.examples import basis, sampling


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net")
    network = calibrate(spec(), basis(N), sampling(N), simulator(), count=128)
    data = Matched(simulator(), network.model.names, PREDICTED)
    settings = Training(steps=150, batch=64, validation=64, every=50, warmup=5, learning_rate=3e-3)
    network = train(network, data, weighted({"parameters": 1.0}), settings).network
    known = familiarity(network.inputs, simulator(), count=256, key=jax.random.key(9))
    write_network(folder, network, basis(N), sampling(N), known, {"recipe": "singlets"})
    source = simulator()
    draw = eqx.filter_jit(lambda keys: jax.vmap(source.sample)(keys))
    return folder, network, draw(jax.random.split(jax.random.key(77), 8))


def test_a_loaded_network_is_the_one_that_was_saved(trained):
    folder, network, samples = trained
    saved = load(folder)
    one, two = (eqx.filter_jit(lambda x, n=n: jax.vmap(n)(x))(samples.data) for n in (network, saved.network))
    np.testing.assert_allclose(one.vector, two.vector, rtol=1e-6)
    np.testing.assert_allclose(one.amplitudes, two.amplitudes, rtol=1e-5)
    card = json.loads((folder / "card.json").read_text())
    assert (
        card["recipe"] == "singlets" and card["sampling"]["points"] == N and card["versions"]["jax"] == jax.__version__
    )


def test_ensembles_and_flows_are_loaded_as_they_were(tmp_path):
    network = build(spec(variance=True), basis(N), sampling(N))
    known = familiarity(network.inputs, simulator(), count=64, key=jax.random.key(9))
    ensemble = Ensemble(network, basis(N), sampling(N), 2)
    ensemble = eqx.tree_at(lambda e: e.params, ensemble, jax.tree.map(lambda x: x + 0.1, ensemble.params))
    flow = NeuralPosterior(network, key=jax.random.key(5), layers=2, width=8, knots=4)
    flow = eqx.tree_at(lambda f: f.params, flow, jax.tree.map(lambda x: x + 0.1, flow.params))
    density = eqx.filter_jit(lambda f, x: f.flow().log_prob(x, jnp.ones(6)))
    x = jnp.array([0.3, -0.7, 1.1], jnp.float32)
    for name, whole in (("ensemble", ensemble), ("flow", flow)):
        write_network(tmp_path / name, whole, basis(N), sampling(N), known, {})
        found = load(tmp_path / name)
        arrays = eqx.filter((found.whole, whole), eqx.is_array)
        jax.tree.map(np.testing.assert_array_equal, *arrays)
        assert isinstance(found.network, Network)
    assert (
        float(density(found.whole, x))
        == float(density(flow, x))
        != float(density(NeuralPosterior(network, key=jax.random.key(5), layers=2, width=8, knots=4), x))
    )


def test_a_network_knows_the_sequence_and_echo_time_of_its_basis(trained, tmp_path):
    folder, network, _ = trained
    made = basis(N)
    made = BasisSet(made.fids, made.names, made.sampling, BasisOrigin("PRESS", 0.03, source="made here"))
    write_network(tmp_path, network, made, sampling(N), load(folder).familiarity, {})
    found = load(tmp_path).basis.origin
    assert (found.sequence, found.echo_time, found.source) == ("PRESS", 0.03, "made here")
    arrays = read_arrays(tmp_path / "model.npz")
    card = json.loads(str(arrays["card"]))
    old = {**card, "basis": {k: card["basis"][k] for k in ("names", "sha256", "source", "sampling")}}
    write_arrays(tmp_path / "model.npz", {**arrays, "card": np.array(json.dumps(old))})
    assert load(tmp_path).basis.origin.echo_time is None


def test_prediction_is_the_fit_from_a_learned_start(trained):
    folder, _, samples = trained
    saved, fids = load(folder), np.asarray(samples.data, complex)
    cold = fit(model(), fids)
    warm = predict(saved, fids, sampling(N), iterations=8)
    assert np.all(np.asarray(warm.status) == Status.CONVERGED)
    np.testing.assert_allclose(warm.amplitudes, cold.amplitudes, rtol=5e-3, atol=0.02)
    np.testing.assert_allclose(warm.crlb, cold.crlb, rtol=0.02)
    raw = predict(saved, fids, sampling(N), iterations=0)
    error = [float(jnp.abs(r.amplitudes - samples.truth["amplitudes"]).mean()) for r in (raw, warm)]
    assert error[1] < error[0] < 3.0
    bad = np.concatenate([fids[:1], np.full((1, N), np.nan + 0j)])
    assert list(predict(saved, bad, sampling(N)).status)[1] == Status.INVALID_DATA


def test_an_ensemble_predicts_the_moments_of_its_members(trained):
    folder, network, samples = trained
    saved = load(folder)
    params = jax.tree.map(lambda x: jnp.stack([x, 1.1 * x]), network.encoder.params)
    ensemble = eqx.tree_at(lambda e: e.params, Ensemble(network, basis(N), sampling(N), 2), params)
    fids = np.concatenate([np.asarray(samples.data[:3], complex), np.full((1, N), np.nan + 0j)])
    members = [ensemble.member(jax.tree.map(lambda x, k=k: x[k], params)) for k in range(2)]
    one, two = (predict(saved._replace(network=n, whole=n), fids, sampling(N), iterations=0) for n in members)
    found = predict(saved._replace(whole=ensemble), fids, sampling(N), iterations=0)
    half = 0.5 * (np.asarray(one.amplitudes) - np.asarray(two.amplitudes))
    assert np.abs(half[:3]).max() > 0.1
    np.testing.assert_allclose(found.amplitudes, 0.5 * (one.amplitudes + two.amplitudes), rtol=1e-6)
    covariance = 0.5 * (one.covariance + two.covariance) + half[:, :, None] * half[:, None]
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(found.cost, np.minimum(one.cost, two.cost), rtol=1e-6)
    assert list(found.status == one.status) == [True] * 4


def test_denoised_data_keep_the_noise_before(trained):
    """The bounds are those of the noise that is said, not of what can still be seen."""
    folder, _, samples = trained
    saved, fids = load(folder), np.asarray(samples.data[:2], complex)
    one, two = (predict(saved, fids, sampling(N), iterations=8, noise_sd=sd) for sd in (0.05, 0.5))
    np.testing.assert_allclose(two.noise_sd, 10 * np.asarray(one.noise_sd), rtol=1e-5)
    assert np.all(np.asarray(two.crlb) > 3 * np.asarray(one.crlb))


def test_a_network_with_amplitudes_of_its_own_gives_these(trained):
    network = calibrate(spec(amplitudes="network"), basis(N), sampling(N), simulator(), count=64)
    known = familiarity(network.inputs, simulator(), count=64, key=jax.random.key(9))
    card = {"network": {"model": dict(network.spec.model)}}
    saved = Saved(network, basis(N), sampling(N), known, card, network)
    fids = np.asarray(trained[2].data[:2], complex)
    fids = np.concatenate([fids, np.full((1, N), np.nan + 0j)])
    found = predict(saved, fids, sampling(N))
    own = eqx.filter_jit(lambda n, x: jax.vmap(n)(x).amplitudes)(network, jnp.asarray(fids[:2], jnp.complex64))
    np.testing.assert_allclose(found.amplitudes[:2], own, rtol=1e-4)
    assert np.isnan(found.amplitudes[2]).all() and np.isfinite(found.crlb[:2]).all()
    with pytest.raises(ValueError, match=r"iterations: .* wanted none, found 3"):
        predict(saved, fids, sampling(N), iterations=3)


def test_a_refined_network_is_used_with_its_refinement(trained):
    """Estimates, an ensemble's, predictions and what adaptation begins with."""
    folder, plain, samples = trained
    network = calibrate(spec(amplitudes="refined", steps=2), basis(N), sampling(N), simulator(), count=64)
    network = eqx.tree_at(lambda n: (n.encoder, n.map), network, (plain.encoder, plain.map))
    fids = np.asarray(samples.data[:3], np.complex64)
    wanted, start = eqx.filter_jit(lambda n, x: (jax.vmap(n)(x), jax.vmap(n.encode)(x)))(network, fids)
    shift = lambda values: np.asarray(values["metabolites"]["shift"])  # noqa: E731
    assert np.abs(shift(wanted.values) - shift(start.values)).max() > 0.1
    found, amplitudes = encode(network, fids)
    np.testing.assert_allclose(shift(found), shift(wanted.values), atol=1e-3)
    np.testing.assert_allclose(amplitudes, wanted.amplitudes, rtol=1e-3)
    both = Ensemble(network, basis(N), sampling(N), 2)
    both = eqx.tree_at(lambda e: e.params, both, jax.tree.map(lambda x: jnp.stack([x, x]), network.encoder.params))
    np.testing.assert_allclose(shift(encode(both, fids)[0])[:, 1], shift(wanted.values), atol=1e-3)
    saved = load(folder)._replace(network=network, whole=network)
    told = predict(saved, fids.astype(complex), sampling(N), iterations=0)
    np.testing.assert_allclose(told.parameters["metabolites.shift"], shift(wanted.values), atol=1e-3)
    np.testing.assert_allclose(shift(adapt(network, fids, steps=0).values), shift(wanted.values), atol=1e-3)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (Sampling(5e-4, 123.25e6, N, ppm_ref=4.7), "ppm reference"),
        (Sampling(5e-4, 123.25e6, N, nucleus="31P"), "nucleus"),
        (Sampling(4e-4, 123.25e6, N), "dwell time"),
        (Sampling(5e-4, 297e6, N), "central frequency"),
        (Sampling(5e-4, 123.25e6, 512), "points"),
    ],
)
def test_other_data_are_refused(trained, other, named):
    with pytest.raises(ValueError, match=named):
        load(trained[0]).check(other)


def test_another_basis_is_refused(trained):
    saved = load(trained[0])
    saved.check(sampling(N), basis(N))
    other = basis(N)
    with pytest.raises(ValueError, match="basis"):
        saved.check(sampling(N), BasisSet(1.01 * other.fids, other.names, other.sampling))


def test_damaged_and_foreign_files_are_refused(trained, tmp_path):
    with pytest.raises(ValueError, match="neither"):
        load(tmp_path)
    np.savez(tmp_path / "object.npz", card=np.array({"a": 1}, dtype=object))
    with pytest.raises(ValueError, match="readable"):
        load(tmp_path / "object.npz")
    arrays = read_arrays(trained[0] / "model.npz")
    (tmp_path / "cut.npz").write_bytes((trained[0] / "model.npz").read_bytes()[:5000])
    with pytest.raises(ValueError, match="readable"):
        load(tmp_path / "cut.npz")
    key = next(k for k in arrays if "kernel" in k)
    write_arrays(tmp_path / "shape.npz", {**arrays, key: arrays[key][:-1]})
    with pytest.raises(ValueError, match="wanted shape"):
        load(tmp_path / "shape.npz")
    card = json.loads(str(arrays["card"]))
    newer = {**card, "network": {**card["network"], "depth": 3}}
    without = {k: v for k, v in card.items() if k != "sampling"}
    for changed, named in ((newer, "depth"), (without, "no sampling")):
        write_arrays(tmp_path / "card.npz", {**arrays, "card": np.array(json.dumps(changed))})
        with pytest.raises(ValueError, match=named):
            load(tmp_path / "card.npz")
    write_arrays(tmp_path / "card.npz", {**arrays, "card": np.array('{"schema": "other"}')})
    with pytest.raises(ValueError, match="schema"):
        load(tmp_path / "card.npz")


def test_unlike_data_are_far(trained):
    folder, _, samples = trained
    saved = load(folder)
    near = distances(saved.familiarity, saved.network.inputs, samples.data)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4, N)) + 1j * rng.normal(size=(4, N))
    broad = np.asarray(samples.data) * np.exp(-60 * np.asarray(sampling(N).time))
    assert near.max() < 1.3
    assert distances(saved.familiarity, saved.network.inputs, noise).min() > 2
    assert distances(saved.familiarity, saved.network.inputs, broad).mean() > near.mean()
