"""Recipes and the simulator that they make."""

import pathlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import BasisSet, to_spectrum
from mrsjax.data import default_basis
from mrsjax.io import write_basis
from simulators.datasets import available, recipe
from simulators.datasets.artefact_recipe import ARTEFACTS
from simulators.datasets.recipe import parse
from simulators.tissue.relaxation import relaxation

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

EDITED = """
name: edited
summary: two conditions, five transients
sampling: {points: 256, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: mega-press
amplitudes: {table: shamaei2023}
parameters: {metabolites: {lorentz_hz: 3}}
artefacts:
  - scatter: {count: 5, frequency_hz: 7, phase_deg: 5, conditions: 2}
"""


RECEIVED = """
name: received
summary: coils, transients, a delay, own lines, a readout that ends early, an ADC that clips
sampling: {points: 128, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
amplitudes: {table: shamaei2023}
parameters:
  phase: {phase_zero_deg: 30, delay_ms: 0.2}
  metabolites: {shift_hz: 3, lorentz_hz: 4, gauss_hz: 5, own_shift_hz: {normal: [0, 2]}, own_lorentz_hz: {uniform: [0, 2]}}
artefacts:
  - transients: {count: 3, jump_probability: 1, motion_probability: 1}
coils: {count: 2}
after:
  - truncation: {fraction: 0.7}
  - digitiser: {headroom: 0.6, bits: 8}
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
    signal = eqx.filter_jit(model.signal)
    whole = signal(at.truth["values"], at.truth["amplitudes"])
    m = len(model.groups[0].names)
    metabolites = signal(at.truth["values"], at.truth["amplitudes"].at[m:].set(0))
    np.testing.assert_allclose(at.truth["fid"], metabolites, atol=1e-5 * np.abs(metabolites).max())
    noise = np.asarray(at.data - whole - at.labels["baseline"]["signal"])
    assert abs(noise.real.std() / at.labels["noise"] - 1) < 0.2


def test_broad_lines_are_left_out_only_where_they_are_below_rounding():
    text = SMALL.replace("points: 256", "points: 1024").replace("snr: {log_uniform: [10, 200]}", "")
    text = text.replace("baseline: {strength: 0.02}", "baseline: {strength: 1}")
    made = parse(text, "small").simulator
    lengths = [e.sampling.n_points for e in made.evaluations]
    assert lengths[0] == 1024 and lengths[1] < 512 and made.artefacts[0].rows.shape[1] // 2 < 1024
    sample = eqx.filter_jit(made.sample)(jax.random.key(2))
    exact = jax.tree.map(lambda x: x.astype(np.result_type(x.dtype, np.float64)) if eqx.is_inexact_array(x) else x, made.model)  # fmt: skip
    with jax.enable_x64(True):
        whole = np.asarray(eqx.filter_jit(exact.signal)(sample.truth["values"], sample.truth["amplitudes"]))
    ppm, h = np.arange(-0.5, 5.0 + 1e-9, 0.4), 0.4e-6 * 123.25e6
    t = np.arange(1024) / 1200
    hertz = (ppm - float(made.sampling.ppm_ref)) * 123.25
    area = np.abs(np.asarray(sample.truth["fid"])[0])
    waves = np.sinc(h * t) ** 4 * np.exp(2j * np.pi * hertz[:, None] * t)
    baseline = area * np.asarray(sample.labels["baseline"]["coefficients"]) @ waves
    size = np.abs(whole + baseline)[0]
    np.testing.assert_allclose(sample.data, whole + baseline, atol=3e-6 * size)  # phases in single precision: 1e-6


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
        same = parse(SMALL, "small").simulator
        other = eqx.filter_jit(same.sample)(jax.random.split(jax.random.key(3), 64)[0])
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


def test_the_page_lists_the_keys_of_every_artefact():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "artificial-data.md").read_text()
    for kind, (_, keys) in ARTEFACTS.items():
        assert f"| `{kind}` | {', '.join(f'`{k}`' for k in keys)} |" in page


@pytest.mark.parametrize("name", available())
def test_packaged_recipes_parse(name):
    given = default_basis()
    made = recipe(name, basis={"off": given, "on": given} if name == "r2" else given)
    assert made.name == name and made.summary


def test_edited_conditions_share_the_metabolites_and_scatter_apart():
    basis = default_basis().select(("NAA", "Cr"))
    on = BasisSet(basis.fids * np.array([[-1.0], [1.0]]), basis.names, basis.sampling)
    made = parse(EDITED, "edited", basis={"off": basis, "on": on}).simulator
    sample = eqx.filter_jit(made.sample)(jax.random.key(0))
    assert sample.data.shape == (5, 2, 256) and sample.truth["fid"].shape == (2, 256)
    off, on = np.asarray(sample.truth["fid"])
    values, (naa, _) = sample.truth["values"], sample.truth["amplitudes"]
    of_naa = np.asarray(eqx.filter_jit(made.model.signal)(values, jnp.array([naa, 0.0])))
    np.testing.assert_allclose(off - on, 2 * of_naa, atol=1e-4 * np.abs(off).max())
    label = sample.labels["scatter"]
    assert label["frequency"].shape == (5, 2) and np.abs(label["frequency"]).max() <= 7
    time = np.asarray(made.model.sampling.time)
    turn = np.exp(
        1j * (np.asarray(label["phase"])[..., None] + 2 * np.pi * np.asarray(label["frequency"])[..., None] * time)
    )
    np.testing.assert_allclose(sample.data, turn * np.stack([off, on]), atol=1e-3 * np.abs(off).max())


def test_a_chain_of_receiver_and_transients_is_the_direct_sum_of_its_labels():
    made = parse(RECEIVED, "received", basis=default_basis().select(("NAA", "Cr"))).simulator
    sample = jax.tree.map(np.asarray, eqx.filter_jit(made.sample)(jax.random.key(4)))
    at, labels = sample.truth["values"], sample.labels
    assert made.dims == ("DIM_COIL", "DIM_DYN") and sample.data.shape == (2, 3, 128)
    n, t = 128, np.arange(128) / 1200
    width = np.pi**2 / (4 * np.log(2)) * 25
    fid = np.zeros(n, complex)
    for c, b, df, dl in zip(sample.truth["amplitudes"], np.asarray(made.model.groups[0].fids), at["metabolites"]["own_shift"], at["metabolites"]["own_lorentz"], strict=True):  # fmt: skip
        fid += c * b * np.exp((2j * np.pi * (3 + df) - np.pi * (4 + dl)) * t - width * t**2)
    f = (np.arange(n) - n // 2) * 1200 / n
    half = fid * np.where(np.arange(n) == 0, 0.5, 1)
    spectrum = np.array([np.sum(half * np.exp(-2j * np.pi * x * t)) for x in f])
    spectrum = spectrum * np.exp(1j * (np.pi / 6 + 2 * np.pi * (f - float(made.model.pivot)) * 2e-4))
    fid = np.array([np.sum(spectrum * np.exp(2j * np.pi * f * x)) for x in t]) / n
    fid[0] *= 2
    np.testing.assert_allclose(sample.truth["fid"], fid, atol=1e-4 * np.abs(fid).max())
    moves = labels["transients"]
    assert moves["jump"] != 0 and moves["moved"].all()
    turn = np.exp(1j * (moves["phase"][:, None] + 2 * np.pi * moves["frequency"][:, None] * t))
    seen = labels["coils"]["sensitivity"][:, None, None] * moves["size"][:, None] * turn * fid
    assert labels["truncation"]["points"] == 90
    seen[..., 90:] = 0
    parts = np.stack([seen.real, seen.imag])
    full = 0.6 * np.abs(parts).max()
    clipped = np.clip(np.round(parts / (full / 128)) * (full / 128), -full, full)
    apart = np.abs(np.stack([sample.data.real, sample.data.imag]) - clipped)
    assert (
        apart.max() < 1.01 * full / 128 and np.mean(apart > 1e-4 * full) < 0.02
    )  # a half step may fall to either side
    assert labels["digitiser"]["clipped"] == pytest.approx(np.mean(np.abs(parts) > full), abs=2e-3) and labels["digitiser"]["clipped"] > 0  # fmt: skip


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
        ("table: shamaei2023", "table: shamaei2023, ranges: {NNA: [7, 17]}", "small: amplitudes: ranges: NNA: wanted a metabolite of"),
        ("table: shamaei2023", "table: shamaei2023, ranges: {Ins: [4, 8], mI: [4, 8]}", "ranges: mI: wanted one range of Ins"),
        ("table: shamaei2023", "table: shamaei2023, brain: {}", "small: amplitudes: table: wanted none beside brain"),
        ("{uniform: [3, 9]}", "{log_normal: [4, 0.2]}", "small: amplitudes: macromolecules: wanted one of uniform"),
        ("{uniform: [3, 9]}", "{uniform: [9, 3]}", "small: amplitudes: macromolecules: wanted uniform: [low, high]"),
        ("{uniform: [3, 9]}", "{uniform: [3, 9], share: 1}", "small: amplitudes: macromolecules: wanted one of uniform"),
        ("gauss_hz: {uniform: [0, 5]}", "gauss_hz: {normal: [3, 1]}", "gauss_hz: wanted one of uniform"),
        ("gauss_hz: {uniform: [0, 5]}", "gauss_hz: {uniform: [-5, 5]}", "gauss_hz: wanted no negative number"),
        ("- baseline: {strength: 0.02}", "- water: {strength: 1, probability: 85}", "water: probability: wanted a number from 0 to 1, found 85"),
        ("snr: {log_uniform: [10, 200]}", "snr: 0", "small: snr: wanted a prior of numbers above 0, found 0"),
        ("snr: {log_uniform: [10, 200]}", "snr: {normal: [10, 5]}", "small: snr: wanted a prior of numbers above 0"),
    ],
)  # fmt: skip
def test_errors_name_the_place(old, new, message):
    with pytest.raises(ValueError) as error:
        parse(SMALL.replace(old, new, 1), "small")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_ranges_are_found_by_any_name_and_a_fixed_width_is_squared():
    text = SMALL.replace("table: shamaei2023", "table: shamaei2023, ranges: {sIns: [5, 6]}").replace("gauss_hz: {uniform: [0, 5]}", "gauss_hz: 3")  # fmt: skip
    made = parse(text, "small").simulator
    at = made.model.names.index("Scyllo")
    assert (float(made.population.amplitudes.low[at]), float(made.population.amplitudes.high[at])) == (5, 6)
    _, values = made.population.sample(jax.random.key(0))
    assert float(values["metabolites"]["gauss"]) == pytest.approx(9)


def test_noise_refers_to_the_resonance_wherever_the_basis_has_it():
    given = default_basis().select(("NAA", "Cr"))
    s = given.sampling
    time = np.arange(s.n_points) * float(s.dwell_time)
    moved = BasisSet(given.fids * np.exp(2j * np.pi * 6.0 * time), given.names, s)  # 0.05 ppm
    plain, other = (parse(SMALL, "small", basis=b).simulator for b in (given, moved))
    without = lambda s: eqx.tree_at(lambda s: s.artefacts, s, ())  # noqa: E731
    noise = [float(eqx.filter_jit(lambda s, k: s.sample(k).labels["noise"])(without(s), jax.random.key(1))) for s in (plain, other)]  # fmt: skip
    assert noise[1] == pytest.approx(noise[0], rel=0.01)
    creatine = default_basis().select(("Cr",))
    with pytest.raises(ValueError, match="small: snr_ppm: wanted the chemical shift"):
        parse(SMALL, "small", basis=creatine)
    assert parse(SMALL + "snr_ppm: 3.03\n", "small", basis=creatine).simulator.snr is not None


def test_files_of_a_recipe_start_from_its_folder(tmp_path):
    write_basis(default_basis().select(("NAA", "Cr")), tmp_path / "two.basis")
    (tmp_path / "mine.yaml").write_text(SMALL.replace("basis: default", "basis: two.basis"))
    assert recipe(tmp_path / "mine.yaml").simulator.model.groups[0].names == ("NAA", "Cr")


def test_relaxation_weights_the_metabolites_by_tissue():
    text = (
        SMALL.replace("snr:", "relaxation: {te_ms: 35, tr_ms: 2000}\nsnr:")
        .replace("amplitudes: {table: shamaei2023, ", "amplitudes: {brain: {grey_white_csf: [0.3, 0.7, 0.0]}, ")
        .replace("macromolecules: {uniform: [3, 9]}", "macromolecules: {log_normal: [4.5, 0.2]}")
    )
    made = parse(text, "small").simulator
    sample = jax.tree.map(np.asarray, eqx.filter_jit(made.sample)(jax.random.key(0)))
    weight, names = sample.labels["relaxation"], made.model.names
    np.testing.assert_allclose(sample.truth["amplitudes"], sample.truth["concentrations"] * weight, rtol=1e-6)
    left = lambda t1, t2: (1 - np.exp(-2.0 / t1)) * np.exp(-0.035 / t2)  # noqa: E731
    # NAA: T1 1.47 and 1.35 s (Mlynarik 2001), T2 258 and 343 ms (Wyss 2018), in grey and white; 1.095 times as much in grey (Bustillo 2019)
    expected = np.average([left(1.47, 0.258), left(1.35, 0.343)], weights=[0.3 * 1.095, 0.7])
    assert weight[names.index("NAA")] == pytest.approx(expected, rel=1e-5)
    assert np.all(weight[len(made.model.groups[0].names) :] == 1)
    many = [made.relaxation.voxel(key=k) for k in jax.random.split(jax.random.key(0), 3)]
    np.testing.assert_array_equal(many[0], many[1])
    spread = parse(text.replace("tr_ms: 2000", "tr_ms: 2000, spread: 0.2"), "small").simulator.relaxation
    some = np.stack([spread.voxel(key=k) for k in jax.random.split(jax.random.key(0), 200)])
    assert np.allclose(some.mean(0), many[0], rtol=0.08) and np.all(some.std(0) > 0.01)
    at = dict(names=("NAA",), share=np.ones((2, 1)), echo_time=0.035, repetition_time=2.0)
    assert relaxation(**at, field_strength=7.0).voxel(key=jax.random.key(0)) < weight[names.index("NAA")]
    with pytest.raises(ValueError, match="tabulated relaxation times"):
        relaxation(**at, field_strength=1.5)


def test_factors_scale_the_medians():
    text = SMALL.replace(
        "{table: shamaei2023, macromolecules: {uniform: [3, 9]}}",
        "{brain: FACTORS, macromolecules: {log_normal: [4.5, 0.2]}}",
    )
    plain, scaled = (parse(text.replace("FACTORS", f), "small").simulator for f in ("{}", "{factors: {Glu: 1.5}}"))
    ratio = np.exp(np.asarray(scaled.population.amplitudes.base_dist.loc - plain.population.amplitudes.base_dist.loc))
    np.testing.assert_allclose(ratio, np.where(np.array(plain.model.names) == "Glu", 1.5, 1.0), rtol=1e-5)
    with pytest.raises(ValueError, match="factors: unknown key 'Glue'"):
        parse(text.replace("FACTORS", "{factors: {Glue: 1.5}}"), "small")
