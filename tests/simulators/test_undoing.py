"""Labels that undo what a chain of artefacts did."""

import equinox as eqx
import jax
import numpy as np
import pytest

from simulators.datasets import recipe
from simulators.datasets.recipe import parse

CUT = """
name: cut
summary: a baseline and water, then eddy currents, a truncation and transients
sampling: {points: 256, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
amplitudes: {table: shamaei2023}
parameters: {metabolites: {lorentz_hz: 3}}
artefacts:
  - baseline: {strength: 0.3}
  - water: {strength: 3}
  - eddy: {amplitude_hz: 10}
  - transients: {count: 3, jump_probability: 1, motion_probability: 1}
  - truncation: {fraction: 0.5}
"""


def _drawn(simulator, count: int):
    keys = jax.random.split(jax.random.key(4), count)
    return jax.tree.map(np.asarray, eqx.filter_jit(lambda s, k: jax.vmap(s.sample)(k))(simulator, keys))


@pytest.mark.parametrize("name", ["r4", "brain"])
def test_data_less_every_signal_are_the_disturbed_model_and_noise(name):
    simulator = recipe(name).spectra
    sample = _drawn(simulator, 8)
    model = np.asarray(jax.vmap(simulator.model.signal)(sample.truth["values"], sample.truth["amplitudes"]))
    signals = [x["signal"] for x in sample.labels.values() if isinstance(x, dict) and "signal" in x]
    assert len(signals) == {"r4": 5, "brain": 3}[name]
    left = sample.data - sum(signals) - model * np.exp(1j * sample.labels["eddy"]["phase"])
    np.testing.assert_allclose(left.std(axis=1) / np.sqrt(2) / sample.labels["noise"], 1, atol=0.06)  # 1.6 % each


def test_transients_are_undone_before_what_came_earlier():
    sample = _drawn(parse(CUT, "cut").simulator, 1)
    labels = jax.tree.map(lambda x: x[0], sample.labels)
    moves, t = labels["transients"], np.arange(256) / 1200
    turn = np.exp(1j * (moves["phase"][:, None] + 2 * np.pi * moves["frequency"][:, None] * t))
    left = sample.data[0] / (moves["size"][:, None] * turn)
    left = (left - labels["baseline"]["signal"] - labels["water"]["signal"]) * np.exp(-1j * labels["eddy"]["phase"])
    clean = np.where(t < 128 / 1200, sample.truth["fid"][0], 0)
    np.testing.assert_allclose(left, np.tile(clean, (3, 1)), atol=1e-3 * np.abs(clean).max())
