"""Files that are read along with a named one: whoever hashes the inputs of a run must know them."""

import pytest

from mrsjax import io

BESIDE = {
    "sdat": ("voxel.SDAT", {"voxel.SPAR"}),
    "spar": ("voxel.SPAR", {"voxel.SDAT"}),
    "varian folder": ("scan.fid", set()),
    "varian fid": ("scan.fid/fid", {"procpar"}),
    "raw": ("a.raw", {"a.control"}),
    "nifti": ("a.nii.gz", {"a.json"}),
    "basis": ("a.basis", set()),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_read_along_is_named(name, samples, tmp_path):
    for kind in ("sdat", "varian", "raw", "nifti_gz", "basis"):
        samples[kind][0](tmp_path)
    (tmp_path / "a.json").write_text("{}")
    asked, wanted = BESIDE[name]
    assert {p.name for p in io.companions(tmp_path / asked)} == wanted
