"""Images of a fit in the geometry of the data, read back with nibabel."""

import csv
import dataclasses
import json

import nibabel as nib
import numpy as np
import pytest

import mrsjax.inference
from mrsjax import io
from mrsjax.core import to_spectrum
from tests.cli.conftest import DWELL, F0, LINES


@pytest.fixture
def affine():
    """Oblique voxels of 20 x 15 x 12 mm (RAS+)."""
    a, b = 0.3, -0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = turn @ np.diag([20.0, 15, 12]), (-31.0, 12.5, 40.0)
    return out


def placed(source, affine, target):
    """The scan of `source` with a position in the patient."""
    fids = io.read(source)
    acquisition = dataclasses.replace(fids.acquisition, affine=affine)
    io.write(dataclasses.replace(fids, acquisition=acquisition), target)
    return target


def test_maps_lie_where_the_voxels_are(scans, command, quick, affine, tmp_path):
    data, out = placed(scans["mrsi"], affine, tmp_path / "grid.nii.gz"), tmp_path / "o"
    options = ["--basis", scans["basis"], "--config", scans["config"], "--mask", scans["mask"], "-o", out]
    assert command("fit", data, *options)[0] == 0
    image = nib.load(out / "maps" / "raw_amplitude" / "NAA.nii.gz")
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)
    np.testing.assert_allclose(image.header.get_zooms()[:3], (20, 15, 12), rtol=1e-5)
    found = image.get_fdata()
    assert found.shape == (3, 2, 2)
    assert np.argwhere(np.isfinite(found)).tolist() == [[1, 0, 1], [2, 0, 1]]  # the mask
    with open(out / "results.csv", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["metabolite"] == "NAA"]
    for r in rows:
        at = tuple(int(r[k]) for k in "xyz")
        assert found[at] == pytest.approx(float(r["raw_amplitude"]), rel=1e-4)
    # a curve of the fit keeps the geometry too
    np.testing.assert_allclose(nib.load(out / "curves" / "fit.nii.gz").affine, affine, atol=1e-4)


def test_the_voxel_mask_is_the_voxel(scans, command, quick, affine, tmp_path):
    data, out = placed(scans["svs"], affine, tmp_path / "svs.nii.gz"), tmp_path / "o"
    assert command("fit", data, "--basis", scans["basis"], "--config", scans["config"], "-o", out)[0] == 0
    image = nib.load(out / "voxel_mask.nii.gz")
    assert image.shape == (1, 1, 1) and image.get_fdata() == 1
    corners = np.array([[i, j, k, 1] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
    np.testing.assert_allclose(corners @ image.affine.T, corners @ affine.T, atol=1e-4)
    volume = abs(np.linalg.det(image.affine[:3, :3]))
    assert volume == pytest.approx(20 * 15 * 12, rel=1e-5)


def test_no_voxel_mask_without_a_position(scans, command, quick, tmp_path):
    options = ["--basis", scans["basis"], "--config", scans["config"], "-o", tmp_path / "o"]
    assert command("fit", scans["svs"], *options)[0] == 0
    assert not (tmp_path / "o" / "voxel_mask.nii.gz").exists()


def test_curves_add_up_on_disk(scans, command, quick, monkeypatch, tmp_path):
    """components + baseline = fit, fit + residual = phased data in the window and nothing outside of it; every name at its line."""

    def with_baseline(model, result, fids, known=mrsjax.inference.evaluate_all):
        curves = known(model, result, fids)
        base = 20 * np.cos(curves.ppm)
        return curves._replace(fit=curves.fit + base, baseline=curves.baseline + base, residual=curves.residual - base)

    monkeypatch.setattr(mrsjax.inference, "evaluate_all", with_baseline)
    options = ["--basis", scans["basis"], "--config", scans["config"], "-o", tmp_path / "o"]
    assert command("fit", scans["series"], *options)[0] == 0
    made = {p.name.split(".")[0]: p for p in (tmp_path / "o" / "curves").iterdir()}
    read = {name: io.read(p) for name, p in made.items()}
    fit, baseline, residual, parts = (
        np.asarray(to_spectrum(read[k].data)) for k in ("fit", "baseline", "residual", "components")
    )
    ppm = np.asarray(read["fit"].sampling.ppm)
    inside, outside = (ppm > 0.3) & (ppm < 4.1), (ppm < 0.1) | (ppm > 4.3)
    data = np.exp(-0.3j) * np.asarray(to_spectrum(io.read(scans["series"]).data))
    near = {"rtol": 0, "atol": 1e-5 * np.abs(fit).max()}
    np.testing.assert_allclose((fit + residual)[:, inside], data[:, inside], **near)
    np.testing.assert_allclose(parts.sum(axis=1) + baseline, fit, **near)
    np.testing.assert_allclose(baseline[:, inside], 20 * np.cos(ppm[inside]) * np.ones((5, 1)), **near)
    np.testing.assert_allclose(fit[:, outside], 0, **near)
    assert read["components"].dims == ("DIM_DYN", "DIM_USER_0")
    image = nib.load(made["components"])
    header = json.loads(image.header.extensions[0].get_content())
    assert (header["dim_5"], header["dim_6"]) == ("DIM_DYN", "DIM_USER_0") and "dim_5_header" not in header
    names = header["dim_6_header"]["Metabolite"]["Value"]
    assert [ppm[np.argmax(part.real)] for part in parts[2]] == pytest.approx([LINES[n][0][0] for n in names], abs=0.02)
    # on disk +Hz is lower ppm
    n = read["fit"].sampling.n_points
    raw = np.fft.fft(np.asarray(image.dataobj)[0, 0, 0, :, 2, names.index("NAA")])
    assert np.fft.fftfreq(n, DWELL)[np.argmax(raw.real)] == pytest.approx((4.65 - 2.01) * 1e-6 * F0, abs=3)


@pytest.mark.parametrize("option", ["--mask", "--tissue"])
def test_an_image_that_lies_elsewhere_is_refused(option, scans, command, quick, affine, tmp_path):
    """Equal shape is not equal place: the image turned round, then in place, then without any position."""
    data = placed(scans["mrsi"], affine, tmp_path / "grid.nii.gz")
    turned = affine @ np.array([[-1, 0, 0, 2], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    given = ["--basis", scans["basis"], "--config", scans["config"], "--water", scans["water"]]
    for name, where in (("turned", turned), ("placed", affine + 1e-4), ("nowhere", np.eye(4))):
        nib.save(nib.Nifti1Image(np.ones((3, 2, 2), np.float32), where), tmp_path / f"{name}.nii")
        image = tmp_path / f"{name}.nii"
        value = image if option == "--mask" else f"gm={image},wm=0,csf=0"
        code, _, stderr = command("fit", data, *given, option, value, "-o", tmp_path / name)
        assert (code, "turned.nii: wanted an image on the grid of the data" in stderr) == (
            (2, True) if name == "turned" else (0, False)
        ), stderr


def test_many_spectra_are_walked_through_in_blocks_and_the_page_keeps_some_curves(
    scans, command, quick, monkeypatch, tmp_path
):
    from mrsjax.analysis import curves

    def numbers(folder):
        options = ["--basis", scans["basis"], "--config", scans["config"], "-o", folder]
        assert command("fit", scans["series"], *options)[0] == 0
        with open(folder / "qc.csv", newline="") as f:
            rows = list(csv.DictReader(f))
        page = (folder / "report.html").read_text()
        return np.array(
            [[float(r[k]) for k in ("snr_spec", "snr_lcm", "fwhm_hz", "fqn", "noise_sd")] for r in rows]
        ), page

    whole, page = numbers(tmp_path / "whole")
    assert '"rows":[0,1,2,3,4]' in page and 'data-file="results.csv"' in page
    monkeypatch.setattr(curves, "BLOCK", 2)
    monkeypatch.setattr(curves, "KEPT", 3)
    parts, page = numbers(tmp_path / "parts")
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    assert len(whole) == 5 and len(set(whole[:, 0])) == 5
    assert '"snr_spec":{"kind":"float","shape":[5]' in page
    assert '"rows":[0,2,4]' in page and 'data-file="results.csv"' not in page and "lie beside this page" in page
    fit = to_spectrum(np.asarray(io.read(tmp_path / "parts" / "curves" / "fit.nii.gz").data))
    np.testing.assert_allclose(
        fit,
        to_spectrum(np.asarray(io.read(tmp_path / "whole" / "curves" / "fit.nii.gz").data)),
        atol=1e-4 * np.abs(fit).max(),
    )
