"""Inputs, encoders, bounds."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.nn import FlaxNet
from mrsjax.nn.bounds import ParameterMap
from mrsjax.nn.encoders import ENCODERS, encoder, register
from mrsjax.nn.inputs import Inputs
from mrsjax.nn.network import NetworkSpec
from mrsjax.nn.scattering import morlet_bank, scattering
from mrsjax.physics.options import model_options
from tests.nn.small import PREDICTED, N, model
from tests.physics.examples import sampling


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"parts": "real"},
        {"parts": "magnitude", "window_ppm": (1.0, 4.0)},
        {"domain": "fid", "points": 128},
        {"domain": "spectrogram"},
        {"domain": "scattering"},
    ],
    ids=str,
)
def test_inputs_are_free_of_scale_and_keep_it(options):
    inputs = Inputs(sampling(N), **options)
    rng = np.random.default_rng(0)
    fid = jnp.asarray((rng.normal(size=N) + 1j * rng.normal(size=N)) * np.exp(-np.arange(N) / 50), jnp.complex64)
    call = jax.jit(inputs.__call__)
    features, scale = call(fid)
    large, larger = call(1000 * fid)
    assert features.shape == inputs.shape(N) and features.dtype == jnp.float32
    np.testing.assert_allclose(large, features, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(larger, 1000 * scale, rtol=1e-5)
    assert 0.05 < float(jnp.sqrt(jnp.mean(features**2))) < 2.0


@pytest.mark.parametrize(
    "options",
    [
        {"points": 128},
        {"domain": "wavelet"},
        {"parts": "phase"},
        {"domain": "fid", "points": 4096},
        {"window_ppm": (20, 30)},
        {"window_ppm": 3},
        {"window_ppm": ("low", 4.0)},
        {"domain": "fid", "points": 100.5},
        {"parts": ["real"]},
    ],
    ids=str,
)
def test_impossible_inputs_are_refused(options):
    with pytest.raises(ValueError, match=r"wanted|holds|has no use"):
        Inputs(sampling(N), **options)


def test_scattering_does_not_see_phase_and_hardly_a_small_shift():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=256) + 1j * rng.normal(size=256))
    x = jnp.convolve(x, jnp.hanning(9), mode="same")
    bank = morlet_bank(256)
    assert np.abs(bank[:, 0]).max() < 1e-12  # admissible: no mean
    whole, turned = scattering(x)[:, 2:], scattering(x * jnp.exp(0.7j))[:, 2:]
    np.testing.assert_allclose(turned, whole, atol=1e-10)
    moved = scattering(jnp.roll(x, 1))[:, 2:]
    change = jnp.linalg.norm(moved - whole) / jnp.linalg.norm(whole)
    assert change < 0.15 < jnp.linalg.norm(jnp.roll(x, 1) - x) / jnp.linalg.norm(x)


SHAPES = {"cnn2d": (32, 8, 2)}
SMALLER = {
    "resnet": {"blocks": 1},
    "transformer": {"blocks": 1},
    "cnn": {"channels": (4, 8)},
    "cnn2d": {"channels": (4, 8), "kernels": (7, 5)},
}


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_encoders(name):
    shape = SHAPES.get(name, (64, 2))
    net = FlaxNet(encoder(name, shape, 5, seed=0, rate=0.5, **SMALLER.get(name, {})))
    x = jax.random.normal(jax.random.key(1), (3, *shape))

    @eqx.filter_jit
    def everything(net, x, keys):
        gradient = jax.grad(lambda n: jnp.sum(n(x[0]) ** 2))(net)
        return jax.vmap(net)(x), net(x[1]), jax.vmap(lambda k: net(x[0], key=k))(keys), gradient

    keys = jnp.stack([jax.random.key(k) for k in (0, 0, 1)])
    plain, second, (one, again, other), gradient = everything(net, x, keys)
    assert plain.shape == (3, 5)
    np.testing.assert_allclose(plain[1], second, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-4 < np.abs(one - plain[0]).max()  # another key, another mask
    assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(gradient))  # nothing is out of reach


@pytest.mark.parametrize("name", ["cnn", "resnet", "transformer"])
def test_one_dimensional_encoders_refuse_a_spectrogram(name):
    with pytest.raises(ValueError, match=f"{name}: wanted"):
        encoder(name, (32, 8, 2), 1, seed=0)


def test_a_transformer_sees_its_last_points():
    net = eqx.filter_jit(FlaxNet(encoder("transformer", (70, 2), 3, seed=0, patch=16, blocks=1)))
    x = jax.random.normal(jax.random.key(1), (70, 2))
    assert np.abs(np.asarray(net(x.at[69].add(1.0)) - net(x))).max() > 1e-4


def test_unknown_encoders_and_options_are_refused():
    with pytest.raises(ValueError, match="mlp, cnn"):
        encoder("vgg", (8, 2), 1, seed=0)
    with pytest.raises(ValueError, match="depth"):
        encoder("mlp", (8, 2), 1, seed=0, depth=3)
    with pytest.raises(ValueError, match="a kernel for each of 4"):
        encoder("cnn2d", (32, 8, 2), 1, seed=0, channels=(2, 2, 2, 2))
    with pytest.raises(ValueError, match="taken"):
        register("mlp", encoder)


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("mlp", {"widths": [0]}, "widths: wanted a whole number"),
        ("mlp", {"widths": 64}, "widths: wanted a list"),
        ("mlp", {"rate": 1.5}, "rate: wanted a number of at least 0 and below 1, found 1.5"),
        ("mlp", {"rate": True}, "rate"),
        ("cnn", {"channels": []}, "channels: wanted a list"),
        ("cnn", {"stride": 0}, "stride"),
        ("cnn", {"kernel": 2.5}, "kernel"),
        ("resnet", {"blocks": "many"}, "blocks"),
        ("transformer", {"width": 30, "heads": 4}, "width: wanted a multiple of the 4 heads"),
        (["mlp"], {}, "wanted one of mlp"),
    ],
    ids=str,
)
def test_impossible_options_are_refused(name, options, named):
    with pytest.raises(ValueError, match=f"encoder.*{named}"):
        encoder(name, (64, 2), 3, seed=0, **options)


def test_bounds_hold_and_outputs_of_order_one_cover_the_training_data():
    location, scale = np.array([0.5, 3.0, 0.1]), np.array([2.0, 1.5, 0.2])
    mapped = ParameterMap(model().parameters(), PREDICTED, location, scale)
    np.testing.assert_allclose(mapped.vector(jnp.zeros(3)), location, rtol=1e-5)
    np.testing.assert_allclose(jnp.diagonal(jax.jacobian(mapped.vector)(jnp.zeros(3))), scale, rtol=1e-4)
    for u in (-1e3, -5.0, 5.0, 1e3):
        values = mapped.vector(jnp.full(3, u))
        assert -25 <= values[0] <= 25 and 0 <= values[1] <= 40
    tree = mapped.tree(jnp.array([1.0, 2.0, 3.0]))
    assert float(tree["phase"]["phase_zero"]) == 3.0 and float(tree["phase"]["delay"]) == 0.0
    np.testing.assert_array_equal(mapped.of(tree), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"metabolites\.gauss"):
        ParameterMap(model().parameters(), ("metabolites.gauss",), np.ones(1), np.ones(1))


def test_model_options_from_yaml_keep_what_is_false():
    """YAML 1.1 reads a bare `off` as false: that means macromolecules off, and nothing else."""
    given = {"lipids": False, "macromolecules": False, "window_ppm": [0.2, 4.2]}
    assert model_options(given) == {"lipids": False, "macromolecules": "off", "window_ppm": (0.2, 4.2)}
    assert NetworkSpec().model["own_shift"] == 0.5
