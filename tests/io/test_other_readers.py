"""SDAT, rda, Varian, Osprey, FSL-MRS, scanner raw data: numbers, arrangement, and what is refused."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mrsjax import io
from mrsjax.io import sdat


@pytest.mark.parametrize(
    ("raw", "value"),
    [  # VAX Architecture Reference Manual: F_floating, low-order word first in memory
        ("80400000", 1.0),
        ("80c00000", -1.0),
        ("00400000", 0.5),
        ("4941d00f", 3.14159),
        ("ff7fffff", 1.7014117331926443e38),
        ("80000000", 2.0**-128),
        ("00000000", 0.0),
        ("7f00ffff", 0.0),
    ],
)
def test_vax_floats(raw, value):
    assert sdat.from_vax(bytes.fromhex(raw))[0] == pytest.approx(value, rel=1e-6)


def test_the_reserved_vax_operand_is_nan():
    assert np.isnan(sdat.from_vax(bytes.fromhex("00800000"))[0])


def test_sdat(tmp_path, samples, brain):
    fids = io.read(samples["sdat"][0](tmp_path))
    np.testing.assert_allclose(fids.data, brain((1,))[0], atol=1e-6)
    assert (fids.acquisition.echo_time, fids.acquisition.repetition_time) == (0.035, 2.0)
    assert fids.acquisition.inversion_time is None and fids.acquisition.sequence == "PRESS"
    by_header = io.read(tmp_path / "voxel.SPAR")
    np.testing.assert_array_equal(by_header.data, fids.data)


def test_sdat_rows_are_transients_or_voxels(tmp_path, builders, brain):
    path = builders["sdat"](tmp_path, rows=6)
    assert io.read(path).dims == ("DIM_DYN",)
    fids = io.read(builders["sdat"](tmp_path, rows=6, nx=3, ny=2))
    assert fids.dims == ("x", "y", "z") and fids.data.shape == (3, 2, 1, 256)
    np.testing.assert_allclose(fids.data[2, 1, 0], brain((6,))[5], atol=1e-6)
    np.testing.assert_allclose(fids.data[1, 0, 0], brain((6,))[1], atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("samples : 256", "samples : 255", r"size: found 2048 bytes, wanted 2040"),
        ("samples : 256", "samples : many", "samples: found 'many'"),
        ("sample_frequency : 2000", "sample_frequency : 0", "sample_frequency: found 0"),
        ("sample_frequency : 2000", "sample_frequency : 2", "1/sample_frequency: found 0.5 s"),
        (
            "synthesizer_frequency : 127700000",
            "synthesizer_frequency : 127.7",
            r"found 127.7 Hz .a million times too small",
        ),
        ("echo_time : 35", "echo_time : 0.035", "echo_time: found 3.5e-05 s"),
        ("repetition_time : 2000", "repetition_time : 2", "repetition_time: found 0.002 s"),
        ("nucleus : 1H", "nucleus : 2X", "nucleus: found '2X'"),
    ],
)
def test_wrong_spar_files_are_named(tmp_path, samples, old, new, message):
    path = samples["sdat"][0](tmp_path)
    header = path.with_suffix(".SPAR")
    header.write_text(header.read_text().replace(old, new))
    with pytest.raises(io.FormatError, match=message):
        io.read(path)


def test_a_missing_half_is_named(tmp_path, samples):
    path = samples["sdat"][0](tmp_path)
    path.with_suffix(".SPAR").unlink()
    with pytest.raises(io.FormatError, match=r"SPAR: found no such file beside it, wanted voxel\.SPAR"):
        io.read(path)


def test_rda(tmp_path, samples, brain):
    path = samples["rda"][0](tmp_path)
    fids = io.read(path)
    np.testing.assert_array_equal(fids.data, brain())
    assert fids.acquisition.echo_time == 0.03 and fids.acquisition.field_strength == 3.0
    assert fids.acquisition.mixing_time is None
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(io.FormatError, match="found 4088 bytes after the header, wanted 4096"):
        io.read(path)


def test_rda_of_the_wrong_nucleus(tmp_path, samples):
    path = samples["rda"][0](tmp_path)
    path.write_bytes(path.read_bytes().replace(b"Nucleus: 1H", b"Nucleus: 31P"))
    with pytest.raises(io.FormatError, match=r"found 127.700 MHz for 31P, wanted about 51.70 MHz at 3 T"):
        io.read(path)


def test_rda_grid(tmp_path, samples, brain):
    path = samples["rda"][0](tmp_path)
    head = (
        path.read_bytes()
        .split(b">>> End")[0]
        .replace(b"Size[0]: 1", b"Size[0]: 2")
        .replace(b"Size[1]: 1", b"Size[1]: 3")
    )
    path.write_bytes(head + b">>> End of header <<<\r\n" + brain((6,)).conj().astype("<c16").tobytes())
    fids = io.read(path)
    assert fids.dims == ("x", "y", "z") and fids.data.shape == (2, 3, 1, 256)
    np.testing.assert_array_equal(fids.data[1, 2, 0], brain((6,))[5])


def test_osprey(tmp_path, builders):
    from mrsjax.io.reference import peak

    basis = io.read_basis(builders["mat"](tmp_path))
    assert basis.names == ("NAA", "Cr") and float(basis.sampling.ppm_ref) == pytest.approx(4.68)
    assert abs(basis.fids[0, 0]) == pytest.approx(1.0)  # BASIS.scale is undone
    assert peak(basis.fids[0], basis, 2.0) == pytest.approx(2.008, abs=0.002)
    assert basis.origin.echo_time == 0.035 and basis.origin.linewidth == 2.0
    stated = io.read_basis(builders["mat"](tmp_path, centerFreq=3.0), ppm_ref=4.68)
    assert float(stated.sampling.ppm_ref) == pytest.approx(4.68)
    assert float(io.read_basis(builders["mat"](tmp_path, centerFreq=3.0)).sampling.ppm_ref) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fids": None}, "BASIS.fids: found NoneType"),
        ({"fids": np.array([["a"]], dtype=object)}, "BASIS.fids"),
        ({"fids": np.full((256, 2), np.nan)}, "BASIS.fids: found NaN"),
        ({"fids": np.ones((256, 2, 4))}, r"found 4 subspectra .an edited basis.*give subspectrum=0 to 3"),
        ({"name": np.array(["NAA", "NAA"], dtype=object)}, "BASIS.name"),
        ({"Bo": None}, "BASIS.Bo: found None"),
        ({"Bo": 128.0}, "BASIS.Bo: found 128.0"),
        ({"dwelltime": None, "spectralwidth": None}, "BASIS.dwelltime: found None"),
        ({"dwelltime": 0.5}, "BASIS.dwelltime: found 0.5 s"),
        ({"scale": 1e308}, "scale: found values too large"),
        ({"te": 0.035}, "BASIS.te: found 3.5e-05 s"),
    ],
)
def test_wrong_osprey_files_are_named(tmp_path, builders, changes, message):
    with pytest.raises(io.FormatError, match=message):
        io.read_basis(builders["mat"](tmp_path, **changes))


def test_one_subspectrum_of_an_edited_basis(tmp_path, builders):
    fids = np.arange(256 * 2 * 4, dtype=float).reshape(256, 2, 4)
    basis = io.read_basis(builders["mat"](tmp_path, fids=fids, scale=1.0), subspectrum=2)
    np.testing.assert_array_equal(basis.fids, fids[:, :, 2].T)


def test_hdf5_mat_files_say_what_to_do(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file" + bytes(600))
    with pytest.raises(io.FormatError, match=r"7.3 .HDF5.*'-v7'"):
        io.read_basis(tmp_path / "a.mat")


def entry(path):
    return json.loads(path.read_text())["basis"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"basis_dwell": 0.001}, "basis_dwell: found 0.001, wanted 0.0005 as in Cr.json"),
        ({"basis_dwell": 0.5}, "basis_dwell: found 0.5 s"),
        ({"basis_centre": 64.0}, r"basis_centre: found 6.4e.07, wanted 1.277e.08"),
        ({"basis_centre": 127.7e6}, "basis_centre: found 1.277e.14 Hz"),
        ({"basis_centre": 10**400}, "basis_centre: found 1000"),
        ({"basis_re": [1.0, 2.0]}, "basis_im: found 256 points, wanted 2 as in basis_re"),
        ({"basis_re": [[1.0], [2.0]]}, "basis_re: found list of shape"),
        ({"basis_re": "text"}, "basis_re: found str"),
        ({"basis_im": [float("nan")] * 256}, "basis_im"),
    ],
)
def test_wrong_fsl_files_are_named(tmp_path, make_basis, change, message):
    io.write_basis(make_basis(), tmp_path / "fsl")
    file = tmp_path / "fsl" / "NAA.json"
    file.write_text(json.dumps({"basis": entry(file) | change}))
    with pytest.raises(io.FormatError, match=message):
        io.read_basis(tmp_path / "fsl")


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"basis": 3}', '{"basis": {}}', "[" * 100_000, "\xff\xfe{}"])
def test_broken_json_is_named(tmp_path, make_basis, text):
    io.write_basis(make_basis(), tmp_path / "fsl")
    (tmp_path / "fsl" / "NAA.json").write_text(text, encoding="latin-1")
    with pytest.raises(io.FormatError, match=r"NAA.json"):
        io.read_basis(tmp_path / "fsl")


def test_a_folder_of_something_else_is_named(tmp_path):
    with pytest.raises(io.FormatError, match="a folder of another kind"):
        io.read_basis(tmp_path)


def test_scanner_raw_data_without_spec2nii(tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (tmp_path / "meas.dat").write_bytes(bytes(64))
    with pytest.raises(io.FormatError, match=r"pip install 'mrsjax\[vendor\]'.*spec2nii twix -e image meas.dat"):
        io.read(tmp_path / "meas.dat")


def test_data_sets_that_are_not_taken_are_named(tmp_path, make_fids, monkeypatch):
    """spec2nii in place of which two files and a reference are written."""

    def convert(command, **_):
        folder = Path(command[command.index("-o") + 1])
        for name in ("converted_a", "converted_b", "converted_ref"):
            io.write(make_fids(), folder / f"{name}.nii.gz")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    monkeypatch.setattr("subprocess.run", convert)
    (tmp_path / "meas.dat").write_bytes(b"twix")
    with pytest.warns(UserWarning, match=r"meas.dat holds 2 data sets: .* not converted_b.nii.gz"):
        io.read(tmp_path / "meas.dat")


def test_scanner_raw_data_through_spec2nii(tmp_path, real):
    pytest.importorskip("spec2nii")
    folder = real / "other_tools_outputs/siemens"
    dicom, rda = io.read(folder / "SVS_30.IMA"), io.read(folder / "SVS_30.rda")
    np.testing.assert_allclose(dicom.data, rda.data, rtol=1e-6)
    assert dicom.acquisition.echo_time == rda.acquisition.echo_time == 0.03
    (tmp_path / "broken.IMA").write_bytes(b"\0" * 128 + b"DICM" + b"\1" * 300)
    with pytest.raises(io.FormatError, match="spec2nii failed"):
        io.read(tmp_path / "broken.IMA")


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("philips", ("svs_3t_philips_press35_12subjects/S01/S01_PRESS_35_act.SDAT", ".SPAR")),
        ("rda", ("other_tools_outputs/siemens/SVS_30.rda",)),
    ],
)
def test_the_same_numbers_as_spec2nii(tmp_path, real, command, files):
    import subprocess
    import sys

    pytest.importorskip("spec2nii")
    first = real / files[0]
    names = [str(first), *(str(first.with_suffix(s)) for s in files[1:])]
    start = "from spec2nii.spec2nii import main; main()"
    call = [sys.executable, "-c", start, command, *names, "-o", str(tmp_path), "-f", "a"]
    subprocess.run(call, check=True, capture_output=True)
    theirs, ours = io.read(tmp_path / "a.nii.gz"), io.read(first)
    np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-6)
    for field in ("echo_time", "repetition_time"):
        assert getattr(ours.acquisition, field) == pytest.approx(getattr(theirs.acquisition, field))


def test_spec2nii_reads_our_jmrui_file_alike(tmp_path, make_fids):
    import subprocess
    import sys

    pytest.importorskip("spec2nii")
    fids = make_fids()
    io.write(fids, tmp_path / "a.txt")
    start = "from spec2nii.spec2nii import main; main()"
    call = [sys.executable, "-c", start, "jmrui", str(tmp_path / "a.txt"), "-o", str(tmp_path), "-f", "b"]
    subprocess.run(call, check=True, capture_output=True)
    np.testing.assert_allclose(io.read(tmp_path / "b.nii.gz").data, fids.data, atol=1e-6)


@pytest.mark.parametrize(
    ("made", "chosen"),
    [
        (["converted.nii.gz", "converted_ref.nii.gz"], "converted.nii.gz"),
        (["converted_ref.nii.gz"], "converted_ref.nii.gz"),
    ],
)
def test_metabolites_are_taken_before_references(tmp_path, monkeypatch, make_fids, made, chosen):
    import importlib.util
    import subprocess
    from pathlib import Path

    def convert(command, **options):
        folder = Path(command[command.index("-o") + 1])
        for name in made:
            io.write(make_fids(sequence=name), folder / name)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(subprocess, "run", convert)
    (tmp_path / "a.7").write_bytes(bytes(64))
    fids = io.read(tmp_path / "a.7")
    assert fids.acquisition.sequence == chosen and fids.acquisition.source == str(tmp_path / "a.7")
