"""Detection, mirror test, first points, errors: what all formats share."""

import subprocess
import sys

import numpy as np
import pytest

from mrsjax import io
from mrsjax.core import BasisSet, FIDs, Sampling
from mrsjax.io.errors import FormatError
from mrsjax.io.first_point import first_point_ratio, measured_halved


def test_importing_io_is_light():
    code = (
        "import sys, mrsjax.io; heavy = {'nibabel', 'nifti_mrs', 'nmrglue', 'scipy.io', 'pandas', 'spec2nii'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("bad", ["missing.nii", "missing.raw", "a\0b", ""])
def test_a_missing_file_is_a_format_error(tmp_path, bad):
    with pytest.raises(FormatError, match="file"):
        io.read(tmp_path / bad if bad else "no such file at all")


@pytest.mark.parametrize("name", ["a.nii", "a.raw", "a.basis", "a.sdat", "a.txt", "a.rda", "a.mat", "a.json", "a.xyz"])
@pytest.mark.parametrize("content", [b"", b"\0" * 500, b"hello\n", bytes(range(256)) * 8])
def test_rubbish_in_every_extension(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    for reader in (io.read, io.read_basis):
        with pytest.raises(FormatError) as e:
            reader(tmp_path / name)
        assert "\n" not in str(e.value) and name in str(e.value)


def test_format_is_found_from_content_whatever_the_name(tmp_path, samples):
    for key in ("raw", "basis", "jmrui", "rda"):
        make, read = samples[key]
        path = make(tmp_path)
        other = tmp_path / f"{key}.dat_"
        other.write_bytes(path.read_bytes())
        hints = {"dwell_time": 5e-4} if key == "raw" else {}
        assert type(read(other, **hints)) is type(read(path))


def test_error_messages_are_one_printable_line(tmp_path):
    error = FormatError("a\nb", "key\x1b[31m", found="x" * 5000, wanted="y", fix="z")
    assert "\n" not in str(error) and "\x1b" not in str(error) and len(str(error)) < 1000
    assert (error.key, error.wanted, error.fix) == ("key [31m", "y", "z")


def test_mirror(make_fids, brain):
    fids = make_fids()
    assert not io.mirrored(fids) and io.mirror_ratio(fids) > 10
    flipped = FIDs(np.conj(fids.data), fids.sampling)
    assert io.mirrored(flipped)


@pytest.mark.parametrize("data", [np.zeros(256), np.full(256, np.nan), np.ones(256)])
def test_mirror_test_abstains_where_there_is_nothing_to_see(data):
    fids = FIDs(data.astype(complex), Sampling(5e-4, 127.7e6, 256))
    assert np.isnan(io.mirror_ratio(fids)) and not io.mirrored(fids)


def test_mirror_test_abstains_for_water_and_for_other_nuclei(make_fids, brain):
    t = np.arange(1024) * 5e-4
    water = 1e4 * np.exp(-(20 + 2j * np.pi * 3) * t) * np.exp(1j * np.exp(-t / 0.02))  # eddy currents: lopsided
    rng = np.random.default_rng(0)
    fids = FIDs(water + rng.normal(size=1024), Sampling(5e-4, 127.7e6, 1024))
    assert not io.mirrored(fids)
    other = make_fids(nucleus="31P")
    assert not io.mirrored(FIDs(np.conj(other.data), other.sampling))


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_halved_first_points_are_found(brain, noise):
    data = brain((3,), noise=noise)
    assert not measured_halved(data)
    data[:, 0] *= 0.5
    assert measured_halved(data)
    assert first_point_ratio(data)[0] == pytest.approx(0.5, abs=0.06)


def test_philips_files_get_the_benefit_of_the_doubt(brain):
    data = brain((3,))
    data[:, 0] *= 0.65
    assert not measured_halved(data) and measured_halved(data, usual=True)


def test_first_points_of_noise_are_left_alone():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(40, 512)) + 1j * rng.normal(size=(40, 512))
    assert not any(measured_halved(d[None]) for d in data)


def test_a_repaired_first_point_is_recorded_and_written_whole(tmp_path, make_fids):
    fids = make_fids()
    half = np.array(fids.data)
    half[0] *= 0.5
    io.write(FIDs(half, fids.sampling, (), fids.acquisition), tmp_path / "a.nii")
    again = io.read(tmp_path / "a.nii")
    np.testing.assert_allclose(again.data, fids.data)
    assert again.acquisition.header["mrsjax_first_point"] == "halved in the file"
    io.write(again, tmp_path / "b.nii")
    third = io.read(tmp_path / "b.nii")
    np.testing.assert_allclose(third.data, fids.data)
    assert "mrsjax_first_point" not in third.acquisition.header
    assert third.acquisition.header["ProcessingApplied"][0]["Method"] == "First point doubled"


@pytest.mark.parametrize(
    "key", ["raw", "basis", "jmrui", "sdat", "fsl_folder", "varian", "table", "csv", "coord", "control"]
)
@pytest.mark.parametrize("how", ["crlf", "bom"])
def test_line_ends_and_byte_order_marks_of_other_systems(tmp_path, samples, key, how):
    make, reader = samples[key]
    path = make(tmp_path)
    before = reader(path)
    texts = [
        p for p in (path.rglob("*") if path.is_dir() else tmp_path.glob("*")) if p.name not in ("voxel.SDAT", "fid")
    ]
    for part in (p for p in texts if p.is_file()):
        raw = part.read_bytes()
        part.write_bytes(raw.replace(b"\n", b"\r\n") if how == "crlf" else b"\xef\xbb\xbf" + raw)
    after = reader(path)
    if isinstance(before, FIDs):
        np.testing.assert_array_equal(after.data, before.data)
        assert {**after.acquisition.header} == {**before.acquisition.header}
    elif isinstance(before, BasisSet):
        np.testing.assert_array_equal(after.fids, before.fids)
        assert after.names == before.names
    elif isinstance(before, list):
        assert [r.concentrations for r in after] == [r.concentrations for r in before]
    else:
        assert after.values == before.values


def test_writing_leaves_only_the_file(tmp_path, make_fids, make_basis):
    io.write(make_fids(), tmp_path / "a.nii.gz")
    io.write_basis(make_basis(), tmp_path / "b.basis")
    io.write(make_fids(), tmp_path / "c.raw")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nii.gz", "b.basis", "c.control", "c.raw"]


def test_the_hint_for_several_fids_in_one_is_obeyed(tmp_path, make_fids):
    one = make_fids()
    tiled = Sampling(one.sampling.dwell_time, one.sampling.central_frequency, 5 * one.sampling.n_points)
    io.write(FIDs(np.tile(one.data, 5), tiled, (), one.acquisition), tmp_path / "a.nii")
    assert io.read(tmp_path / "a.nii").data.shape == (1280,)
    split = io.read(tmp_path / "a.nii", n_points=256)
    assert split.dims == ("spectrum",) and split.data.shape == (5, 256)
    np.testing.assert_allclose(split.data[3], one.data, atol=1e-5)
    with pytest.raises(io.FormatError, match="n_points is wrong"):
        io.read(tmp_path / "a.nii", n_points=255)


@pytest.mark.parametrize("kind", ["control", "table", "csv", "coord"])
def test_files_of_lcmodel_that_hold_no_data_are_known(kind, samples, tmp_path):
    path = samples[kind][0](tmp_path)
    findings = io.check(path)
    wanted = f"mrsjax fit --control {path} -o RESULTS" if kind == "control" else "read_lcmodel_results("
    assert [f.topic for f in findings] == ["format", "next"] and wanted in findings[-1].fix
    assert "LCModel" in findings[0].message and all(f.level is io.Level.OK for f in findings)
