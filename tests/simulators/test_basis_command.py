"""`mrsjax basis` from the outside."""

import json

import click
import numpy as np
import pytest
from click.testing import CliRunner

from mrsjax import io
from mrsjax.cli.basis import SEQUENCES as OFFERED
from mrsjax.cli.basis import basis
from mrsjax.core import FIDs, Sampling
from simulators.spins import ShapedPulse
from simulators.spins.catalogue import SEQUENCES, Edited, Protocol, Series, build


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("mrsjax.cli.console.start_jax", lambda: "cpu")
    return lambda *words: CliRunner().invoke(basis, [str(w) for w in words], catch_exceptions=True)


QUICK = ("--ideal", "--metabolites", "Cr,sIns,Asc:FID-A", "--points", 256, "--reference")


def test_simulate_writes_lcmodel_and_fsl_and_a_second_run_is_cached(run, tmp_path):
    first = run("simulate", "--sequence", "press", "--te-ms", 35, *QUICK, "-o", tmp_path / "a.BASIS")
    assert first.exit_code == 0, first.output
    second = run("simulate", "--sequence", "press", "--te-ms", 35, *QUICK, "-o", tmp_path / "fsl")
    assert "cache" in second.output
    one, two = io.read_basis(tmp_path / "a.BASIS"), io.read_basis(tmp_path / "fsl")
    assert two.origin.header["events"] and two.origin.header["systems"]["Cr"]  # provenance in the files themselves
    assert set(one.names) == set(two.names)
    np.testing.assert_allclose(one.fids, two.select(one.names).fids, atol=2e-4)
    assert abs(complex(one.select(["Cr"]).fids[0, 0])) == pytest.approx(6.0, abs=1e-3)
    text = (tmp_path / "a.BASIS").read_text()  # and in short in LCModel's
    assert "mrsjax simulators.spins 0.1.0: press, TE 35 ms, ideal pulses, 42.5774785 MHz/T; " in text
    about = json.loads((tmp_path / "a.json").read_text())
    assert about["sequence"] == "press" and about["echo_time_s"] == pytest.approx(0.035)
    assert "published values disagree" in first.output
    assert "NOT SETTLED" in about["open_systems"]["Asc"] and "FID-A" in about["systems"]["Asc"]
    other = run("simulate", "--sequence", "press", "--te-ms", 36, *QUICK, "-o", tmp_path / "b.BASIS")
    assert "cache" not in other.output


def test_info_convert_and_plot(run, tmp_path):
    run("simulate", *QUICK, "-o", tmp_path / "a.BASIS")
    told = run("info", tmp_path / "a.BASIS")
    assert "256 x 0.5 ms" in told.output and "Cr" in told.output and "NOT SETTLED" in told.output
    assert run("convert", tmp_path / "a.BASIS", tmp_path / "folder").exit_code == 0
    assert run("plot", tmp_path / "folder", "-o", tmp_path / "p.html").exit_code == 0
    assert (tmp_path / "p.html").stat().st_size > 10_000


def test_help_shows_at_most_eight_options_and_names_the_hidden_ones(run):
    simulate = basis.commands["simulate"]
    options = [p for p in simulate.params if isinstance(p, click.Option)]
    assert sum(not p.hidden for p in options) <= 8
    for option in options:
        assert option.opts[-1] in run("simulate", "--help").output


def test_an_edited_sequence_writes_its_conditions(run, tmp_path):
    made = run("simulate", "--sequence", "mega-press", *QUICK, "-o", tmp_path / "m.BASIS")
    assert made.exit_code == 0, made.output
    assert {p.name for p in tmp_path.glob("*.BASIS")} == {"m_off.BASIS", "m_on.BASIS", "m_difference.BASIS"}


@pytest.mark.parametrize("ideal", [True, False], ids=["ideal", "shaped"])
def test_every_named_sequence_can_be_built_and_is_offered(ideal):
    """All pulses fit into the usual echo times, ideal and shaped; shaped ones hold a shaped pulse."""
    assert tuple(SEQUENCES) == OFFERED
    for name in SEQUENCES:
        made = build(name, Protocol(ideal=ideal))
        if isinstance(made, Edited):
            sequences = [*made.conditions.values()]
            assert {c for weights in made.combine.values() for c in weights} <= set(made.conditions)
        else:
            sequences = [made.build(float(made.values[0]))] if isinstance(made, Series) else [made]
        shaped = any(isinstance(e, ShapedPulse) and e.axis for s in sequences for e in s.events)
        assert shaped == (not ideal and name != "pulse-acquire"), name


def test_a_two_dimensional_series_is_nifti_mrs_with_its_timings(run, tmp_path):
    """J-PRESS of a weakly coupled pair: the first points are 2 cos(pi J TE); a second run is read from the cache."""
    pair = {"source": "made up", "groups": [{"shifts_ppm": [2, 4], "isotopes": ["1H", "1H"], "j_hz": [[0, 1, 10.0]]}]}
    (tmp_path / "pair.json").write_text(json.dumps({"metabolites": {"AX": pair}}))
    words = ("simulate", "--sequence", "j-press", "--te1-ms", 12, "--te-ms", 30, "--increments", 3, "--step-ms", 20)
    words = (*words, "--ideal", "--metabolites", tmp_path / "pair.json", "--points", 64)
    made = run(*words, "-o", tmp_path / "j.nii.gz")
    assert made.exit_code == 0, made.output
    assert "cache" in run(*words, "-o", tmp_path / "again.nii.gz").output
    back = io.read(tmp_path / "again.nii.gz")
    assert back.dims[-2:] == ("DIM_USER_0", "DIM_INDIRECT_0")
    header = back.acquisition.header
    te = np.array([0.03, 0.05, 0.07])
    np.testing.assert_allclose(header["dim_6_header"]["EchoTime"], te)
    assert header["BasisOrigin"]["Value"]["series"]["of"] == "EchoTime"
    np.testing.assert_allclose(np.squeeze(back.data)[:, 0].real, 2 * np.cos(np.pi * 10 * te), atol=0.08)


def test_special_is_one_basis_of_one_unit_a_proton(run, tmp_path):
    """Shaped: the inversion slice is part of the positions only, and the unit is that of the difference."""
    words = ("--metabolites", "Cr", "--positions", 8, "--points", 128)
    made = run("simulate", "--sequence", "special", *words, "-o", tmp_path / "s.BASIS")
    assert made.exit_code == 0, made.output
    assert [p.name for p in tmp_path.glob("*.BASIS")] == ["s.BASIS"]
    assert abs(complex(io.read_basis(tmp_path / "s.BASIS").fids[0, 0])) == pytest.approx(6.0, rel=0.05)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--sequence", "pres"), "wanted one of"),
        (("--metabolites", "Xyz"), "Xyz"),
        (("--te-ms", "30", "--te1-ms", "40"), "do not fit"),
        (("--te-ms", "30", "--te1-ms", "10", "--te2-ms", "30"), "TE1 \\+ TE2"),
        (("--field-t", "7", "--central-frequency-mhz", "123"), "not at 7 T"),
        (("--sequence", "slaser", "--te-ms", "35", "--te1-ms", "10"), "te1: slaser does not have it"),
        (("--sequence", "press", "--tm-ms", "10"), "steam"),
        (("--sequence", "l-cosy"), "two dimensions"),
        (("-o", "x.xyz"), "x.xyz"),
        (("--metabolites", "Asc:Tkac"), "FID-A"),
        (("--sequence", "my.yaml", "--ideal"), "leave --ideal"),
    ],
)
def test_bad_input_is_named(run, tmp_path, words, says):
    import re

    where = () if "-o" in words else ("-o", tmp_path / "x.BASIS")
    result = run("simulate", *words, *where)
    assert result.exit_code != 0
    assert re.search(says, str(result.exception) + result.output)


def test_measured_macromolecules_are_appended(run, tmp_path):
    grid = Sampling(5e-4, 3 * 42.577478518e6, 256)
    broad = np.exp((2j * np.pi * float(grid.to_hz(0.9)) - 60.0) * np.asarray(grid.time))
    io.write(FIDs(broad, grid, ()), tmp_path / "mm.nii.gz")
    done = run("simulate", *QUICK, "--macromolecules", tmp_path / "mm.nii.gz", "-o", tmp_path / "a")
    assert done.exit_code == 0, done.output
    found = io.read_basis(tmp_path / "a")
    np.testing.assert_allclose(found.select(["MM_measured"]).fids[0][:50], broad[:50], atol=1e-5)
    two = FIDs(np.stack([broad, broad]), grid, ("DIM_DYN",))
    io.write(two, tmp_path / "two.nii.gz")
    done = run("simulate", *QUICK, "--macromolecules", tmp_path / "two.nii.gz", "-o", tmp_path / "b")
    assert done.exit_code != 0 and "one spectrum" in str(done.exception or done.output)
