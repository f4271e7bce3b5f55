"""`mrsjax train` and `mrsjax predict`: a small network from a configuration, and the outputs of a fit from it."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import equinox as eqx
import jax
import numpy as np
import pytest
import yaml

from mrsjax import io
from mrsjax.cli.learned import scenario_rows
from mrsjax.cli.training_config import read_training, run
from mrsjax.core import BasisSet, FIDs
from mrsjax.data import default_basis
from mrsjax.nn import load
from tests.physics.examples import PLAIN

ROOT = pathlib.Path(__file__).parents[2]
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


def _mrsjax(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "from mrsjax.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=600)


def test_train_then_predict(tmp_path):
    from simulators.datasets import recipe

    done = _mrsjax("train", _config(tmp_path), "-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "spectra/s" in done.stderr and "s left" in done.stderr
    card = json.loads((tmp_path / "run" / "best" / "card.json").read_text())
    assert card["recipe"]["name"] == "tiny" and "snr" in card["recipe"]["text"]
    simulator = recipe(tmp_path / "tiny.yaml").simulator
    sample = eqx.filter_jit(lambda s, k: s.sample(k))(simulator, jax.random.key(2))
    fid, truth = np.asarray(sample.data), np.asarray(sample.truth["amplitudes"])
    io.write(FIDs(np.stack([fid, 1j * fid[::-1]]), simulator.model.sampling, ("DIM_DYN",)), tmp_path / "data.nii.gz")
    done = _mrsjax("predict", tmp_path / "run", tmp_path / "data.nii.gz", "--iterations", 8, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "1 of 2 spectra are unlike" in done.stderr and ": 1 (" in done.stderr
    with open(tmp_path / "out" / "results.csv") as file:
        found = {r["metabolite"]: float(r["raw_amplitude"]) for r in csv.DictReader(file) if r["spectrum"] == "0"}
    names = list(simulator.model.names)
    assert found["NAA"] == pytest.approx(truth[names.index("NAA")], rel=0.1)
    assert "a network (mlp)" in (tmp_path / "out" / "report.html").read_text()
    done = _mrsjax("evaluate", tmp_path / "run", "--scenarios", "--count", 8, "-o", tmp_path / "suite")
    assert done.returncode == 0, done.stderr[-2000:]
    with open(tmp_path / "suite" / "scenarios.csv") as file:
        suite = {(r["scenario"], r["method"]): r for r in csv.DictReader(file)}
    assert len(suite) == 3 * 13  # no macromolecules in this recipe, no baseline of its own
    # the small model's line is not the recipe's, which biases all alike; a shift four times too far is worse
    assert float(suite["shift x4", "network"]["bias"]) > 2 * float(suite["in distribution", "fit"]["bias"])
    assert float(suite["shift x4", "network"]["unlike"]) > float(suite["in distribution", "network"]["unlike"])
    assert (tmp_path / "suite" / "scenarios.svg").read_text().startswith("<svg")
    io.write(
        FIDs(fid[None, :128], simulator.model.sampling.__class__(1 / 1200, 123.25e6, 128), ("DIM_DYN",)),
        tmp_path / "short.nii.gz",
    )
    refused = _mrsjax("predict", tmp_path / "run", tmp_path / "short.nii.gz", "-o", tmp_path / "other")
    assert (
        refused.returncode == 2
        and "points: wanted 256, found 128" in refused.stderr
        and "Traceback" not in refused.stderr
    )


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
    scenario_rows(str(tmp_path / "run"), 2, 1, 3, lambda line: None)
    np.testing.assert_array_equal(seen[0].fids, saved.basis.fids)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"recipes": "r1"}, "recipes"), ({"recipe": 3}, "recipe"), ({"network": []}, "network")],
)
def test_mistakes_in_the_configuration_are_named(tmp_path, changes, named):
    with pytest.raises(ValueError, match=rf"train\.yaml.*{named}"):
        read_training(str(_config(tmp_path, **changes)))
