"""`mrsjax shim` from files to a folder, and what it says of bad input."""

import csv
import gzip
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml

from mrsjax.acquisition.shimming import (
    Cuboid,
    Harmonics,
    InversePeak,
    Linewidth,
    MeanSquare,
    MeasuredCoils,
    predict,
    region,
)
from mrsjax.acquisition.shimming.voxel import rotation
from mrsjax.cli.shim import OBJECTIVES
from mrsjax.cli.shim_job import _objective, _region
from mrsjax.core import FIDs, FieldMap, Sampling
from mrsjax.core.data import Acquisition
from mrsjax.io import write
from mrsjax.io.field_map import read_field_map, read_image
from mrsjax.io.volume import nifti_bytes
from mrsjax.report.shimming import _axis
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
    (folder / "map7.nii").write_bytes((folder / "map.nii").read_bytes())
    (folder / "map7.json").write_text('{"Units": "Hz", "MagneticFieldStrength": 7}')
    place = field_map.positions
    coils = np.stack([place[..., 0], place[..., 1], place[..., 2]], axis=-1)
    (folder / "coils.nii.gz").write_bytes(nifti_bytes(coils, field_map.affine))
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


@pytest.mark.slow
def test_measured_channels_and_the_peak_to_the_end(files, scans, command, tmp_path):
    """What was optimised on some points is reported on others, finer ones."""
    out = tmp_path / "done"
    arguments = [
        "shim", files / "map7.nii", "--mask", files / "mask.nii.gz", "--voxel", VOXEL, "--coils", files / "coils.nii.gz",
        "--objective", "peak", "--starts", "2", "--limit", "channel3=-5:0.5", "--limit", "channel2=0", "--total-limit", "0.2",
        "--metabolites", "glutamate", "--basis", scans["basis"], "-o", out,
    ]  # fmt: skip
    code, _, errors = command(*arguments)
    assert code == 0, errors
    assert "the map was measured at 7 T, the basis is for 2.9 T" in errors
    assert "the sum of the currents is at its limit" in errors
    numbers = json.loads((out / "currents.json").read_text())
    currents = np.array([r["current"] for r in numbers["currents"]])
    assert [r["channel"] for r in numbers["currents"]] == ["frequency", "channel1", "channel2", "channel3"]
    assert currents[2] == 0 and -5 <= currents[3] <= 0.5
    np.testing.assert_allclose(np.abs(currents[1:]).sum(), 0.2, rtol=1e-4)
    assert numbers["total_at_limit"] and set(numbers["crlb_percent"]) == {"glutamate"}
    field_map = read_field_map(files / "map7.nii", mask=files / "mask.nii.gz")
    coils = MeasuredCoils(*read_image(files / "coils.nii.gz"))
    fine = region(field_map, Cuboid([5, 30, 0], [20, 20, 20]), coils, points=16)
    judged = predict(fine, currents)
    np.testing.assert_allclose(numbers["linewidth_hz"]["after"], judged.line.fwhm, rtol=1e-6)
    np.testing.assert_allclose(numbers["field_sd_hz"]["after"], judged.sd, rtol=1e-6)
    record = yaml.safe_load((out / "run.yaml").read_text())
    assert {k: Path(v["path"]).name for k, v in record["files"].items()} == {
        "fieldmap": "map7.nii", "mask": "mask.nii.gz", "basis": Path(scans["basis"]).name, "coils": "coils.nii.gz",
    }  # fmt: skip


def test_voxels_of_all_kinds(files, tmp_path):
    """Numbers, a mask, NIfTI-MRS of one voxel; an MRSI has no single one."""
    field_map, coils = read_field_map(files / "map.nii"), Harmonics(1)
    by_numbers, points = _region((5.0, 30.0, 0.0, 20.0, 18.0, 16.0, 10.0, 0.0, 0.0), field_map, coils)
    np.testing.assert_allclose(by_numbers.rotation, rotation([10.0, 0.0, 0.0]))
    assert len(points.field) == 1000
    none, inside = _region(files / "mask.nii.gz", field_map, coils)
    assert none is None and len(inside.field) == field_map.known[sinus().known].sum()
    affine = np.diag([20.0, 18.0, 16.0, 1.0])
    affine[:3, 3] = 5.0, 30.0, 0.0
    sampling = Sampling(8e-4, 123.25e6, 64)
    for name, shape in (("svs", ()), ("mrsi", (2, 3, 1))):
        dims = ("x", "y", "z") if shape else ()
        write(
            FIDs(np.ones((*shape, 64), complex), sampling, dims, Acquisition(affine=affine)),
            tmp_path / f"{name}.nii.gz",
        )
    box, _ = _region(tmp_path / "svs.nii.gz", field_map, coils)
    np.testing.assert_allclose([box.centre, box.size], [[5, 30, 0], [20, 18, 16]], atol=1e-4)
    with pytest.raises(ValueError, match="holds 6 voxels; wanted one"):
        _region(tmp_path / "mrsi.nii.gz", field_map, coils)


def test_axes_of_an_oblique_map_are_true_lengths():
    affine = np.eye(4)
    affine[:3, :3] = rotation([0.0, 0.0, 30.0]) * [-2.0, 3.0, 4.0]
    affine[:3, 3] = 10.0, -20.0, 5.0
    field_map = FieldMap(np.zeros((9, 9, 9)), np.ones((9, 9, 9), bool), affine)
    at = np.array([4, 2, 3])
    for index, step in enumerate((-2.0, 3.0, 4.0)):
        axis = _axis(field_map, index, at)
        np.testing.assert_allclose(np.diff(axis), step, atol=0.11)  # rounded to 0.1 mm
        np.testing.assert_allclose(axis[at[index]], (affine @ [*at, 1])[index], atol=0.051)


def test_words_become_objectives():
    options = {"huber_hz": 7.0, "level": 60.0}
    bound = MeanSquare()
    found = {word: _objective(options | {"objective": word}, bound) for word in OBJECTIVES}
    assert found["crlb"] is bound and found["huber"].width == 7.0 and found["percentile"].level == 0.6
    kinds = {"mean-square": MeanSquare, "linewidth": Linewidth, "peak": InversePeak}
    assert all(type(found[word]) is kind for word, kind in kinds.items())


BAD = {
    "nothing there": (["nowhere.nii", "--voxel", VOXEL], "nothing there"),
    "voxel": (["map.nii", "--voxel", "1,2,3"], "--voxel: wanted 6 or 9 numbers"),
    "words": (["map.nii", "--voxel", "left,2,3"], "--voxel: wanted x,y,z,dx,dy,dz in mm or a file"),
    "far": (["map.nii", "--voxel", "500,0,0,20,20,20"], "the field is known in 0% of the box"),
    "coils": (["map.nii", "--voxel", VOXEL, "--coils", "bruker:2"], "--coils: wanted plain, siemens, ge or philips"),
    "channel": (["map.nii", "--voxel", VOXEL, "--limit", "W=3"], "W is no channel of"),
    "limit": (["map.nii", "--voxel", VOXEL, "--limit", "X"], "--limit: wanted NAME=VALUE or NAME=LOW:HIGH"),
    "unit": (["bare.nii", "--voxel", VOXEL], "say which: hz, rad, rad/s, siemens"),
    "image": (["map.json", "--voxel", VOXEL], "wanted a NIfTI-1 or NIfTI-2 image"),
    "metabolite": (["map.nii", "--voxel", VOXEL, "--objective", "crlb", "--metabolites", "Unobtainium"], "Unobtainium not among"),
    "total": (["map.nii", "--voxel", VOXEL, "--total-limit", "9"], "total limit: wanted channels of one unit"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_code_two(files, command, tmp_path, case):
    arguments, wanted = BAD[case]
    code, _, errors = command("shim", files / arguments[0], *arguments[1:], "-o", tmp_path / "out")
    assert code == 2, errors
    lines = [line for line in errors.splitlines() if line not in ("mrsjax: reading",)]
    assert len(lines) == 1 and wanted in lines[0], errors
    assert not (tmp_path / "out").exists()
