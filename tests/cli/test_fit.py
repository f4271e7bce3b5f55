"""`mrsjax fit` from file to folder: numbers, shapes of data, repetition."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from mrsjax import io
from mrsjax.core import to_spectrum
from mrsjax.inference.selection import Choice
from mrsjax.report.page import short
from tests.cli.conftest import F0
from tests.physics.examples import PLAIN

FILES = {"results.csv", "parameters.csv", "qc.csv", "results.json", "report.html", "run.yaml", "curves"}


def rows(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def concentrations(folder, column="raw_amplitude", spectrum="0"):
    return {r["metabolite"]: float(r[column]) for r in rows(folder / "results.csv") if r["spectrum"] == spectrum}


def test_single_voxel_with_water(scans, command, tmp_path):
    out = tmp_path / "new" / "out"
    code, stdout, _ = command(
        "fit",
        scans["svs"],
        "--basis",
        scans["basis"],
        "--water",
        scans["water"],
        "--tissue",
        "gm=0.6,wm=0.3,csf=0.1",
        "--config",
        scans["config"],
        "-o",
        out,
    )
    assert code == 0 and "The fit converged." in stdout and str(out / "report.html") in stdout
    assert {p.name for p in out.iterdir()} == FILES and [p.name for p in out.parent.iterdir()] == ["out"]
    amounts = concentrations(out)
    assert amounts["NAA"] == pytest.approx(10.0, rel=0.05) and amounts["tCr"] == pytest.approx(8.0, rel=0.05)
    assert concentrations(out, "ratio_tcr")["tNAA"] == pytest.approx(1.25, rel=0.05)
    assert 20 < concentrations(out, "water_scaled_molal")["tCr"] < 80
    qc = rows(out / "qc.csv")[0]
    assert qc["status"] == "converged" and float(qc["fwhm_hz"]) == pytest.approx(5.0, rel=0.1)
    run = yaml.safe_load((out / "run.yaml").read_text())
    assert run["schema"] == "mrsjax-run/1.1" and run["versions"]["jax"] and run["device"]
    assert [f["role"] for f in run["files"]] == ["data", "basis", "water"] and len(run["files"][0]["sha256"]) == 64
    assert json.loads((out / "results.json").read_text())["schema"].startswith("mrsjax-results/1")
    assert "Wansapura 1999" in (out / "report.html").read_text()
    assert rows(out / "parameters.csv")[0].keys() == {"spectrum", "parameter", "value", "sd", "unit"}

    # The curves are those of the fit: fit + residual is the data, phased as parameters.csv says, in the window.
    value = {r["parameter"]: float(r["value"]) for r in rows(out / "parameters.csv")}
    curve = {p.name.split(".")[0]: io.read(p) for p in (out / "curves").iterdir()}
    ppm = np.asarray(curve["fit"].sampling.ppm)
    inside = (ppm > 0.3) & (ppm < 4.1)
    fit, residual, data = (
        np.asarray(to_spectrum(f.data))[inside] for f in (curve["fit"], curve["residual"], io.read(scans["svs"]))
    )
    pivot = 2.2  # the middle of the window
    turn = value["phase.phase_zero"] + 2e-6 * np.pi * F0 * (ppm[inside] - pivot) * value["phase.delay"]
    np.testing.assert_allclose(fit + residual, data * np.exp(-1j * turn), atol=1e-4 * np.abs(fit).max())
    assert ppm[inside][np.argmax(fit.real)] == pytest.approx(2.01, abs=0.02)

    # The run.yaml of a run repeats it bit for bit; other files in the folder stay.
    (out / "notes.txt").write_text("mine")
    numbers = [p.relative_to(out) for p in out.rglob("*") if p.suffix == ".csv"]
    assert len(numbers) == 3

    def content(folder):
        signals = {p.name: io.read(p).data.tobytes() for p in (folder / "curves").iterdir()}  # the header has the time
        return signals | {name: (folder / name).read_bytes() for name in numbers}

    before, again = content(out), tmp_path / "again"
    assert command("fit", "--config", out / "run.yaml", "-o", again)[0] == 0
    assert content(again) == before and len(before) == 7
    assert command("fit", "--config", out / "run.yaml")[0] == 0
    assert (out / "notes.txt").read_text() == "mine" and content(out) == before


def test_mrsi_has_voxels_and_says_which_failed(scans, command, quick, tmp_path, monkeypatch):
    code, stdout, stderr = command(
        "fit", scans["mrsi"], "--basis", scans["basis"], "--config", scans["config"], "-o", tmp_path / "o"
    )
    said = [line.removeprefix("mrsjax: ") for line in stderr.splitlines() if "note" not in line]
    assert [line.split()[0] for line in said] == ["reading", "compiling", "fitting", "writing"]
    assert "for cpu" in said[1] and "on cpu" in said[2] and said[2].endswith("(spectra: 12)")
    assert code == 0 and "10 of 12 fits converged; 2 had NaN, zero or flat data." in stdout
    first = lambda models, *given, **options: Choice(models[0], 0, np.zeros(len(models)))  # noqa: E731
    monkeypatch.setattr("mrsjax.analysis.model_choice.choose", first)
    few = (scans["mrsi"], "--basis", scans["basis"], "--config", tmp_path / "c.yaml", "-o", tmp_path / "few")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"model": {k: v for k, v in PLAIN.items() if k[:3] != "own"}}))
    said = [line.split()[1] for line in command("fit", *few)[2].splitlines() if "note" not in line]
    assert said == ["reading", "compiling", "choosing", "fitting", "writing"]
    table = rows(tmp_path / "o" / "results.csv")
    assert list(table[0])[:4] == ["spectrum", "x", "y", "z"]
    status = {(r["x"], r["y"], r["z"]): r["status"] for r in table}
    assert [k for k, v in status.items() if v != "converged"] == [("0", "0", "0"), ("0", "1", "0")]
    assert next(r for r in table if (r["x"], r["y"], r["z"]) == ("2", "1", "1"))["spectrum"] == "11"
    assert next(r for r in table if r["spectrum"] == "0")["raw_amplitude"] == ""


def test_mask_leaves_voxels_out_but_keeps_their_numbers(scans, command, quick, tmp_path):
    code, *_ = command(
        "fit",
        scans["mrsi"],
        "--basis",
        scans["basis"],
        "--mask",
        scans["mask"],
        "--config",
        scans["config"],
        "-o",
        tmp_path / "o",
    )
    assert code == 0
    assert sorted({int(r["spectrum"]) for r in rows(tmp_path / "o" / "results.csv")}) == [5, 9]


def test_series_and_raw(scans, command, quick, tmp_path):
    assert (
        command("fit", scans["series"], "--basis", scans["basis"], "--config", scans["config"], "-o", tmp_path / "s")[0]
        == 0
    )
    assert {r["spectrum"] for r in rows(tmp_path / "s" / "qc.csv")} == set("01234")
    code, _, stderr = command(
        "fit", scans["raw"], "--basis", scans["basis"], "--config", scans["config"], "-o", tmp_path / "r"
    )
    assert code == 0 and "those of the basis were taken (0.0008 s, 123.2500 MHz; equal length)" in stderr
    assert "those of the basis were taken" in (tmp_path / "r" / "report.html").read_text()
    code, *_ = command(
        "fit",
        scans["raw"],
        "--basis",
        scans["basis"],
        "--dwell-s",
        "8e-4",
        "--central-frequency-mhz",
        123.25,
        "--config",
        scans["config"],
        "-o",
        tmp_path / "r2",
    )
    assert code == 0 and concentrations(tmp_path / "r2") == pytest.approx(concentrations(tmp_path / "r"))


def test_notes_name_implausible_water(scans, command, quick, tmp_path):
    code, _, stderr = command(
        "fit",
        scans["svs"],
        "--basis",
        scans["basis"],
        "--water",
        scans["faint"],
        "--config",
        scans["config"],
        "-o",
        tmp_path / "o",
    )
    assert code == 0 and "which no brain has" in stderr
    code, _, stderr = command(
        "fit",
        scans["svs"],
        "--basis",
        scans["basis"],
        "--water",
        scans["svs"],
        "--config",
        scans["config"],
        "-o",
        tmp_path / "p",
    )
    assert code == 0 and "No water signal could be measured for 1 of 1 spectra" in stderr
    assert "No tissue fractions were given" in (tmp_path / "o" / "report.html").read_text()


def test_tissue_maps_and_own_relaxation_times(scans, command, quick, tmp_path):
    maps = {}
    for name, value in (("gm", 0.5), ("wm", 0.3), ("csf", 0.2)):
        volume = np.full((3, 2, 2), value)
        volume[0] = 0.0  # outside the head
        np.save(tmp_path / f"{name}.npy", volume)
        maps[name] = str(tmp_path / f"{name}.npy")
    config = yaml.safe_load(Path(scans["config"]).read_text())
    config["relaxation"] = {
        "water": {"gm": [1300, 100], "wm": [900, 80], "csf": [4000, 500]},
        "metabolites": [1300, 200],
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    tissue = ",".join(f"{k}={v}" for k, v in maps.items())
    code, *_ = command(
        "fit",
        scans["mrsi"],
        "--basis",
        scans["basis"],
        "--water",
        scans["water"],
        "--tissue",
        tissue,
        "--config",
        tmp_path / "c.yaml",
        "-o",
        tmp_path / "o",
    )
    table = rows(tmp_path / "o" / "results.csv")
    assert (
        code == 0
        and next(r for r in table if r["x"] == "0" and r["y"] == "1" and r["z"] == "1")["water_scaled_molal"] == ""
    )
    assert float(next(r for r in table if r["x"] == "1")["water_scaled_molal"]) > 0
    assert "given by the user" in (tmp_path / "o" / "report.html").read_text()


def test_posterior_writes_quantiles(scans, command, tmp_path):
    out = tmp_path / "o"
    given = ("fit", scans["svs"], "--basis", scans["basis"], "--config", scans["config"], "--posterior", "laplace")
    assert command(*given, "-o", out)[0] == 0
    table = {r["metabolite"]: r for r in rows(out / "posterior.csv")}
    assert set(table) == set(concentrations(out))
    naa = table["NAA"]
    spread = next(float(r["crlb"]) for r in rows(out / "results.csv") if r["metabolite"] == "NAA")
    assert float(naa["q0.16"]) < float(naa["q0.5"]) < float(naa["q0.84"])
    assert float(naa["sd"]) == pytest.approx(spread, rel=0.15)
    assert "posterior.csv" in yaml.safe_load((out / "run.yaml").read_text())["outputs"]
    shown = re.search(r'<section id="posterior".*?</section>', (out / "report.html").read_text(), flags=re.DOTALL)
    assert shown and f"<td>{short(float(naa['q0.5']))}</td>" in shown[0]
