"""`mrsjax shim` from files to a folder, and what it says of bad input."""

import csv
import gzip
import json

import nibabel
import numpy as np
import pytest

from mrsjax.io.volume import nifti_bytes
from tests.acquisition.fields import sinus

VOXEL = "5,30,0,20,20,20"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shim")
    field_map = sinus()
    (folder / "map.nii").write_bytes(gzip.decompress(nifti_bytes(field_map.field, field_map.affine)))
    (folder / "map.json").write_text('{"Units": "Hz"}')
    (folder / "mask.nii.gz").write_bytes(nifti_bytes(field_map.known, field_map.affine))
    (folder / "bare.nii").write_bytes((folder / "map.nii").read_bytes())
    return folder


def test_from_a_map_to_currents_maps_and_a_page(files, scans, command, tmp_path):
    out = tmp_path / "done"
    code, said, errors = command(
        "shim", files / "map.nii", "--mask", files / "mask.nii.gz", "--voxel", VOXEL, "--coils", "siemens:2",
        "--limit", "X=2", "--basis", scans["basis"], "-o", out,
    )  # fmt: skip
    assert code == 0, errors
    assert "mean-square: linewidth" in said
    rows = list(csv.DictReader((out / "currents.csv").open()))
    assert [r["channel"] for r in rows] == ["frequency", "X", "Y", "Z", "Z2", "ZX", "ZY", "X2-Y2", "XY"]
    assert abs(float(rows[1]["current"])) <= 2.0 + 1e-9 and rows[1]["at_limit"] == "True"
    numbers = json.loads((out / "currents.json").read_text())
    assert numbers["linewidth_hz"]["after"] < 0.5 * numbers["linewidth_hz"]["before"]
    assert numbers["status"] == 0 and set(numbers["crlb_percent"]) == {"Glu"}
    after = nibabel.load(out / "field_after.nii.gz").get_fdata()
    before = nibabel.load(out / "field_before.nii.gz").get_fdata()
    known = sinus().known
    assert np.all(np.isnan(after[~known])) and np.all(np.isfinite(after[known]))
    near = np.linalg.norm(sinus().positions - [5, 30, 0], axis=-1) < 10
    assert after[near].std() < 0.5 * before[near].std()
    page = (out / "report.html").read_text()
    assert all(f'id="{name}"' in page for name in ("effect", "currents", "plane-0", "histogram", "line", "spectrum"))
    assert "https://" not in page.split("<script>")[0] and (out / "run.yaml").read_text().startswith(
        "# Written by mrsjax"
    )
    columns = np.genfromtxt(out / "histogram.csv", delimiter=",", names=True)
    np.testing.assert_allclose([columns[c].sum() for c in ("before", "least_squares", "after")], 1.0, atol=1e-3)


BAD = {
    "nothing there": (["nowhere.nii", "--voxel", VOXEL], "nothing there"),
    "voxel": (["map.nii", "--voxel", "1,2,3"], "--voxel: wanted 6 or 9 numbers"),
    "words": (["map.nii", "--voxel", "left,2,3"], "--voxel: wanted x,y,z,dx,dy,dz in mm or a file"),
    "far": (["map.nii", "--voxel", "500,0,0,20,20,20"], "the field is known in 0% of the box"),
    "coils": (["map.nii", "--voxel", VOXEL, "--coils", "bruker:2"], "--coils: wanted plain, siemens, ge or philips"),
    "channel": (["map.nii", "--voxel", VOXEL, "--limit", "W=3"], "W is no channel of"),
    "limit": (["map.nii", "--voxel", VOXEL, "--limit", "X"], "--limit: wanted NAME=VALUE"),
    "unit": (["bare.nii", "--voxel", VOXEL], "say which: hz, rad, siemens"),
    "image": (["map.json", "--voxel", VOXEL], "wanted a NIfTI-1 or NIfTI-2 image"),
    "metabolite": (["map.nii", "--voxel", VOXEL, "--objective", "crlb", "--metabolites", "Unobtainium"], "Unobtainium not among"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_code_two(files, command, tmp_path, case):
    arguments, wanted = BAD[case]
    code, _, errors = command("shim", files / arguments[0], *arguments[1:], "-o", tmp_path / "out")
    assert code == 2, errors
    lines = [line for line in errors.splitlines() if line not in ("mrsjax: reading",)]
    assert len(lines) == 1 and wanted in lines[0], errors
    assert not (tmp_path / "out").exists()
