"""`mrsjax check`, `mrsjax convert` and `mrsjax fit --control`."""

import re
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
import yaml

from mrsjax import io
from mrsjax.cli.entry import commands
from mrsjax.cli.process import STEPS
from mrsjax.cli.words import as_arguments, in_options
from mrsjax.core import BasisSet, FIDs

ROOT = Path(__file__).parents[2]


def options_of(verb):
    command = commands.get_command(click.Context(commands), verb)
    return {o for p in command.params for o in p.opts}


def test_check_says_what_it_is_and_the_next_command(scans, command):
    code, stdout, _ = command("check", scans["svs"], scans["series"], "--basis", scans["basis"])
    assert code == 0 and f"-> mrsjax run {scans['series']} --basis {scans['basis']} -o RESULTS" in stdout
    assert "one spectrum, 512 points each" in stdout and "5 transients, 512 points each" in stdout
    assert f"-> mrsjax fit {scans['svs']} --basis {scans['basis']} -o RESULTS" in stdout


def test_raw_files_get_a_command_that_there_is(scans, command, tmp_path):
    """Coils and transients lead to `mrsjax run`, with the hints that it knows; others go into a file first. Every step that is named exists."""
    sound = io.read(scans["series"])
    data = np.stack([sound.data, 0.5j * sound.data])
    data[:, 2] = 0.0
    late = np.roll(data, 60, axis=-1) + 1e4 * np.exp(-np.arange(512) / 50)
    raw, echo = tmp_path / "raw.nii.gz", tmp_path / "echo.nii.gz"
    io.write(FIDs(data, sound.sampling, ("DIM_COIL", "DIM_DYN"), sound.acquisition), raw)
    io.write(FIDs(np.roll(late, 60, axis=-1), sound.sampling, ("DIM_COIL", "DIM_DYN")), echo)
    code, stdout, _ = command("check", raw, echo, "--te-ms", "31")
    assert code == 0 and f"-> mrsjax run {raw} --basis BASIS --te-ms 31 -o RESULTS" in stdout
    named = re.findall(r"`mrsjax process ([a-z-]+)( --[a-z]+)?", stdout)
    assert {"remove-outliers", "truncate"} <= {n for n, _ in named}
    for step, option in named:
        assert step in STEPS and option.removeprefix(" --") in ("", *STEPS[step].options)
    assert f"-> mrsjax convert {raw} RAW.nii.gz --ppm-ref 4.6\n" in command("check", raw, "--ppm-ref", "4.6")[1]


def test_the_next_command_of_a_mirrored_file_mends_it(scans, command, tmp_path):
    sound = io.read(scans["svs"])
    io.write(FIDs(np.conj(sound.data), sound.sampling, (), sound.acquisition), tmp_path / "m.nii.gz")
    code, stdout, _ = command("check", tmp_path / "m.nii.gz", "--basis", scans["basis"])
    assert code == 2
    (advice,) = re.findall(r"-> mrsjax (check .*)", stdout)
    code, stdout, _ = command(*advice.split())
    assert code == 0 and "not mirrored" in stdout
    (advice,) = re.findall(r"-> mrsjax (fit .*)", stdout)
    assert "--conjugate" in advice.split()
    # Given to a sound file, the option is what is wrong.
    code, stdout, _ = command("check", scans["svs"], "--conjugate")
    assert code == 2 and "leave out --conjugate" in stdout and f"-> mrsjax check {scans['svs']}\n" in stdout


def test_a_mirrored_basis_is_mended_by_the_option_that_is_named(scans, command, quick, tmp_path):
    sound = io.read_basis(scans["basis"])
    wrong = tmp_path / "m.basis"
    io.write_basis(BasisSet(np.conj(sound.fids), sound.names, sound.sampling, sound.origin), wrong)
    code, stdout, _ = command("check", scans["svs"], "--basis", wrong)
    assert code == 2 and "give --conjugate-basis" in stdout
    assert command("check", scans["svs"], "--basis", wrong, "--conjugate-basis")[0] == 0
    fitted = ["fit", scans["svs"], "--config", scans["config"]]
    assert command(*fitted, "--basis", scans["basis"], "-o", tmp_path / "a")[0] == 0
    assert command(*fitted, "--basis", wrong, "--conjugate-basis", "-o", tmp_path / "b")[0] == 0
    wanted, found = (np.genfromtxt(tmp_path / f / "results.csv", delimiter=",")[1:, 2] for f in "ab")
    np.testing.assert_allclose(found, wanted, rtol=2e-3)


def test_every_hint_that_a_message_names_is_an_option():
    text = "\n".join(p.read_text() for p in (ROOT / "mrsjax" / "io").glob("*.py"))
    named = set(re.findall(r"(?:give|with|or) (?:the right one with )?([a-z_]+)=(?:\.\.\.|\{|0 )", text))
    assert {"dwell_time", "central_frequency", "ppm_ref", "n_points", "nucleus", "subspectrum"} <= named
    for hint in named:
        option = re.search(r"--[a-z-]+", in_options(f"give {hint}=..."))
        assert option is not None, hint
        for verb in ("check", "fit", "convert"):
            assert option[0] in options_of(verb), (hint, verb)
    for option in set(re.findall(r"--[a-z][a-z-]+", text)) - {
        "--water",
        "--control",
        "--first",
        "--echo-difference-ms",
        "--unit",
    }:  # of whole commands
        assert option in options_of("check") and option in options_of("fit")


def test_messages_speak_of_options():
    assert in_options("give the right one with echo_time=... (s)") == "give the right one with --te-ms"
    assert in_options("read with ppm_ref=4.68") == "give --ppm-ref 4.68"
    assert in_options("read it with ppm_ref=4.68", of_basis=True) == "give --basis-ppm-ref 4.68"
    assert in_options("read it with conjugate=True (--conjugate-basis)") == "give --conjugate-basis"
    assert as_arguments({"echo_time": 0.03, "central_frequency": 127.7e6, "conjugate": True, "ppm_ref": None}, {}) == (
        " --te-ms 30 --central-frequency-mhz 127.7 --conjugate"
    )


def test_a_damaged_file_among_others_is_said_and_the_rest_checked(scans, command, tmp_path):
    (tmp_path / "empty.nii").write_bytes(b"")
    code, stdout, stderr = command("check", tmp_path / "empty.nii", scans["svs"], tmp_path / "nothing")
    assert code == 2 and "0 bytes" in stdout and "nothing there" in stdout and "ready to fit" in stdout
    assert "Traceback" not in stdout + stderr


@pytest.mark.parametrize("name", ["a.nii.gz", "a.raw", "a.txt"])
def test_convert_data(name, scans, command, tmp_path):
    target = tmp_path / "new" / name
    code, stdout, _ = command("convert", scans["svs"], target)
    assert code == 0 and str(target) in stdout
    np.testing.assert_allclose(
        io.read(target).spectra, io.read(scans["svs"]).spectra, atol=2e-4
    )  # of 170: RAW has seven digits
    assert float(stdout.split("difference ")[1].split()[0]) < 1e-5
    code, _, stderr = command("convert", scans["svs"], target)
    assert code == 2 and "--force" in stderr
    assert command("convert", scans["svs"], target, "--force")[0] == 0


def test_convert_basis_and_refusals(scans, command, tmp_path):
    code, stdout, _ = command("convert", scans["basis"], tmp_path / "folder")
    assert code == 0 and "FSL-MRS basis, 4 entries" in stdout
    assert float(stdout.split("difference ")[1].split()[0]) < 1e-6
    code, stdout, _ = command("convert", scans["basis"], tmp_path / "b.nii.gz")
    assert code == 0 and "NIfTI-MRS basis, 4 entries; read again: largest difference 0.0e+00" in stdout
    assert "usable as a basis" in command("check", tmp_path / "b.nii.gz")[1]
    code, _, stderr = command("convert", scans["svs"], tmp_path / "a.xyz")
    assert code == 2 and "choose a name that ends so" in stderr and not (tmp_path / "a.xyz").exists()
    code, _, stderr = command("convert", scans["raw"], tmp_path / "a.nii.gz")
    assert code == 2 and "--dwell-s" in stderr and "dwell_time=" not in stderr
    assert command("convert", scans["raw"], tmp_path / "a.nii.gz", "--basis", scans["basis"])[0] == 0


def _control(folder, text=""):
    (folder / "run.control").write_text(
        " $LCMODL\n nunfil=512\n deltat=8.E-4\n hzpppm=123.25\n echot=30.\n filraw='/etc/../data/SVS.RAW'\n"
        f" filbas='set.basis'\n ppmst=3.9\n chomit(1)='Glu'\n nomit=1\n dkntmn=0.2\n{text} $END\n"
    )
    return folder / "run.control"


def test_control_repeats_a_run_from_the_names_beside_it(scans, command, quick, tmp_path):
    for name in ("raw", "basis"):
        shutil.copy(scans[name], tmp_path)
    control = _control(tmp_path)
    code, _, stderr = command("fit", "--control", control, "--config", scans["config"], "-o", tmp_path / "out")
    assert code == 0 and "without a counterpart here: DKNTMN." in stderr
    run = yaml.safe_load((tmp_path / "out" / "run.yaml").read_text())
    assert run["options"]["model"]["window_ppm"] == [0.2, 3.9] and run["options"]["omit"] == ["Glu"]
    assert {f["role"] for f in run["files"]} == {"data", "basis", "control"}
    table = (tmp_path / "out" / "results.csv").read_text()
    assert "NAA" in table and "Glu" not in table
    assert command("fit", "--config", tmp_path / "out" / "run.yaml", "-o", tmp_path / "again")[0] == 0
    assert (tmp_path / "again" / "results.csv").read_text() == table


def test_control_follows_no_path(scans, command, tmp_path):
    shutil.copy(scans["basis"], tmp_path)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(scans["raw"], folder / "svs.raw")
    control = _control(tmp_path)
    control.write_text(control.read_text().replace("/etc/../data/SVS.RAW", f"{folder}/svs.raw"))
    code, _, stderr = command("fit", "--control", control, "-o", tmp_path / "out")
    assert code == 2 and "paths in it are not followed" in stderr and not (tmp_path / "out").exists()
