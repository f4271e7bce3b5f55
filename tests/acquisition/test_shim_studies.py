"""Pieces of study rows 2 and 3: how a line is judged, what the networks see and remember."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks.studies.row02_ensemble import PROBES, Ensemble
from benchmarks.studies.row03_conv_lstm import Bench, ConvLSTM, features, guess
from benchmarks.studies.shim_cases import SAMPLING, cases, width
from mrsjax.nn import FlaxNet
from simulators.phantoms.spectrometer import Spectrometer

TIME = np.asarray(SAMPLING.time)


def test_width_of_lorentz_lines_at_any_phase_and_frequency():
    for wanted in (0.9, 2.0, 4.0):
        fid = np.exp(-np.pi * wanted * TIME + 2j * np.pi * (0.3 + 0.7 * TIME))
        np.testing.assert_allclose(width(fid), wanted, rtol=0.06)


def test_cases_have_the_stated_width_and_leave_channels_alone():
    for s in cases(3, seed=2, active=(1, 1, 1, 0)):
        assert 3.4 < width(s.clean(np.zeros(4))) < 4.6
        assert s.distortion[3] == 0.0 and s.acquisitions == 0


def test_bench_in_jax_is_the_spectrometer():
    """At the best setting both give the line of 0.5 Hz, off it the same mean decay, up to gains and fields of a few percent."""
    wanted = np.array([0.6, -0.4, 0.5, 0.3], np.float32)
    drawn = Bench().spectrometer(jnp.asarray(wanted), jax.random.key(0))
    settings = np.stack([wanted, 0 * wanted])
    fids = eqx.filter_jit(jax.vmap(drawn.acquire))(jnp.asarray(settings), jax.random.split(jax.random.key(1)))
    s = Spectrometer(-wanted, sampling=SAMPLING, seed=0, other=0.0, crosstalk=0.0)
    for fid, setting in zip(np.asarray(fids), settings, strict=True):
        clean = s.clean(setting)
        assert np.abs(np.abs(fid) - np.abs(clean)).max() < 0.12
        assert np.abs(np.abs(fid) - np.abs(clean)).mean() > 1e-3  # noise is there
    assert np.abs(fids[0]).sum() > 2 * np.abs(fids[1]).sum()


def test_features_are_free_of_phase_and_frequency():
    fid = np.exp(-np.pi * 2.0 * TIME)
    # a whole number of points of the spectrum, slow enough for the first points to keep the phase
    turned = fid * np.exp(2j * np.pi * (0.37 + 0.25 * TIME))
    plain, other = (np.asarray(jax.jit(features)(jnp.asarray(f))) for f in (fid.astype(complex), turned))
    np.testing.assert_allclose(other[:, 0], plain[:, 0], atol=1e-5)
    np.testing.assert_allclose(other[:, 1], plain[:, 1], atol=0.03 * plain[:, 1].max())


def test_guess_is_relative_to_the_setting_and_knows_what_was_acquired_before():
    network = FlaxNet(ConvLSTM(width=8, rngs=nnx.Rngs(0)))
    rng = np.random.default_rng(0)
    one, other = (rng.normal(size=(2, 96)) + 1j * rng.normal(size=(2, 96))).astype(np.complex64)
    setting, none = jnp.ones(4), jnp.zeros(16)
    call = eqx.filter_jit(guess)
    alone, _ = call(network, one, setting, none)
    _, state = call(network, other, setting, none)
    after, _ = call(network, one, setting, state)
    assert float(jnp.abs(after - alone).max()) > 1e-4
    silent = eqx.tree_at(lambda n: jax.tree.leaves(n), network, [0 * x for x in jax.tree.leaves(network)])
    np.testing.assert_allclose(call(silent, one, setting, none)[0], setting)


def test_learners_of_an_ensemble_differ():
    fids = np.exp(-np.pi * np.array([[4.0], [3.0], [2.0], [5.0]]) * TIME).astype(np.complex64)
    found = eqx.filter_jit(lambda e, f: e(f))(Ensemble(2), fids)
    assert found.shape == (2, 3) and float(jnp.std(found, axis=0).min()) > 1e-3
    assert PROBES.shape == (4, 4) and not PROBES[0].any()
