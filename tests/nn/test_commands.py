"""`mrsjax train` and `mrsjax predict`: a small network from a configuration, and the outputs of a fit from it."""

import csv
import json

import equinox as eqx
import jax
import nibabel
import numpy as np
import pytest
import yaml

from mrsjax import io
from mrsjax.cli import main
from mrsjax.cli.learned import inputs_of, scenario_rows
from mrsjax.cli.settings import resolve
from mrsjax.cli.training_config import read_training, run
from mrsjax.cli.training_data import source
from mrsjax.core import Acquisition, BasisSet, FIDs, Sampling
from mrsjax.data import default_basis
from mrsjax.nn import NetworkSpec, build, load
from mrsjax.nn.familiarity import blank
from mrsjax.nn.storage import write_network
from simulators.datasets import open_arrays, recipe, write
from tests.physics.examples import PLAIN

RECIPE = """
name: tiny
summary: the packaged basis on a short grid
sampling: {points: 256, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
amplitudes: {table: shamaei2023}
parameters:
  phase: {phase_zero_deg: {uniform: [-20, 20]}}
  metabolites: {shift_hz: {uniform: [-4, 4]}, lorentz_hz: {uniform: [1, 5]}}
snr: {log_uniform: [20, 100]}
"""


def _config(folder, **changes):
    (folder / "tiny.yaml").write_text(RECIPE)
    content = {
        "recipe": str(folder / "tiny.yaml"),
        "network": {
            "encoder": {"name": "mlp", "widths": [16]},
            "model": PLAIN,
            "predicted": ["metabolites.shift", "metabolites.lorentz", "phase.phase_zero"],
        },
        "loss": {"parameters": 1.0},
        "training": {"steps": 40, "batch": 32, "every": 20, "validation": 32},
        **changes,
    }
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def mrsjax(capfd, monkeypatch, tmp_path):
    """Runs a command in this process, whose programs are compiled once; returns (exit code, stderr)."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "xla"))

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        return ended.value.code, capfd.readouterr().err

    yield run
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", None)


@pytest.mark.slow
def test_train_then_predict(tmp_path, mrsjax):
    """An ensemble of two, trained and used by the commands alone."""
    code, said = mrsjax("train", _config(tmp_path, members=2), "-o", tmp_path / "run")
    assert code == 0, said[-2000:]
    assert "spectra/s" in said and "s left" in said
    assert load(tmp_path / "run").card["members"] == 2
    card = json.loads((tmp_path / "run" / "best" / "card.json").read_text())
    assert card["recipe"]["name"] == "tiny" and "snr" in card["recipe"]["text"]
    simulator = recipe(tmp_path / "tiny.yaml").simulator
    sample = eqx.filter_jit(lambda s, k: s.sample(k))(simulator, jax.random.key(2))
    fid, truth = np.asarray(sample.data), np.asarray(sample.truth["amplitudes"])
    odd = 1j * fid[::-1]
    place = np.stack([odd, fid, odd]).reshape(3, 1, 1, -1)
    io.write(FIDs(place, simulator.model.sampling, ("x", "y", "z")), tmp_path / "data.nii.gz")
    nibabel.save(
        nibabel.Nifti1Image(np.array([0, 1, 1], np.int16).reshape(3, 1, 1), np.eye(4)), tmp_path / "mask.nii.gz"
    )
    given = (
        "predict",
        tmp_path / "run",
        tmp_path / "data.nii.gz",
        "--mask",
        tmp_path / "mask.nii.gz",
        "--iterations",
        8,
    )
    code, said = mrsjax(*given, "-o", tmp_path / "out")
    assert code == 0, said[-2000:]
    assert "1 of 2 spectra are unlike" in said and ": 2 (" in said  # by its number in the file
    with open(tmp_path / "out" / "qc.csv") as file:
        far = {r["spectrum"]: float(r["network_distance"]) for r in csv.DictReader(file)}
    assert far.keys() == {"1", "2"} and far["1"] < 1.3 < far["2"]
    with open(tmp_path / "out" / "results.csv") as file:
        found = {r["metabolite"]: float(r["raw_amplitude"]) for r in csv.DictReader(file) if r["spectrum"] == "1"}
    names = list(simulator.model.names)
    assert found["NAA"] == pytest.approx(truth[names.index("NAA")], rel=0.1)
    assert "an ensemble of 2 networks (mlp)" in (tmp_path / "out" / "report.html").read_text()
    code, said = mrsjax("evaluate", tmp_path / "run", "--scenarios", "--count", 8, "-o", tmp_path / "suite")
    assert code == 0, said[-2000:]
    with open(tmp_path / "suite" / "scenarios.csv") as file:
        suite = {(r["scenario"], r["method"]): r for r in csv.DictReader(file)}
    assert len(suite) == 5 * 13  # no macromolecules in this recipe, no baseline of its own
    # the small model's line is not the recipe's, which biases all alike; a shift four times too far is worse
    assert float(suite["shift x4", "network"]["bias"]) > 2 * float(suite["in distribution", "fit"]["bias"])
    assert {m for _, m in suite} >= {"network, adapted in 20 steps", "ensemble of 2"}
    assert float(suite["shift x4", "network"]["unlike"]) > float(suite["in distribution", "network"]["unlike"])
    assert (tmp_path / "suite" / "scenarios.svg").read_text().startswith("<svg")
    io.write(
        FIDs(fid[None, :128], simulator.model.sampling.__class__(1 / 1200, 123.25e6, 128), ("DIM_DYN",)),
        tmp_path / "short.nii.gz",
    )
    code, said = mrsjax("predict", tmp_path / "run", tmp_path / "short.nii.gz", "-o", tmp_path / "other")
    assert code == 2 and "points: wanted 256, found 128" in said and "Traceback" not in said


def test_the_basis_of_the_recipe_is_the_networks(tmp_path, monkeypatch):
    basis = default_basis()
    twice = BasisSet(2 * basis.fids, basis.names, basis.sampling, basis.origin)
    io.write_basis(twice, tmp_path / "twice.BASIS")
    path = _config(tmp_path, training={"steps": 2, "batch": 8, "every": 2, "validation": 8})
    (tmp_path / "tiny.yaml").write_text(RECIPE.replace("default", str(tmp_path / "twice.BASIS")))
    run(read_training(str(path)), tmp_path / "run", lambda line: None)
    saved = load(tmp_path / "run")
    order = [saved.basis.names.index(n) for n in basis.names]
    np.testing.assert_allclose(saved.basis.fids[np.array(order)], 2 * basis.fids, rtol=1e-4, atol=1e-4)
    assert saved.card["loss"] == {"parameters": 1.0}
    (tmp_path / "twice.BASIS").unlink()
    seen = []
    monkeypatch.setattr("simulators.datasets.scenarios.scenarios", lambda *_, basis=None: seen.append(basis) or {})
    monkeypatch.setattr("mrsjax.analysis.scenarios.evaluate_scenarios", lambda trials, *_, **__: trials)
    scenario_rows(str(tmp_path / "run"), 2, 1, 3, say=str, note=str)
    np.testing.assert_array_equal(seen[0].fids, saved.basis.fids)


def _own(folder):
    """A network on disk that gives the amplitudes itself, untrained, of the tiny recipe."""
    (folder / "tiny.yaml").write_text(RECIPE)
    made = recipe(folder / "tiny.yaml")
    network = build(
        NetworkSpec({"name": "mlp", "widths": [4]}, model=PLAIN, predicted=(), amplitudes="network"),
        made.basis,
        made.spectra.model.sampling,
    )
    known = blank(int(np.prod(network.inputs.shape(256))))
    about = {"recipe": {"name": "tiny", "text": RECIPE}}
    write_network(folder / "own", network, made.basis, made.spectra.model.sampling, known, about)
    return folder / "own"


def test_no_fit_follows_a_network_that_gives_the_amplitudes_itself(tmp_path, mrsjax, monkeypatch):
    place = _own(tmp_path)
    monkeypatch.setattr("simulators.datasets.scenarios.scenarios", lambda *_, basis=None: {})
    monkeypatch.setattr("mrsjax.analysis.scenarios.evaluate_scenarios", lambda trials, methods, **_: methods)
    assert list(scenario_rows(str(place), 2, 1, None, say=str, note=str)) == ["fit", "network"]
    for verb, given in (("predict", ("DATA",)), ("evaluate", ("--scenarios",))):
        code, said = mrsjax(verb, place, *given, "--iterations", 4, "-o", tmp_path / "out")
        assert code == 2 and "own: iterations: this network gives the amplitudes itself" in said, said


def test_scenarios_that_are_left_out_are_told(tmp_path, monkeypatch):
    place, told = _own(tmp_path), []
    monkeypatch.setattr("mrsjax.analysis.scenarios.evaluate_scenarios", lambda trials, *_, **__: trials)
    assert "baseline x4" not in scenario_rows(str(place), 2, 1, None, say=str, note=told.append)
    assert len(told) == 1 and "scenarios left out" in told[0] and "baseline x4; macromolecules x2" in told[0]


def test_data_of_another_echo_time_are_told(tmp_path):
    place = _own(tmp_path)
    fids = np.exp(-np.arange(256) / 50 + 0.3j * np.arange(256))[None]
    made = FIDs(fids, Sampling(1 / 1200, 123.25e6, 256), ("DIM_DYN",), Acquisition(echo_time=0.144))
    io.write(made, tmp_path / "data.nii.gz")
    settings = resolve({"data": str(tmp_path / "data.nii.gz"), "basis": str(place), "out": str(tmp_path)}, None)
    notes = " ".join(inputs_of(settings, str(place))[0].notes)
    assert "144 ms" in notes and "30 ms" in notes, notes


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"recipes": "r1"}, "recipes"),
        ({"recipe": 3}, "recipe"),
        ({"network": []}, "network"),
        ({"data": "a.nii.gz"}, "found recipe, data"),
        ({"basis": "a.basis"}, "basis"),
        ({"members": 0}, "members: wanted"),
    ],
)
def test_mistakes_in_the_configuration_are_named(tmp_path, changes, named):
    with pytest.raises(ValueError, match=rf"train\.yaml.*{named}"):
        read_training(str(_config(tmp_path, **changes)))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"network": {"encoder": "mlp"}}, r"encoder: wanted a mapping"),
        ({"loss": {"likelihood": 1.0}}, "variance: true"),
        ({"loss": {"parameters": "much"}}, r"loss\.parameters: wanted a number"),
        ({"training": {"steps": 1500.7}}, r"training\.steps: wanted a whole number .*found 1500\.7"),
        ({"training": {"learning_rate": float("nan")}}, r"training\.learning_rate"),
        ({"network": {"variance": "no"}}, r"network\.variance: wanted true or false"),
        ({"network": {"encoder": {"name": "cnn", "stride": 0}}}, r"encoder\.stride: wanted .* found 0"),
        ({"recipe": None, "data": "a.nii.gz", "loss": {"parameters": 1.0}}, "measured data have no truth"),
    ],
)
def test_mistakes_that_need_the_network_are_named(tmp_path, changes, named):
    path = _config(tmp_path)
    content = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
    with pytest.raises(ValueError, match=rf"train\.yaml: .*{named}"):
        run(read_training(str(path)), tmp_path / "run", lambda line: None)


def test_a_folder_for_the_run_is_made_before_anything_is_computed(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("mrsjax.nn.calibrate", lambda *_, **__: pytest.fail("it was calibrated"))
    with pytest.raises(ValueError, match="file: wanted a folder"):
        run(read_training(str(_config(tmp_path))), tmp_path / "file", lambda line: None)


def test_a_data_set_and_measured_spectra_stand_in_for_a_recipe(tmp_path):
    """Both are split: what validates is never trained on."""
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    write(recipe(tmp_path / "tiny.yaml"), 30, tmp_path / "set", shard=256)
    first, last, _, sampling, about = source({"dataset": str(tmp_path / "set")})
    assert (len(first.fids), len(last.fids)) == (27, 3) and about["recipe"]["name"] == "tiny"
    arrays = open_arrays(tmp_path / "set")
    sample = last.sample(jax.random.key(1))
    row = 27 + int(sample.labels["row"])
    np.testing.assert_array_equal(sample.data, arrays["data"][row])
    np.testing.assert_array_equal(sample.truth["amplitudes"], arrays["truth.amplitudes"][row])
    assert float(sample.truth["values"]["metabolites"]["shift"]) == arrays["truth.values.metabolites.shift"][row]
    io.write(FIDs(arrays["data"][:20], sampling, ("DIM_DYN",)), tmp_path / "data.nii.gz")
    first, last, _, sampling, _ = source({"data": str(tmp_path / "data.nii.gz")})
    assert (len(first.fids), len(last.fids), sampling.n_points) == (18, 2, 256)
    np.testing.assert_allclose(last.fids, arrays["data"][18:20], rtol=1e-6)
    with pytest.raises(ValueError, match="at least 2"):
        io.write(FIDs(arrays["data"][:1], sampling, ("DIM_DYN",)), tmp_path / "one.nii.gz")
        source({"data": str(tmp_path / "one.nii.gz")})


def test_training_on_measured_spectra_by_the_command(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    fids = rng.normal(size=(20, 256)) + 1j * rng.normal(size=(20, 256))
    io.write(FIDs(fids, Sampling(1 / 1200, 123.25e6, 256), ("DIM_DYN",)), tmp_path / "data.nii.gz")
    path = _config(tmp_path, recipe=None, data=str(tmp_path / "data.nii.gz"), loss={})
    path.write_text(path.read_text().replace("recipe: null\n", ""))
    monkeypatch.setattr("mrsjax.nn.calibrate", lambda spec, basis, sampling, _, *, seed: build(spec, basis, sampling))
    monkeypatch.setattr("mrsjax.nn.familiarity", lambda *_, **__: None)
    seen = {}
    monkeypatch.setattr("mrsjax.nn.train", lambda network, data, *_, **more: seen.update(data=data, **more))
    run(read_training(str(path)), tmp_path / "run", lambda line: None)
    assert [len(seen[k].simulator.fids) for k in ("data", "validation")] == [18, 2]
    assert seen["about"]["loss"] == {"residual": 1.0} and "data.nii.gz" in seen["about"]["recipe"]["name"]
