"""Which files a batch takes, with what water and times, and under what names."""

import json
from pathlib import Path

import numpy as np
import pytest

from mrsjax import io
from mrsjax.cli import subjects
from mrsjax.core import BasisSet, FIDs, Sampling


def _empty(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")


def test_timing_follows_the_inheritance_principle(tmp_path):
    """A JSON file higher up holds for all below it that have its entities; the nearest wins; another suffix or entity does not count."""
    place = tmp_path / "sub-01" / "ses-1" / "mrs"
    place.mkdir(parents=True)
    (tmp_path / "dataset_description.json").write_text("{}")
    for acq in ("press", "steam"):
        (place / f"sub-01_ses-1_acq-{acq}_svs.nii.gz").write_bytes(b"")
        (place / f"sub-01_ses-1_acq-{acq}_mrsref.nii.gz").write_bytes(b"")
    sidecars = {
        tmp_path / "svs.json": {"EchoTime": 0.035, "RepetitionTime": 2.0},
        tmp_path / "acq-steam_svs.json": {"EchoTime": 0.011},
        tmp_path / "mrsref.json": {"RepetitionTime": 10.0, "EchoTime": 0.03},
        tmp_path / "acq-steam_mrsref.json": {"EchoTime": 0.011},
        tmp_path / "sub-01" / "sub-01_svs.json": {"RepetitionTime": 3.0},
        place / "sub-01_ses-1_acq-press_svs.json": {"EchoTime": 0.03},
        place / "sub-02_svs.json": {"EchoTime": 0.2},
    }
    for path, content in sidecars.items():
        path.write_text(json.dumps(content))
    press, steam = subjects.find([str(tmp_path)], None)
    waters = [Path(s.options.pop("water")).name for s in (press, steam)]
    assert waters == [f"sub-01_ses-1_acq-{acq}_mrsref.nii.gz" for acq in ("press", "steam")]
    assert press.options == {"te_ms": 30.0, "tr_s": 3.0, "water_te_ms": 30.0, "water_tr_s": 10.0}
    eleven = pytest.approx(11.0)
    assert steam.options == {"te_ms": eleven, "tr_s": 3.0, "water_te_ms": eleven, "water_tr_s": 10.0}


def test_two_datasets_do_not_meet_in_the_results(tmp_path):
    a, b = tmp_path / "siteA", tmp_path / "siteB"
    _empty(*(r / "sub-01" / "mrs" / "sub-01_svs.nii.gz" for r in (a, b)))
    found = subjects.find([str(a), str(b)], None)
    assert [s.name for s in found] == ["siteA_sub-01_svs", "siteB_sub-01_svs"]
    assert [s.folder for s in found] == [Path(r) / "sub-01" / "mrs" for r in ("siteA", "siteB")]
    assert [s.folder for s in subjects.find([str(a)], None)] == [Path("sub-01/mrs")]
    with pytest.raises(ValueError, match="would both be siteA_sub-01_svs in the results"):
        subjects.find([str(a), str(a)], None)
    _empty(a / "sub-01" / "mrs" / "sub-01_svs.nii")
    with pytest.raises(ValueError, match=r"sub-01_svs\.nii and .*sub-01_svs\.nii\.gz: would both be sub-01_svs"):
        subjects.find([str(a)], None)


def test_water_of_a_voxel_is_of_that_voxel_or_of_all(tmp_path):
    """A reference of another voxel is none; one without a voxel is of all; `acq-` may differ."""
    place = tmp_path / "sub-01" / "mrs"
    _empty(place / "sub-01_acq-press_voi-acc_svs.nii.gz", place / "sub-01_voi-pcc_mrsref.nii.gz")
    assert "water" not in subjects.find([str(tmp_path)], None)[0].options
    _empty(place / "sub-01_acq-water_mrsref.nii.gz")
    assert subjects.find([str(tmp_path)], None)[0].options["water"].endswith("sub-01_acq-water_mrsref.nii.gz")


def test_the_voxel_is_a_mask_in_bids(tmp_path):
    _empty(tmp_path / "sub-01" / "mrs" / "sub-01_acq-press_svs.nii.gz")
    (subject,) = subjects.find([str(tmp_path)], None)
    assert subject.named("voxel_mask.nii.gz") == "sub-01_acq-press_desc-voxel_mask.nii.gz"
    assert subject.named("maps/qc/snr.nii.gz") == "sub-01_acq-press_desc-qcsnr_mrsimap.nii.gz"


def test_names_and_waters(tmp_path):
    for name in ("A/x_act.SDAT", "A/x_ref.SDAT", "B/x_act.SDAT", "B/x_ref.SDAT", "C/notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = subjects.find([str(tmp_path)], "act=ref")
    assert [s.name for s in found] == ["A_x_act", "B_x_act"]
    assert found[1].options["water"] == str(tmp_path / "B" / "x_ref.SDAT")
    with pytest.raises(ValueError, match="OLD=NEW"):
        subjects.find([str(tmp_path)], "ref")
    with pytest.raises(ValueError, match="no spectra"):
        subjects.find([str(tmp_path / "C")], None)


def test_a_folder_is_searched_for_spectra_only(tmp_path):
    """Whatever `fit` reads is found, a Varian folder as one file; texts, bases, images and DICOM without spectra are not."""
    import nibabel

    grid = Sampling(5e-4, 127.7e6, 64)
    fid = np.exp(-np.arange(64) / 9.0) + 0j
    io.write(FIDs(fid, grid), tmp_path / "one.nii.gz")
    io.write(FIDs(fid, grid), tmp_path / "two.txt")
    io.write_basis(BasisSet(fid[None], ("NAA",), grid), tmp_path / "set.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 2, 2), np.float32), np.eye(4)), tmp_path / "t1.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "one.nii.gz").read_bytes()[:40])
    for name, text in (
        ("README.txt", "the study"),
        ("meas.dat", "x"),
        ("scan.7", "x"),
        ("a.sdat", ""),
        ("x.json", "{}"),
    ):
        (tmp_path / name).write_text(text)
    for name, of in (
        ("s.IMA", b"1.3.12.2.1107.5.9.1"),
        ("p.dcm", b"1.2.840.10008.5.1.4.1.1.4.2"),
        ("i.dcm", b"1.2.840.10008.5.1.4.1.1.4"),
    ):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM" + of + b"\0")
    _empty(tmp_path / "v.fid" / "fid", tmp_path / "v.fid" / "procpar", tmp_path / "v.fid" / "text.txt")
    names = {s.data.name for s in subjects.find([str(tmp_path)], None)}
    assert names == {"one.nii.gz", "two.txt", "cut.nii.gz", "meas.dat", "scan.7", "a.sdat", "s.IMA", "p.dcm", "v.fid"}
    (alone,) = subjects.find([str(tmp_path / "v.fid")], None)
    assert (alone.data.name, alone.name) == ("v.fid", "v")
