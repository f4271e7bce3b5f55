"""MRSI worlds and files: the user's anatomies, data sets, what a viewer shows."""

import nibabel
import numpy as np
import pytest

from mrsjax.io import read
from simulators.datasets import open_arrays, store
from simulators.datasets.recipe import parse
from simulators.phantoms import Tissue, anatomy
from tests.simulators.test_mrsi import SMALL as WHOLE

#: Without lesions, field and nuisances.
SMALL = "\n".join(line for line in WHOLE.splitlines() if line.split(":")[0].split("_")[0].strip() not in ("lesion", "field", "water", "lipids")).replace(", kspace: elliptical", "")  # fmt: skip


def test_user_maps_become_anatomies_whatever_their_axes(tmp_path):
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 4, (4, 5, 3))
    label = np.kron(blocks, np.ones((6, 6, 6), int))  # 24 x 30 x 18 voxels of 2 mm
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    turned, turned_affine = (
        label[::-1].transpose(1, 0, 2),
        np.array([[0, -2.0, 0, 46], [2, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]),
    )
    values = {"grey": (1,), "white": (2,), "scalp": (3,)}
    for name, data, at in (("a", label, affine), ("b", turned, turned_affine)):
        nibabel.save(nibabel.Nifti1Image(data.astype(np.int16), at), tmp_path / f"{name}.nii.gz")
        found = anatomy.from_labels(tmp_path / f"{name}.nii.gz", values, (4, 5, 3), (48, 60, 36))
        np.testing.assert_array_equal(np.argmax(found.fractions, -1), np.array([0, 1, 2, 5])[blocks])
    paths = {}
    for name, (i,) in values.items():
        paths[name] = tmp_path / f"{name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image((0.5 * (label == i)).astype(np.float32), affine), paths[name])
    half = np.asarray(anatomy.from_probabilities(paths, (4, 5, 3), (48, 60, 36)).fractions)
    np.testing.assert_allclose(half[..., Tissue.AIR], np.where(blocks > 0, 0.5, 1.0), atol=1e-6)
    np.testing.assert_allclose(half[..., Tissue.WHITE], 0.5 * (blocks == 2), atol=1e-6)
    # twice as coarse a grid holds means
    coarse = np.asarray(anatomy.from_labels(tmp_path / "a.nii.gz", values, (2, 5, 3), (48, 60, 36)).fractions)
    np.testing.assert_allclose(coarse[..., Tissue.GREY], (blocks == 1).reshape(2, 2, 5, 3).mean(1), atol=1e-6)
    with pytest.raises(ValueError, match="found none of them"):
        anatomy.from_labels(tmp_path / "a.nii.gz", {"grey": (77,)}, (4, 5, 3), (48, 60, 36))
    text = SMALL.replace(
        "anatomy: {head: {}}",
        f"anatomy: {{labels: {{file: {tmp_path / 'a.nii.gz'}, grey: [1], white: [2], scalp: [3]}}}}",
    )
    made = parse(text, "mine").simulator
    assert (
        made.anatomy.fractions.shape == (16, 16, 12, len(Tissue))
        and float(made.anatomy.fractions[..., Tissue.GREY].sum()) > 1
    )


def test_worlds_in_files_resume_to_the_same_bytes(tmp_path):
    recipe = parse(SMALL, "small")
    whole = store.write(recipe, 3, tmp_path / "whole", seed=3, shard=2)
    part = store.write(recipe, 3, tmp_path / "part", seed=3, shard=2)
    (part / "shards" / "000001.json").unlink()
    store.write(recipe, 3, part, seed=3, shard=2)
    files = lambda d: {p.relative_to(d): p.read_bytes() for p in d.rglob("*") if p.is_file() and p.suffix != ".gz"}  # noqa: E731
    assert files(whole) == files(part) and store.verify(part) == 2
    arrays = open_arrays(whole)
    short = open_arrays(store.write(recipe, 2, tmp_path / "short", seed=3, shard=1))
    for name in arrays:
        np.testing.assert_array_equal(short[name][:], arrays[name][:2], err_msg=name)
    assert arrays["truth.maps"].shape[:4] == (3, 16, 16, 2) and "truth.fid" not in arrays
    shown = read(whole / "first.nii.gz")
    assert shown.dims == ("x", "y", "z", "DIM_USER_0", "DIM_COIL") and shown.data.shape == (8, 8, 2, 3, 2, 64)
    np.testing.assert_allclose(shown.data[..., 1, :, :], arrays["data"][1], rtol=1e-6)
    np.testing.assert_allclose(np.diag(shown.acquisition.affine)[:3], [27.5, 27.5, 200 / 12])


@pytest.mark.parametrize("turned", [False, True])
def test_first_worlds_lie_over_the_maps_of_the_user(tmp_path, turned):
    label = np.zeros((32, 32, 24), np.int16)  # 48 x 64 x 72 mm, its middle far from the origin
    label[22:24, 6:8, 15:18] = 1
    affine = np.array([[1.5, 0, 0, 40], [0, 2, 0, -70], [0, 0, 3, 25], [0, 0, 0, 1.0]])
    block = affine[:3, :3] @ [22.5, 6.5, 16] + affine[:3, 3]
    if turned:
        label, affine = label[::-1], affine @ np.array([[-1, 0, 0, 31], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(label, affine), tmp_path / "block.nii.gz")
    text = SMALL.replace("{head: {}}", f"{{labels: {{file: {tmp_path / 'block.nii.gz'}, white: [1]}}}}")
    text = text.replace(
        "[16, 16, 12], field_of_view_mm: [220, 220, 200], slab_points: 2",
        "[16, 16, 24], field_of_view_mm: [48, 64, 72], slab_points: 4",
    )
    text = (
        text.replace("{uniform: [0, 20]}", "{uniform: [8, 16]}")
        .replace("coils: {count: 2}\n", "")
        .replace("{uniform: [5, 10]}", "1000")
    )
    written = store.write(parse(text, "small"), 2, tmp_path / "set", seed=1)
    shown = nibabel.load(written / "first.nii.gz")
    for axes in (np.asarray(shown.affine), np.asarray(read(written / "first.nii.gz").acquisition.affine)):
        size = np.abs(np.asarray(shown.dataobj)[..., 0, 0])
        brightest = np.unravel_index(np.argmax(size), size.shape)
        apart = axes[:3, :3] @ brightest + axes[:3, 3] - block
        assert np.all(np.abs(apart) <= np.array([48, 64, 12]) / np.array([8, 8, 2]) / 2 + 1e-3), apart
