"""Tables, packing and the folder: exact contents, nothing lost, nothing half-written."""

import base64
import csv
import dataclasses
import io
import json
import zlib

import numpy as np
import pytest

from mrsjax import report
from mrsjax.cli.posterior import posterior_table
from mrsjax.inference.posterior import Posterior
from mrsjax.report.document import relaxation_rows, strongest_correlation
from mrsjax.report.packing import pack_curves, pack_numbers, pack_text, script_json

COLUMNS = [
    "metabolite",
    "raw_amplitude",
    "crlb",
    "crlb_percent",
    "ratio_tcr",
    "water_scaled_molal",
    "water_scaled_molar",
    "status",
]


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_distance_of_a_network_is_a_column(analysis_of):
    analysis = analysis_of("series")
    assert "network_distance" not in report.qc_rows(analysis)[0]
    far = dataclasses.replace(analysis, distance=np.linspace(0, 2, 24))
    assert [r["network_distance"] for r in report.qc_rows(far)] == list(far.distance)


def test_posteriors_are_reduced_in_parts(analysis_of, monkeypatch):
    """24 spectra in parts of 5: each row is of its own spectrum's draws."""
    analysis = dataclasses.replace(analysis_of("series"), model=None)
    names, marks = analysis.result.names, np.arange(24.0)
    signals = dataclasses.replace(analysis.fids, data=np.ones((24, analysis.fids.data.shape[-1])) * marks[:, None] + 0j)
    analysis, parts = dataclasses.replace(analysis, fids=signals), []

    def drawn(model, fids, result, method, *, key):
        parts.append((len(fids), len(result.status)))
        draws = np.tile(np.real(fids[:, 0])[:, None, None, None], (1, 1, 6, len(names)))
        return Posterior(draws, draws, np.full(len(fids), 6.0), np.zeros(len(fids)), names)

    monkeypatch.setattr("mrsjax.inference.posterior.posterior", drawn)
    monkeypatch.setattr("mrsjax.cli.posterior.CHUNK", 5)
    rows = posterior_table(analysis, "laplace")
    assert parts == [(5, 5)] * 4 + [(4, 4)]
    of_naa = [r for r in rows if r["metabolite"] == "NAA"]
    assert [r["spectrum"] for r in of_naa] == list(range(24)) and [r["q0.5"] for r in of_naa] == list(marks)


def test_results_have_one_row_for_each_spectrum_and_name(analysis_of):
    analysis = analysis_of("grid")
    rows = read(report.to_csv(report.results_rows(analysis)))
    assert list(rows[0]) == ["spectrum", "x", "y", "z", *COLUMNS]
    assert len(rows) == 1000 * len(analysis.quantities.names)
    row = next(r for r in rows if r["spectrum"] == "345" and r["metabolite"] == "tNAA")
    assert (row["x"], row["y"], row["z"]) == ("3", "4", "5")
    parts = np.asarray(analysis.result.amplitudes)[345, :2].sum()
    assert float(row["raw_amplitude"]) == pytest.approx(parts, rel=1e-8)
    assert float(row["crlb_percent"]) == pytest.approx(100 * float(row["crlb"]) / parts, rel=1e-6)
    assert float(row["water_scaled_molal"]) > 0 and row["status"] == "converged"
    assert {r["status"] for r in rows if int(r["spectrum"]) < 25} == {"max_iterations"}


def test_series_have_no_voxel_columns_and_empty_cells_without_water(analysis_of):
    rows = read(report.to_csv(report.results_rows(analysis_of("series"))))
    assert list(rows[0]) == ["spectrum", *COLUMNS]
    assert rows[0]["water_scaled_molal"] == "" and float(rows[0]["ratio_tcr"]) > 0
    assert {r["metabolite"] for r in rows} >= {"tNAA", "tCr", "tCho", "Glx"} and "MM09" not in {
        r["metabolite"] for r in rows
    }


def test_parameters_and_qc(analysis_of):
    analysis = analysis_of("series")
    parameters = read(report.to_csv(report.parameters_rows(analysis)))
    assert list(parameters[0]) == ["spectrum", "parameter", "value", "sd", "unit"] and parameters[0]["unit"] == "Hz"
    qc = read(report.to_csv(report.qc_rows(analysis)))
    assert len(qc) == 24 and qc[3]["peak"] == "tNAA" and qc[3]["noise_window_low_ppm"] == "-2"
    assert float(qc[3]["snr_spec"]) == pytest.approx(2 * float(qc[3]["snr_2sd"]), rel=1e-6)


def test_json_is_strict_and_versioned(analysis_of, run):
    document = json.loads(report.to_json(analysis_of("series"), run), parse_constant=lambda c: pytest.fail(c))
    assert document["schema"] == "mrsjax-results/1.0"
    assert document["quantities"]["water_scaled_molal"][0][0] is None
    assert len(document["quantities"]["ratio_tcr_sd"]) == len(document["spectra"]) == 24


def unpack(packed):
    raw = zlib.decompress(base64.b64decode(packed["bytes"]))
    if packed["kind"] == "text":
        return raw.decode()
    if packed["kind"] == "float":
        return np.frombuffer(raw, "<f4").reshape(packed["shape"])
    delta = np.frombuffer(raw, {"int16": "<i2", "int8": "i1"}[packed["kind"]]).reshape(packed["shape"])
    return np.cumsum(delta, axis=-1, dtype=delta.dtype) * unpack(packed["scale"])[..., None]


@pytest.mark.parametrize("bits, error", [(16, 1 / 32767), (8, 1 / 127)])
def test_curves_survive_packing(bits, error):
    curves = np.random.default_rng(0).normal(size=(3, 4, 200)) * np.array([1e-7, 1.0, 1e9, 0.0])[:, None]
    back = unpack(pack_curves(curves, bits=bits))
    assert np.all(np.abs(back - curves) <= 0.501 * error * np.abs(curves).max(axis=-1, keepdims=True) + 1e-30)
    assert np.all(unpack(pack_curves(np.full((2, 5), np.nan))) == 0)


def test_numbers_and_texts_survive_packing():
    assert np.array_equal(unpack(pack_numbers(np.array([1.5, np.nan]))), [1.5, np.nan], equal_nan=True)
    assert unpack(pack_text("µ ± 1\n")) == "µ ± 1\n"
    assert (
        "</script>" not in script_json({"x": "</script><!--"})
        and json.loads(script_json({"x": "</script>"}))["x"] == "</script>"
    )


def test_strongest_correlation_is_the_largest_off_the_diagonal(analysis_of):
    analysis = analysis_of("single")
    correlation = np.asarray(analysis.result.correlation)[0]
    partner, r = strongest_correlation(analysis)
    j = analysis.quantities.names.index("Glu")
    row = correlation[analysis.result.names.index("Glu")].copy()
    row[analysis.result.names.index("Glu")] = 0
    assert partner[0, j] == np.abs(row).argmax() and r[0, j] == pytest.approx(row[partner[0, j]])
    assert partner[0, analysis.quantities.names.index("tNAA")] == -1


def test_every_constant_is_printed_somewhere(analysis_of):
    analysis = analysis_of("single")
    times = [c for c in analysis.quantities.constants if c.name.startswith(("T1 of", "T2 of"))]
    rows = {r["name"]: r for r in relaxation_rows(analysis)}
    assert len(times) == 2 * 3 + 4 * 10 and rows["Cr"]["t1"] == "1460 / 1240" and rows["water, csf"]["t2"] == "503"


def test_folder_keeps_what_is_not_ours(tmp_path):
    folder = tmp_path / "deep" / "out"
    report.write_folder(folder, {"results.csv": "1", "run.yaml": "a"})
    (folder / "mine.txt").write_text("keep")
    report.write_folder(folder, {"results.csv": "2", "run.yaml": "b"})
    assert {p.name: p.read_text() for p in folder.iterdir()} == {
        "results.csv": "2",
        "run.yaml": "b",
        "mine.txt": "keep",
    }
    assert [p.name for p in folder.parent.iterdir()] == ["out"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "results.csv").write_text("of another program")
    with pytest.raises(ValueError, match=r"has results\.csv but no run\.yaml"):
        report.write_folder(other, {"results.csv": "x", "run.yaml": "y"})
    assert (other / "results.csv").read_text() == "of another program"
    with pytest.raises(ValueError, match="found a file"):
        report.write_folder(other / "results.csv", {"run.yaml": "y"})


def test_folder_of_a_failed_write_is_not_there(tmp_path):
    with pytest.raises(TypeError):
        report.write_folder(tmp_path / "out", {"results.csv": "1", "run.yaml": None})
    assert list(tmp_path.iterdir()) == []
