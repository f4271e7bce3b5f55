"""What we write we read again: data, sampling, dims, acquisition. And what others read of it."""

import numpy as np
import pytest

from mrsjax import io
from mrsjax.core.data import DIMS


def same_sampling(a, b, **skip):
    assert float(a.dwell_time) == pytest.approx(float(b.dwell_time), rel=1e-7)
    assert float(a.central_frequency) == pytest.approx(float(b.central_frequency), rel=1e-7)
    assert a.n_points == b.n_points and a.nucleus == b.nucleus
    if "ppm_ref" not in skip:
        assert float(a.ppm_ref) == pytest.approx(float(b.ppm_ref), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "dims", "sizes", "tolerance"),
    [
        ("a.nii", (), (), 0.0),
        ("a.nii.gz", ("DIM_COIL", "DIM_DYN"), (2, 3), 0.0),
        ("a.nii", ("x", "y", "z"), (3, 2, 1), 0.0),
        ("a.nii", ("x", "y", "z", "DIM_EDIT", "DIM_COIL", "DIM_DYN"), (2, 1, 3, 2, 1, 2), 0.0),
        ("a.nii", ("spectrum",), (4,), 0.0),
        ("a.raw", (), (), 1e-6),
        ("a.RAW", ("spectrum",), (3,), 1e-6),
        ("a.h2o", (), (), 1e-6),
        ("a.txt", (), (), 1e-9),
        ("a.txt", ("spectrum",), (3,), 1e-9),
    ],
)
def test_fids_round_trip(tmp_path, make_fids, name, dims, sizes, tolerance):
    fids = make_fids(dims, sizes)
    io.write(fids, tmp_path / name)
    again = io.read(tmp_path / name)
    assert again.dims == fids.dims and again.data.dtype == np.complex128
    np.testing.assert_allclose(again.data, fids.data, rtol=0, atol=tolerance * np.abs(fids.data).max())
    same_sampling(again.sampling, fids.sampling)
    if not name.endswith(".txt"):  # jMRUI text has no field for TE
        assert again.acquisition.echo_time == pytest.approx(0.035)
    if ".nii" in name:
        assert again.acquisition.repetition_time == pytest.approx(2.0)
        assert again.acquisition.sequence == "PRESS"


@pytest.mark.parametrize("dim", [d for d in DIMS if d.startswith("DIM_")])
def test_every_tag_of_nifti_mrs_comes_back_with_its_headers(tmp_path, make_fids, dim):
    header = {"SpectrometerFrequency": [127.7], "ResonantNucleus": ["1H"], "dim_5": dim, "dim_5_info": "what it is"}
    header["dim_5_header"] = {"EchoTime": [0.03, 0.04, 0.05]}
    io.write(make_fids((dim,), (3,), header=header), tmp_path / "a.nii.gz")
    again = io.read(tmp_path / "a.nii.gz")
    assert again.dims == (dim,)
    np.testing.assert_array_equal(again.data, make_fids((dim,), (3,)).data)
    assert {k: again.acquisition.header[k] for k in header} == header
    with_others = ("x", "y", "z", "DIM_COIL" if dim != "DIM_COIL" else "DIM_DYN", dim)
    io.write(make_fids(with_others, (2, 1, 1, 3, 2)), tmp_path / "b.nii")
    assert io.read(tmp_path / "b.nii").dims == with_others


@pytest.mark.parametrize("name", ["a.raw", "a.txt"])
def test_formats_without_a_reference_get_data_moved_to_4_65_ppm(tmp_path, make_fids, name):
    fids = make_fids(ppm_ref=4.7)
    io.write(fids, tmp_path / name)
    again = io.read(tmp_path / name)
    assert float(again.sampling.ppm_ref) == pytest.approx(4.65)
    t = np.arange(256) * 5e-4
    np.testing.assert_allclose(again.data, fids.data * np.exp(2j * np.pi * 0.05 * 127.7 * t), atol=3e-4)


@pytest.mark.parametrize("name", ["press.basis", "press.BASIS", "fsl_folder"])
@pytest.mark.parametrize("ppm_ref", [4.65, 4.68])
def test_basis_round_trip(tmp_path, make_basis, name, ppm_ref):
    basis = make_basis(ppm_ref=ppm_ref)
    io.write_basis(basis, tmp_path / name)
    again = io.read_basis(tmp_path / name)
    assert set(again.names) == set(basis.names)
    same_sampling(again.sampling, basis.sampling, ppm_ref=True)
    assert float(again.sampling.ppm_ref) == pytest.approx(4.65, abs=1e-5)
    want = make_basis(ppm_ref=4.65)
    np.testing.assert_allclose(again.select(want.names).fids, want.fids, atol=1e-6)
    assert again.origin.linewidth == pytest.approx(2.5, rel=1e-4)
    assert again.origin.echo_time == pytest.approx(0.035) and again.origin.sequence == "PRESS"


@pytest.mark.parametrize("name, entries", [("a.nii", 3), ("a.nii.gz", 3), ("one.nii.gz", 1)])
def test_basis_in_nifti_mrs_loses_nothing(tmp_path, make_basis, name, entries):
    basis = make_basis(ppm_ref=4.68)
    basis = basis.select(basis.names[:entries])
    io.write_basis(basis, tmp_path / name)
    again = io.read_basis(tmp_path / name)
    assert again.names == basis.names and np.array_equal(again.fids, basis.fids)
    same_sampling(again.sampling, basis.sampling, ppm_ref=True)
    assert (again.origin.sequence, again.origin.echo_time, again.origin.linewidth) == ("PRESS", 0.035, 2.5)
    with pytest.raises(io.FormatError, match="wanted time-domain data"):
        io.read(tmp_path / name)


def test_basis_file_has_the_scale_and_sign_of_lcmodel(tmp_path, make_basis):
    """The numbers themselves: 2.008 ppm is at +f on disk, and the sum over k of |S|^2 equals that over t of |s|^2."""
    basis = make_basis(256)
    io.write_basis(basis, tmp_path / "a.basis")
    text = (tmp_path / "a.basis").read_text().split("ISHIFT = 0\n $END\n")[1].split(" $NMUSED")[0]
    pairs = np.array(text.split(), dtype=float)
    spectrum = pairs[0::2] + 1j * pairs[1::2]
    fid = basis.fids[0].copy()
    fid[0] /= 2
    assert np.sum(np.abs(spectrum) ** 2) == pytest.approx(np.sum(np.abs(fid) ** 2), rel=1e-5)
    top = np.fft.fftfreq(256, 5e-4)[np.argmax(np.abs(spectrum))]
    assert top == pytest.approx((4.65 - 2.008) * 127.7, abs=8)


def test_jmrui_of_the_other_sense_is_turned_round(tmp_path, make_fids):
    fids = make_fids()
    io.write(fids, tmp_path / "a.txt")
    lines = (tmp_path / "a.txt").read_text().split("\n")
    flip = lambda line: "\t".join(  # noqa: E731
        [line.split("\t")[0], f"{-float(line.split(chr(9))[1])}", "0", "0"]
    )
    start = next(i for i, line in enumerate(lines) if line.startswith("Signal 1 out")) + 1
    lines[start:-1] = [flip(line) for line in lines[start:-1]]
    (tmp_path / "b.txt").write_text("\n".join(lines))
    np.testing.assert_allclose(io.read(tmp_path / "b.txt").data, fids.data, atol=1e-8)


def test_other_nuclei_only_go_where_they_fit(tmp_path, make_fids):
    fids = make_fids(nucleus="31P", ppm_ref=0.0)
    io.write(fids, tmp_path / "a.nii")
    again = io.read(tmp_path / "a.nii")
    assert again.sampling.nucleus == "31P" and float(again.sampling.ppm_ref) == 0.0
    with pytest.raises(io.FormatError, match="wanted 1H"):
        io.write(fids, tmp_path / "a.raw")


def test_a_control_file_of_somebody_else_is_left_alone(tmp_path, make_fids):
    (tmp_path / "a.control").write_text(" $LCMODL\n title='mine'\n $END\n")
    io.write(make_fids(), tmp_path / "a.raw")
    assert "mine" in (tmp_path / "a.control").read_text()


def test_a_name_that_leaves_the_folder_is_refused(tmp_path, make_basis):
    basis = make_basis(names=("NAA", "../Cr", "Ins"))
    with pytest.raises(io.FormatError, match="basis_name"):
        io.write_basis(basis, tmp_path / "fsl")
    assert not list(tmp_path.glob("**/*.json"))


def test_names_that_lcmodel_would_confuse_are_refused(tmp_path, make_basis):
    with pytest.raises(io.FormatError, match="first 6 letters"):
        io.write_basis(make_basis(names=("Lipid13a", "Lipid13b", "Ins")), tmp_path / "a.basis")


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.basis", "a.rda"])
def test_unknown_extensions_are_named(tmp_path, make_fids, name):
    with pytest.raises(io.FormatError, match="extension"):
        io.write(make_fids(), tmp_path / name)
    assert not (tmp_path / name).exists()


def test_more_dims_than_nifti_has_are_refused(tmp_path, make_fids):
    dims = ("DIM_COIL", "DIM_DYN", "DIM_EDIT", "DIM_MEAS")
    with pytest.raises(io.FormatError, match="at most 3"):
        io.write(make_fids(dims, (1, 1, 2, 2)), tmp_path / "a.nii")


def test_nothing_half_written_is_left_when_the_folder_is_missing(tmp_path, make_fids):
    with pytest.raises(io.FormatError, match="writable path"):
        io.write(make_fids(), tmp_path / "no" / "a.nii")


def test_values_that_fortran_columns_cannot_hold_are_refused(tmp_path, make_fids, make_basis):
    fids = make_fids()
    for bad in (np.nan, 1e120):
        data = fids.data.copy()
        data[3] = bad
        with pytest.raises(io.FormatError, match="data: found NaN, infinite or huge values"):
            io.write(type(fids)(data, fids.sampling), tmp_path / "a.raw")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_json_files_is_left_alone(tmp_path, make_basis):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(io.FormatError, match=r"other .json files .other.json."):
        io.write_basis(make_basis(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["other.json"]
