"""`mrsjax fit`: mistakes are one line and exit code 2, folders of others and an interrupted run stay whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
        "gm + wm + csf = 1, found gm=1, wm=1, csf=1",
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
    "several water files": (
        ["{svs}", "--basis", "{basis}", "--water", "{series}"],
        "found DIM_DYN 5; several averages become one",
    ),
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
        x
        for x in stderr.splitlines()
        if not x.startswith(("mrsjax: reading", "mrsjax: compiling", "mrsjax: fitting", "mrsjax: note"))
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
        ("model: {own_width: wide}\n", "model: own_width: wanted a number >= 0 or off, found 'wide'"),
        ("model: {own_shift: -1}\n", "model: own_shift: wanted a number >= 0 or off, found -1"),
        ("model: {water_tails: 1.5}\n", "model: water_tails: wanted a whole number >= 0 or off"),
        ("model: {window_ppm: 3}\n", "model: window_ppm: wanted two numbers"),
        ("model: {window_ppm: [4, 1]}\n", "model: window_ppm: wanted two numbers"),
        ("model: {baseline: [4]}\n", "model: baseline: wanted a name, a number or off"),
        ("model: {lipids: parametric}\n", "model: lipids: wanted true or false"),
        ("model: {ratios: [NAA]}\n", "model: ratios: wanted names with numbers"),
        ("model: {lineshape: [a]}\n", "model: lineshape: wanted a name"),
        ("peak: water\n", "peak: wanted one of tNAA, tCr, tCho, found water"),
        ("water_te_ms: 0.03\n", "mrsjax: water_te_ms: wanted 1 to 500"),
        (
            "water: {water}\nrelaxation: {{water: {{gm: [1.33, 0.11], wm: [900, 80], csf: [4000, 500]}}, metabolites: [1300, 200]}}\n",
            "gm: wanted T1 of 50 to 20000 ms, found 1.33 ms",
        ),
        (
            "water: {water}\nrelaxation: {{water: {{gm: [1330, 110], wm: [900, 80], csf: [4000, 500]}}, metabolites: [1300, 0]}}\n",
            "metabolites: wanted T2 of 5 to 5000 ms, found 0 ms",
        ),
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


def test_ctrl_c_says_what_stays(tmp_path):
    """Of work that is resumed, in place of "nothing was written"."""
    from mrsjax.cli.console import interruptible

    def pressed():
        time.sleep(0.5)
        signal.raise_signal(signal.SIGINT)  # delivered to the main thread, which waits
        time.sleep(2)

    with pytest.raises(KeyboardInterrupt, match="finished shards stay"):
        interruptible(pressed, stopped="interrupted; finished shards stay")
