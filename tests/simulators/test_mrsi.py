"""MRSI worlds: their signals against direct sums of their truth, their noise, the user's anatomies, their files."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.data import default_basis
from mrsjax.physics.macromolecules import basis_offset
from simulators.datasets.recipe import parse
from simulators.phantoms import Tissue
from simulators.tissue import widen

SMALL = """
name: small
kind: mrsi
summary: a coarse head
sampling: {points: 64, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
anatomy: {head: {}}
grid: {points: [16, 16, 12], field_of_view_mm: [220, 220, 200], slab_points: 2, slab_centre_mm: {uniform: [0, 20]}}
amplitudes:
  brain: {between: 0.1}
  lesion: Cancer
  lesion_probability: 1
  lesion_radius: [0.3, 0.4]
  variation: 0.1
  macromolecules: {log_normal: [4.5, 0.2]}
relaxation: {te_ms: 30, tr_ms: 1500}
parameters: {phase: {phase_zero_deg: {uniform: [-90, 90]}}, metabolites: {shift_hz: {uniform: [-10, 10]}, lorentz_hz: 3, gauss_hz: {uniform: [1, 3]}}}
field: {residual_hz: {normal: [0, 2]}}
water: {strength: 2, lines: 2}
lipids: {strength: 5}
coils: {count: 2}
encoding: {matrix: [8, 8, 2], kspace: elliptical}
snr: {uniform: [5, 10]}
"""


draw = eqx.filter_jit(lambda simulator, key: simulator.sample(key))


def _quiet(simulator):
    """Without noise, by its prior: the same compiled program."""
    return eqx.tree_at(lambda s: (s.snr.low, s.snr.high), simulator, (jnp.float32(1e9), jnp.float32(1e9)))


@pytest.fixture(scope="module")
def world():
    simulator = parse(SMALL, "small").simulator
    key = jax.random.key(5)
    return simulator, *(jax.tree.map(np.asarray, draw(s, key)) for s in (simulator, _quiet(simulator)))


def _encoded(signal: np.ndarray, matrix, mask) -> np.ndarray:
    """The image of fine FIDs through each phase encoding, summed one by one."""
    r = [(np.arange(n) - (n - 1) / 2) / n for n in signal.shape[:3]]
    v = [(np.arange(m) - (m - 1) / 2) / m for m in matrix]
    out = np.zeros((*matrix, signal.shape[3]), complex)
    for a, b, c in np.argwhere(mask):
        k = [i - m // 2 for i, m in zip((a, b, c), matrix, strict=True)]
        there, back = (
            np.multiply.outer(np.multiply.outer(*(np.exp(sign * 2j * np.pi * kk * x) for kk, x in zip(k[:2], place, strict=False))), np.exp(sign * 2j * np.pi * k[2] * place[2]))
            for sign, place in ((-1, r), (1, v))
        )  # fmt: skip
        out += back[..., None] * np.einsum("xyz,xyzn->n", there, signal) / signal[..., 0].size
    return out


def test_data_are_the_direct_sum_of_the_truth(world):
    simulator, _, quiet = world
    model, truth, labels = simulator.model, quiet.truth, quiet.labels
    t = np.asarray(model.sampling.time)
    at = truth["values"]
    m = len(model.groups[0].names)
    rate = np.pi**2 / (4 * np.log(2))
    line = np.exp(-np.pi * at["metabolites"]["lorentz"] * t - rate * at["metabolites"]["gauss"] * t**2)
    wave = np.exp(1j * at["phase"]["phase_zero"] + 2j * np.pi * truth["field"][..., None] * t)
    clean = np.einsum("xyzm,mn->xyzn", truth["maps"][..., :m], np.asarray(model.groups[0].fids) * line) * wave
    seen = _encoded(clean, (8, 8, 2), labels["plan"])
    np.testing.assert_allclose(truth["fid"], seen, atol=2e-4 * np.abs(seen).max())
    assert quiet.data.shape == (8, 8, 2, 2, 64) and quiet.data.dtype == np.complex64
    # without nuisances the coils see the same, each through its sensitivity
    none = lambda prior: jax.tree.map(jnp.zeros_like, prior)  # noqa: E731
    bare = eqx.tree_at(
        lambda s: (s.water.strength, s.lipids.strength, s.population.amplitudes.base_dist.loc),
        _quiet(simulator),
        (none(simulator.water.strength), none(simulator.lipids.strength), simulator.population.amplitudes.base_dist.loc.at[m:].set(-30.0)),
    )  # fmt: skip
    data = np.asarray(draw(bare, jax.random.key(5)).data)
    seen = _encoded(clean * np.asarray(simulator.sensitivity)[1][..., None], (8, 8, 2), labels["plan"])
    np.testing.assert_allclose(data[..., 1, :], seen, atol=2e-4 * np.abs(seen).max())


def test_nuisances_are_the_direct_sum_of_their_maps_and_come_out_of_the_data(world):
    simulator, _, quiet = world
    truth, labels = quiet.truth, quiet.labels
    t = np.asarray(simulator.sampling.time)
    rate = np.pi**2 / (4 * np.log(2))
    turn = np.exp(1j * truth["values"]["phase"]["phase_zero"] + 2j * np.pi * truth["field"][..., None] * t)
    signal = 0
    for name, count in (("water", 2), ("lipids", 3)):
        assert labels[name]["maps"].shape == (16, 16, 2, count)
        for k in range(count):
            ppm, lorentz, gauss, phase = (labels[name][key][k] for key in ("ppm", "lorentz", "gauss", "phase"))
            hertz = (ppm - float(simulator.sampling.ppm_ref)) * 123.25
            line = np.exp(1j * phase + (2j * np.pi * hertz - np.pi * lorentz) * t - rate * (gauss * t) ** 2)
            signal = signal + labels[name]["maps"][..., k, None] * line * turn
    coil = np.asarray(simulator.sensitivity)[1][..., None]
    seen = _encoded(signal * coil, (8, 8, 2), labels["plan"])
    found = np.asarray(eqx.filter_jit(lambda s, x: s.nuisances(x))(simulator, quiet))
    np.testing.assert_allclose(found[..., 1, :], seen, atol=2e-4 * np.abs(seen).max())
    none = jax.tree.map(jnp.zeros_like, (simulator.water.strength, simulator.lipids.strength))
    bare = eqx.tree_at(lambda s: (s.water.strength, s.lipids.strength), _quiet(simulator), none)
    without = np.asarray(draw(bare, jax.random.key(5)).data)
    assert np.abs(without).max() < 0.5 * np.abs(found).max()
    np.testing.assert_allclose(quiet.data - found, without, atol=2e-4 * np.abs(found).max())


def test_truth_and_labels_belong_together(world):
    _, sample, _ = world
    tissue, maps = sample.labels["tissue"], sample.truth["maps"]
    assert np.all(maps[np.isin(tissue, (Tissue.AIR, Tissue.SKULL, Tissue.SCALP))] == 0)
    boxes = maps.reshape(8, 2, 8, 2, 2, 1, -1).mean((1, 3, 5))
    np.testing.assert_allclose(sample.truth["amplitudes"], boxes, rtol=1e-5)
    np.testing.assert_allclose(sample.labels["fractions"].sum(-1), 1, atol=1e-5)
    assert sample.labels["lesion"] == 1 and (tissue == Tissue.LESION).any()
    flair = sample.labels["flair"]
    assert flair[tissue == Tissue.LESION].min() > flair[tissue == Tissue.GREY].max()


def test_lesions_hold_what_the_meta_analysis_says(world):
    simulator, sample, _ = world
    names = simulator.model.names
    grey, lesion = (sample.labels["tissue"] == t for t in (Tissue.GREY, Tissue.LESION))
    ratio = {
        n: sample.truth["maps"][..., names.index(n)][lesion].mean()
        / sample.truth["maps"][..., names.index(n)][grey].mean()
        for n in ("NAA", "GPC")
    }
    assert (
        ratio["NAA"] < 0.85 and ratio["GPC"] > 1.1
    )  # factors 0.73 and 1.31 of a mean of grey and white, varied by 10 %


def test_noise_has_the_level_and_covariance_of_the_labels(world):
    simulator, sample, quiet = world
    noise = sample.data - quiet.data
    sd = float(sample.labels["noise"])
    assert noise.real.std() == pytest.approx(sd, rel=0.03) and noise.imag.std() == pytest.approx(sd, rel=0.03)
    rows = noise.transpose(3, 0, 1, 2, 4).reshape(2, -1)
    covariance = (rows @ rows.conj().T).real / rows.shape[1] / (2 * sd**2)
    np.testing.assert_allclose(covariance, sample.labels["noise_covariance"], atol=0.06)
    # the label's height: the brain's mean with the world's line
    full = sd * np.sqrt(sample.labels["plan"].size / sample.labels["plan"].sum())
    m = len(simulator.model.groups[0].names)
    maps = sample.truth["maps"][..., :m]
    brain = np.isin(sample.labels["tissue"], (Tissue.GREY, Tissue.WHITE)).sum()
    at = sample.truth["values"]["metabolites"]
    s = simulator.sampling
    t = np.asarray(s.time)
    fid = maps.sum((0, 1, 2)) / brain @ np.asarray(simulator.model.groups[0].fids)
    fid = fid * np.exp(-np.pi * at["lorentz"] * t - np.pi**2 / (4 * np.log(2)) * at["gauss"] * t**2)
    fid[0] *= 0.5
    naa = 2.008 + basis_offset(default_basis())
    height = abs(np.sum(fid * np.exp(-2j * np.pi * float(s.to_hz(naa)) * t))) / 8
    assert height / full == pytest.approx(float(sample.labels["snr"]), rel=1e-3)


def test_a_lesion_outside_the_slab_is_none(world):
    simulator, *_ = world
    anywhere = eqx.tree_at(lambda s: (s.slab_centre.low, s.slab_centre.high), simulator, (jnp.float32(-80), jnp.float32(80)))  # fmt: skip
    labels = [draw(anywhere, key).labels for key in jax.random.split(jax.random.key(8), 20)]
    told = np.array([float(x["lesion"]) for x in labels])
    seen = np.array([float((np.asarray(x["fractions"])[..., Tissue.LESION] > 0).any()) for x in labels])
    np.testing.assert_array_equal(told, seen)
    assert 0 < told.sum() < 20


def test_values_are_those_of_every_line(world):
    _, sample, _ = world
    at = sample.truth["values"]
    assert at["macromolecules"]["shift"] == at["metabolites"]["shift"] != 0


def test_images_take_one_condition():
    given = default_basis().select(("NAA", "Cr"))
    with pytest.raises(ValueError, match="small: basis: wanted a basis of one condition"):
        parse(SMALL, "small", basis={"off": given, "on": given})


def test_relaxation_differs_between_tissues_and_widening_works(world):
    simulator, sample, _ = world
    weight = sample.labels["relaxation"]
    naa = simulator.model.names.index("NAA")
    expected = [(1 - np.exp(-1.5 / t1)) * np.exp(-0.03 / t2) for t1, t2 in ((1.47, 0.258), (1.35, 0.343))]
    np.testing.assert_allclose(weight[[Tissue.GREY, Tissue.WHITE], naa], expected, rtol=1e-5)
    wide = widen(simulator.population, 2.0)
    wider = draw(eqx.tree_at(lambda s: s.population, simulator, wide), jax.random.key(5))
    assert np.abs(np.log(np.asarray(wider.truth["maps"]).max() / sample.truth["maps"].max())) > 0.01
    assert np.allclose(wide.amplitudes.base_dist.scale, 2 * np.asarray(simulator.population.amplitudes.base_dist.scale))


@pytest.mark.parametrize("kspace", ["spiral: {shots: 4}", "variable_density: {acceleration: 2}"])
def test_other_k_space_sees_the_same_head(world, kspace):
    if "spiral" in kspace:
        pytest.importorskip("jax_finufft")
    text = SMALL.replace("kspace: elliptical", f"kspace: {{{kspace}}}").replace("coils: {count: 2}\n", "")
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("water", "lipids")))
    simulator = parse(text, "other").simulator
    key = jax.random.key(5)
    sample, still = draw(simulator, key), draw(_quiet(simulator), key)
    noise = np.asarray(sample.data - still.data)
    assert noise.real.std() == pytest.approx(float(sample.labels["noise"]), rel=0.05)
    first, other = (np.abs(np.asarray(x))[..., 0] for x in (world[2].truth["fid"], still.truth["fid"]))
    assert np.corrcoef(first.ravel(), other.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("matrix: [8, 8, 2]", "matrix: [7, 8, 2]", "wanted divisors of the slab's grid (16, 16, 2), found (7, 8, 2)"),
        ("kspace: elliptical", "kspace: round", "small: encoding: kspace: wanted one of cartesian, elliptical, variable_density, spiral, rosette, found 'round'"),
        ("kspace: elliptical", "kspace: {variable_density: {acceleration: 100}}", "acceleration: wanted one that leaves 2 to"),
        ("lesion: Cancer", "lesion: Flu", "small: amplitudes: condition: wanted one of"),
        ("anatomy: {head: {}}", "anatomy: {labels: {file: none.nii, gray: [1]}}", "small: anatomy: labels: unknown key 'gray'"),
        ("gauss_hz: {uniform: [1, 3]}}", "gauss_hz: 2}, macromolecules: {shift_hz: 3}", "small: parameters: macromolecules: unknown key 'shift_hz'"),
        ("phase_zero_deg: {uniform: [-90, 90]}", "delay_ms: 0.1", "small: parameters: phase: unknown key 'delay_ms'; wanted phase_zero_deg"),
        ("lesion_probability: 1", "lesion_probability: 50", "small: amplitudes: lesion_probability: wanted a number from 0 to 1"),
        ("kind: mrsi", "kind: msri", "small: kind: wanted one of voxel, mrsi, shim, found 'msri'"),
    ],
)  # fmt: skip
def test_errors_name_the_place(old, new, message):
    with pytest.raises(ValueError) as error:
        parse(SMALL.replace(old, new, 1), "small")
    assert message in str(error.value) and "\n" not in str(error.value)
