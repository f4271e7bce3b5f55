"""`mrsjax batch`: failures, resuming, BIDS names, one compilation, the index."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from mrsjax import io
from mrsjax.core import FIDs, Sampling
from mrsjax.core.data import Acquisition
from mrsjax.report import index

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(scans, tmp_path):
    """Four subjects, the central frequency a little different in each, the third file cut short."""
    folder = tmp_path / "in"
    folder.mkdir()
    sound = io.read(scans["svs"])
    for k in range(4):
        grid = Sampling(
            sound.sampling.dwell_time, sound.sampling.central_frequency + 137.0 * k, sound.sampling.n_points
        )
        io.write(FIDs(sound.data * (1 + 0.01 * k), grid, (), sound.acquisition), folder / f"s{k}_act.nii.gz")
        shutil.copy(scans["water"], folder / f"s{k}_ref.nii.gz")
    damaged = folder / "s2_act.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:900])
    return folder


def table(out):
    with open(out / "summary.csv", newline="") as stream:
        return {r["name"]: r for r in csv.DictReader(stream)}


def test_one_failure_is_listed_and_the_rest_is_done_and_kept(scans, study, command, quick, tmp_path, monkeypatch):
    summed = []
    monkeypatch.setattr(
        index, "summary_row", lambda o, known=index.summary_row: summed.append("document" in o) or known(o)
    )
    out = tmp_path / "out"
    arguments = [
        "batch",
        study,
        "--basis",
        scans["basis"],
        "--water",
        "act=ref",
        "--config",
        scans["config"],
        "-o",
        out,
    ]
    code, stdout, stderr = command(*arguments)
    assert summed.count(True) == 3  # each document once, whatever the number of files
    assert code == 2 and "3 fitted, 0 kept, 1 failed" in stdout and "failed: s2_act: " in stdout
    assert "Traceback" not in stdout + stderr
    rows = table(out)
    assert list(rows) == [f"s{k}_act" for k in range(4)] and rows["s2_act"]["status"] == "failed"
    assert float(rows["s0_act"]["tCr mmol/kg"]) > 0 and rows["s0_act"]["link"] == "s0_act/report.html"
    page = (out / "index.html").read_text()
    assert 'href="s3_act/report.html"' in page and "s2_act.nii.gz" in page
    assert (out / "s3_act" / "report.html").is_file() and not (out / "s2_act").exists()

    # Again: nothing is redone, and what was damaged, lost, changed or mended is noticed.
    made = {p: p.stat().st_mtime_ns for p in out.glob("s*/results.csv")}
    assert "0 fitted, 3 kept, 1 failed" in command(*arguments)[1]
    assert made == {p: p.stat().st_mtime_ns for p in made}
    (out / "s0_act" / "results.csv").write_text("damaged")
    fids = io.read(study / "s1_act.nii.gz")
    io.write(FIDs(fids.data * 2, fids.sampling, (), fids.acquisition), study / "s1_act.nii.gz")
    shutil.copy(study / "s3_act.nii.gz", study / "s2_act.nii.gz")
    code, stdout, _ = command(*arguments)
    assert code == 0 and "3 fitted, 1 kept, 0 failed" in stdout
    assert {n for n, r in table(out).items() if r["status"] == "fitted"} == {"s0_act", "s1_act", "s2_act"}


def test_other_options_or_lost_outputs_are_fitted_again(scans, study, command, quick, tmp_path):
    arguments = ["batch", study / "s0_act.nii.gz", "--basis", scans["basis"], "--config", scans["config"]]
    arguments += ["-o", tmp_path / "out"]
    assert "1 fitted" in command(*arguments)[1] and "1 kept" in command(*arguments)[1]
    (tmp_path / "out" / "s0_act" / "curves" / "fit.nii.gz").unlink()
    assert "1 fitted" in command(*arguments)[1]
    assert "1 fitted" in command(*arguments, "--te-ms", "31")[1]
    assert "1 fitted" in command(*arguments, "--te-ms", "31", "--redo")[1]


def test_a_mended_header_or_tissue_map_is_fitted_again(scans, command, quick, tmp_path):
    shutil.copy(scans["raw"], tmp_path / "a.raw")
    control, maps = tmp_path / "a.control", {}
    control.write_text(" $LCMODL\n filraw='a.raw', deltat=8e-4, hzpppm=123.25, nunfil=512, echot=30 $END\n")
    for name, value in (("gm", 0.5), ("wm", 0.3), ("csf", 0.2)):
        maps[name] = tmp_path / f"{name}.npy"
        np.save(maps[name], np.full((), value))
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(Path(scans["config"]).read_text()) | {"water": scans["water"]}))
    tissue = ",".join(f"{k}={v}" for k, v in maps.items())
    arguments = ["batch", tmp_path / "a.raw", "--basis", scans["basis"], "--config", config, "--tr-s", "2"]
    arguments += ["--tissue", tissue, "-o", tmp_path / "out"]
    assert "1 fitted" in command(*arguments)[1] and "1 kept" in command(*arguments)[1]
    control.write_text(control.read_text().replace("123.25", "123.26"))
    assert "1 fitted" in command(*arguments)[1] and "1 kept" in command(*arguments)[1]
    np.save(maps["gm"], np.full((), 0.51))
    assert "1 fitted" in command(*arguments)[1]
    run = yaml.safe_load((tmp_path / "out" / "a" / "run.yaml").read_text())
    roles = [f["role"] for f in run["files"]]
    assert roles == ["data", "data", "basis", "water", "tissue_gm", "tissue_wm", "tissue_csf"]


def test_a_run_yaml_of_a_batch_repeats_the_single_fit(scans, study, command, quick, tmp_path):
    out = tmp_path / "out"
    one = study / "s1_act.nii.gz"
    assert command("batch", one, "--basis", scans["basis"], "--config", scans["config"], "-o", out)[0] == 0
    assert command("fit", "--config", out / "s1_act" / "run.yaml", "-o", tmp_path / "again")[0] == 0
    assert (tmp_path / "again" / "results.csv").read_bytes() == (out / "s1_act" / "results.csv").read_bytes()


def test_equal_shapes_compile_once(scans, study, command, tmp_path, caplog):
    import jax

    arguments = ["--basis", scans["basis"], "--config", scans["config"]]
    jax.config.update("jax_log_compiles", True)
    try:
        counts = []
        for k in (0, 3):
            caplog.clear()
            with caplog.at_level("WARNING"):
                assert command("batch", study / f"s{k}_act.nii.gz", *arguments, "-o", tmp_path / "o")[0] == 0
            programs = ("correlated", "prepare", "advance", "between", "summary", "_curves")
            text = [r.getMessage() for r in caplog.records]
            counts.append(sum(m.startswith("Compiling") and any(f"jit({p})" in m for p in programs) for m in text))
    finally:
        jax.config.update("jax_log_compiles", False)
    assert counts[1] == 0, counts


def test_bids_in_derivatives_out(scans, command, quick, tmp_path):
    root, out = tmp_path / "bids", tmp_path / "derivatives"
    sound, water = io.read(scans["svs"]), io.read(scans["water"])
    bare = Acquisition()
    for sub in ("01", "02"):
        place = root / f"sub-{sub}" / "ses-1" / "mrs"
        place.mkdir(parents=True)
        for acq in ("press", "steam"):
            io.write(FIDs(sound.data, sound.sampling, (), bare), place / f"sub-{sub}_ses-1_acq-{acq}_svs.nii.gz")
            side = {"EchoTime": 0.03, "RepetitionTime": 2.0}
            (place / f"sub-{sub}_ses-1_acq-{acq}_svs.json").write_text(json.dumps(side))
        io.write(water, place / f"sub-{sub}_ses-1_mrsref.nii.gz")
    (root / "mrsref.json").write_text('{"RepetitionTime": 10.0}')
    (root / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    code, stdout, _ = command("batch", root, "--basis", scans["basis"], "--config", scans["config"], "-o", out)
    assert code == 0 and "4 fitted" in stdout
    names = {p.name for p in (out / "sub-01" / "ses-1" / "mrs").iterdir()}
    start = "sub-01_ses-1_acq-press_desc-"
    wanted = {"results_svs.csv", "results_svs.json", "report_svs.html", "run_svs.yaml", "fit_svs.nii.gz"}
    assert {start + w for w in wanted} <= names and not any("steam" in n and "press" in n for n in names)
    assert json.loads((out / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    run = yaml.safe_load((out / "sub-01" / "ses-1" / "mrs" / f"{start}run_svs.yaml").read_text())
    assert (
        run["options"]["te_ms"] == 30
        and run["options"]["water_tr_s"] == 10
        and run["options"]["water"].endswith("sub-01_ses-1_mrsref.nii.gz")
    )
    assert "4 kept" in command("batch", root, "--basis", scans["basis"], "--config", scans["config"], "-o", out)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_keeps_what_is_finished(scans, study, tmp_path):
    out = tmp_path / "out"
    # Tests that a shell started in the background inherit an ignored Ctrl-C.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom mrsjax.cli import main; main()"
    )
    command = [
        sys.executable,
        "-c",
        code,
        "batch",
        str(study),
        "--basis",
        scans["basis"],
        "--config",
        scans["config"],
        "--water",
        "act=ref",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, "-o", str(out)], stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "2 of " in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert "are finished, the same command goes on" in rest and "Traceback" not in rest
    assert (out / "index.html").is_file() and len(list(out.glob("*/run.yaml"))) >= 1
    assert not np.any([p.name.startswith(".") for p in out.iterdir()])
