"""Samples for automatic shimming."""

import equinox as eqx
import jax
import numpy as np
import pytest

from mrsjax.core import Sampling
from simulators.datasets.recipe import parse, recipe
from simulators.datasets.shimming import dephasing

SHIM = """
name: shim
kind: shim
summary: a box with three channels
sampling: {points: 200, spectral_width_hz: 1000, central_frequency_mhz: 123.25}
object: {box_mm: [20, 10, 30]}
channels: [X, Z, Z2]
field: {distortion_hz: {normal: [0, 5]}, others_hz: {uniform: [0, 0.2]}, probe_hz: 6}
lorentz_hz: {uniform: [1, 2]}
drift_hz: {normal: [0, 0.5]}
phase_deg: {uniform: [-180, 180]}
snr: {uniform: [50, 100]}
"""


def test_dephasing_of_a_gradient_is_the_sinc_of_the_box_in_any_mode():
    made = parse(SHIM, "shim").simulator
    sampling = Sampling(1e-3, 123.25e6, 100)
    per = 4.0  # Hz root mean square of X over the box: a spread of sqrt(12) times that
    call = lambda: dephasing(per * made.channels[:, 0], made.weight, sampling)  # noqa: E731
    t = np.asarray(sampling.time)
    np.testing.assert_allclose(call(), np.sinc(per * np.sqrt(12) * t), atol=3e-5)  # 8 Gauss points, 1.4 turns
    np.testing.assert_allclose(jax.jit(call)(), call(), atol=1e-5)


def test_spectra_are_those_of_the_labels_and_the_probe_moves_one_channel():
    made = parse(SHIM, "shim").simulator
    sample = jax.tree.map(np.asarray, eqx.filter_jit(lambda s, k: s.sample(k))(made, jax.random.key(2)))
    truth, labels = sample.truth, sample.labels
    assert sample.data.shape == (4, 200) and sample.data.dtype == np.complex64
    b, o, w = (np.asarray(x, float) for x in (made.channels, made.others, made.weight))
    np.testing.assert_allclose(w @ b, 0, atol=1e-4)
    np.testing.assert_allclose(w @ b**2, 1, rtol=1e-4)
    t = np.arange(200) * 1e-3
    for j in range(4):
        current = truth["distortion"] + (6 * np.eye(3)[j - 1] if j else 0)
        field = b @ current + o @ truth["others"]
        phase = labels["phase"][j] + 2 * np.pi * labels["drift"][j] * t
        clean = np.exp(1j * phase - np.pi * labels["lorentz"] * t) * (np.exp(2j * np.pi * np.outer(t, field)) @ w)
        np.testing.assert_allclose(truth["fid"][j], clean, atol=2e-4)
    np.testing.assert_allclose(
        labels["rms"], np.sqrt(w @ (b @ truth["distortion"] + o @ truth["others"]) ** 2), rtol=1e-4
    )
    line = np.exp(-np.pi * labels["lorentz"] * t)
    height = (line.sum() - 0.5) / np.sqrt(200)
    assert height / labels["noise"] == pytest.approx(float(labels["snr"]), rel=1e-4)
    assert (sample.data - truth["fid"]).std() == pytest.approx(np.sqrt(2) * labels["noise"], rel=0.1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[X, Z, Z2]", "[X, Q]", "shim: channels: wanted a list of some of X, Y, Z"),
        ("box_mm: [20, 10, 30]", "ball_mm: 3", "shim: object: unknown key 'ball_mm'; wanted cylinder_mm, box_mm"),
    ],
)
def test_errors_name_the_place(old, new, message):
    with pytest.raises(ValueError) as error:
        parse(SHIM.replace(old, new, 1), "shim")
    assert message in str(error.value)


def test_fields_out_of_reach_of_the_packaged_recipe_have_either_sign():
    made = recipe("r5").simulator
    sample = eqx.filter_jit(lambda s, k: jax.vmap(s.sample)(k))(made, jax.random.split(jax.random.key(1), 64))
    assert sample.data.shape == (64, 5, 2048) and np.isfinite(sample.data).all()
    others = np.asarray(sample.truth["others"])
    assert others.shape == (64, 11)
    np.testing.assert_allclose(others.mean(0), 0, atol=4 * 0.05 / 8)
    assert others.std() == pytest.approx(0.05, rel=0.1)


def test_a_recipe_of_shims_is_no_recipe_of_spectra():
    with pytest.raises(ValueError, match="r5: kind: found images or shims"):
        _ = recipe("r5").spectra
