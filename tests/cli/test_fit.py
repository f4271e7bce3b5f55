"""`mrsjax fit` from file to folder: numbers, shapes of data, mistakes, repetition, interruption."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from mrsjax.report.page import short

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

    # The run.yaml of a run repeats it bit for bit; other files in the folder stay.
    (out / "notes.txt").write_text("mine")
    before = (out / "results.csv").read_bytes()
    again = tmp_path / "again"
    assert command("fit", "--config", out / "run.yaml", "-o", again)[0] == 0
    assert (again / "results.csv").read_bytes() == before
    assert command("fit", "--config", out / "run.yaml")[0] == 0
    assert (out / "notes.txt").read_text() == "mine" and (out / "results.csv").read_bytes() == before


def test_mrsi_has_voxels_and_says_which_failed(scans, command, quick, tmp_path):
    code, stdout, _ = command(
        "fit", scans["mrsi"], "--basis", scans["basis"], "--config", scans["config"], "-o", tmp_path / "o"
    )
    assert code == 0 and "10 of 12 fits converged; 2 had NaN, zero or flat data." in stdout
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


MISTAKES = {
    "no such file": (["{nothing}", "--basis", "{basis}"], "nothing"),
    "no such basis": (["{svs}", "--basis", "{nothing}"], "nothing"),
    "data is no data": (["{config}", "--basis", "{basis}"], "settings.yaml"),
    "basis as data": (["{basis}", "--basis", "{basis}"], "set.basis"),
    "RAW of another length": (["{short}", "--basis", "{basis}"], "give --dwell-s and --central-frequency-mhz"),
    "no basis": (["{svs}"], "--basis is missing"),
    "no data": (["--basis", "{basis}"], "DATA is missing"),
    "tissue without water": (["{svs}", "--basis", "{basis}", "--tissue", "gm=1,wm=0,csf=0"], "needs --water"),
    "tissue incomplete": (
        ["{svs}", "--basis", "{basis}", "--water", "{water}", "--tissue", "gm=1,wm=0"],
        "csf missing",
    ),
    "tissue of nonsense": (["{svs}", "--basis", "{basis}", "--water", "{water}", "--tissue", "bone=1"], "'bone=1'"),
    "tissue sum": (
        ["{svs}", "--basis", "{basis}", "--water", "{water}", "--tissue", "gm=1,wm=1,csf=1"],
        "sum of 3.000",
    ),
    "tissue map missing": (
        ["{svs}", "--basis", "{basis}", "--water", "{water}", "--tissue", "gm={nothing},wm=0,csf=0"],
        "nothing",
    ),
    "timing unknown": (["{untimed}", "--basis", "{basis}", "--water", "{water}"], "give --te-ms and --tr-s"),
    "mask of another shape": (["{svs}", "--basis", "{basis}", "--mask", "{mask}"], "mask: wanted shape"),
    "mask that is none": (["{svs}", "--basis", "{basis}", "--mask", "{config}"], "NIfTI or .npy"),
    "te in seconds": (["{svs}", "--basis", "{basis}", "--te-ms", "0.03"], "--te-ms: wanted 1 to 500"),
    "no such option": (["{svs}", "--bases", "{basis}"], "No such option"),
    "text for a number": (["{svs}", "--basis", "{basis}", "--te-ms", "long"], "not a valid float"),
    "several water files": (["{svs}", "--basis", "{basis}", "--water", "{series}"], "1 or 1 water FIDs, found 5"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(name, scans, command, quick, tmp_path):
    arguments, said = MISTAKES[name]
    paths = {**scans, "nothing": str(tmp_path / "nothing.nii")}
    filled = [a.format(**paths) for a in arguments]
    if scans["config"] not in filled:
        filled += ["--config", scans["config"]]
    code, stdout, stderr = command("fit", *filled, "-o", tmp_path / "out")
    complaints = [
        x for x in stderr.splitlines() if not x.startswith(("mrsjax: reading", "mrsjax: compiling", "mrsjax: note"))
    ]
    assert code == 2 and len(complaints) == 1 and complaints[0].startswith("mrsjax: ") and said in complaints[0], stderr
    assert "Traceback" not in stderr + stdout and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text, said",
    [
        ("- a\n- b\n", "found list"),
        ("a: [1\n", "wanted YAML"),
        ("bases: x\n", "unknown settings bases"),
        ("te_ms: long\n", "te_ms: wanted a number"),
        ("basis: 3\n", "basis: wanted a text"),
        ("model: 3\n", "model: wanted a mapping"),
        ("model: {lines: gauss}\n", "unknown options lines"),
        ("conjugate: maybe\n", "wanted true or false"),
        ("x: !!python/object/apply:os.system ['touch /tmp/mrsjax-was-here']\n", "wanted YAML"),
        ("water: {water}\nrelaxation: {{water: {{gm: [1]}}}}\n", "relaxation: wanted"),
    ],
)
def test_a_bad_configuration_is_one_line(text, said, scans, command, quick, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(text.format(water=scans["water"]) if "{water}" in text else text)
    code, _, stderr = command(
        "fit", scans["svs"], "--basis", scans["basis"], "--config", config, "-o", tmp_path / "out"
    )
    assert code == 2 and said in stderr and stderr.count("mrsjax:") <= 2 and "Traceback" not in stderr
    assert not os.path.exists("/tmp/mrsjax-was-here") and not (tmp_path / "out").exists()


def test_folders_of_others_are_left_alone(scans, command, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "results.csv").write_text("of another program")
    code, _, stderr = command("fit", scans["svs"], "--basis", scans["basis"], "-o", out)
    assert code == 2 and "not written by mrsjax" in stderr and (out / "results.csv").read_text() == "of another program"
    code, _, stderr = command("fit", scans["svs"], "--basis", scans["basis"], "-o", out / "results.csv")
    assert code == 2 and "found a file" in stderr


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


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_is_obeyed_at_once_and_leaves_nothing(scans, tmp_path):
    code = "from mrsjax.cli import main; main()"
    command = [sys.executable, "-c", code, "fit", scans["svs"], "--basis", scans["basis"], "-o", str(tmp_path / "out")]
    root = Path(__file__).parents[2]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(root)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "compiling" in line:
                break
        time.sleep(2)  # well inside the compiler
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        rest = process.stderr.read()
        assert process.wait(timeout=20) == 130 and time.monotonic() - began < 10
    assert "mrsjax: interrupted; nothing was written" in rest and "Traceback" not in rest
    assert {p.name for p in tmp_path.iterdir()} <= {"cache"}


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
