"""Recipes and the simulator that they make."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import to_spectrum
from simulators.datasets import available, recipe
from simulators.datasets.recipe import parse

SMALL = """
name: small
summary: a few metabolites on a short grid
sampling: {points: 256, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
amplitudes: {table: shamaei2023, macromolecules: {uniform: [3, 9]}}
parameters:
  phase: {phase_zero_deg: {uniform: [-20, 20]}}
  metabolites: {shift_hz: {uniform: [-4, 4]}, lorentz_hz: {uniform: [0, 5]}, gauss_hz: {uniform: [0, 5]}}
  macromolecules: {shift_hz: {uniform: [-3, 3]}, lorentz_hz: {uniform: [0, 5]}}
artefacts:
  - baseline: {strength: 0.02}
snr: {log_uniform: [10, 200]}
"""


@pytest.fixture(scope="module")
def drawn():
    simulator = parse(SMALL, "small").simulator
    keys = jax.random.split(jax.random.key(3), 64)
    return simulator, jax.jit(jax.vmap(simulator.sample))(keys)


def test_clean_signal_is_that_of_the_model(drawn):
    simulator, sample = drawn
    at = jax.tree.map(lambda x: x[0], sample)
    model = simulator.model
    whole = model.signal(at.truth["values"], at.truth["amplitudes"])
    m = len(model.groups[0].names)
    metabolites = model.signal(at.truth["values"], at.truth["amplitudes"].at[m:].set(0))
    np.testing.assert_allclose(at.truth["fid"], metabolites, atol=1e-5 * np.abs(metabolites).max())
    noise = np.asarray(at.data - whole - at.labels["baseline"]["signal"])
    assert abs(noise.real.std() / at.labels["noise"] - 1) < 0.2


def test_signal_to_noise_is_what_the_label_says(drawn):
    simulator, sample = drawn
    ppm = np.asarray(simulator.model.sampling.ppm)
    shift = np.asarray(sample.truth["values"]["metabolites"]["shift"])[:, None] / 123.25
    near = np.abs(ppm - 2.008 - shift) < 0.06
    phased = sample.truth["fid"] * np.exp(-1j * np.asarray(sample.truth["values"]["phase"]["phase_zero"]))[:, None]
    height = np.where(near, np.asarray(to_spectrum(phased)).real, 0).max(1)
    ratio = height / np.asarray(sample.labels["noise"] * sample.labels["snr"])
    assert 0.85 < np.median(ratio) < 1.02 and ratio.std() < 0.1


def test_single_precision_and_the_same_numbers_in_both_sessions(drawn):
    _, sample = drawn
    assert {x.dtype.name for x in jax.tree.leaves(sample)} == {"float32", "complex64"}
    with jax.enable_x64(False):
        other = parse(SMALL, "small").simulator.sample(jax.random.split(jax.random.key(3), 64)[0])
    np.testing.assert_allclose(other.data, sample.data[0], atol=2e-5 * np.abs(other.data).max())


def test_gradients_reach_the_amplitudes(drawn):
    simulator, _ = drawn

    def power(scale):
        shaped = jax.tree.map(lambda x: x * scale, simulator.population.amplitudes)
        moved = type(simulator.population)(simulator.population.names, shaped, simulator.population.values)
        amplitudes, _ = moved.sample(jax.random.key(0))
        return jnp.sum(amplitudes)

    step = 1e-2
    numeric = (power(1 + step) - power(1 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(power)(1.0), numeric, rtol=1e-3)


@pytest.mark.parametrize("name", available())
def test_packaged_recipes_parse(name):
    made = recipe(name)
    assert made.name == name and made.summary


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("points: 256", "pionts: 256", "small: sampling: unknown key 'pionts'; wanted points"),
        ("points: 256", "points: many", "small: sampling: points: wanted a whole number, 1 or more, found 'many'"),
        ("snr: {log_uniform: [10, 200]}", "snr: {log_uniform: [0, 200]}", "both positive"),
        ("uniform: [-4, 4]", "uniform: [4, -4]", "small: parameters: metabolites: shift_hz: wanted uniform: [low, high]"),
        ("- baseline", "- bassline", "small: artefacts[0]: bassline: wanted one of"),
        ("table: shamaei2023", "table: none", "wanted a range [low, high] for Ala"),
        ("  metabolites: {", "  metabolite: {", "unknown key 'metabolite'"),
        ("name: small", "name: [", "small: no valid YAML"),
    ],
)  # fmt: skip
def test_errors_name_the_place(old, new, message):
    with pytest.raises(ValueError) as error:
        parse(SMALL.replace(old, new, 1), "small")
    assert message in str(error.value) and "\n" not in str(error.value)
