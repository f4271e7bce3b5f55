"""NIfTI-MRS: the header, and agreement with the format's own library."""

import json

import numpy as np
import pytest

from mrsjax import io

nibabel = pytest.importorskip("nibabel")


def header_of(path):
    return json.loads(nibabel.load(path).header.extensions[0].get_content())


def with_header(path, new, *, change=None, drop=(), image=None):
    """A copy of a NIfTI-MRS file with a changed header extension."""
    old = nibabel.load(path)
    meta = {k: v for k, v in header_of(path).items() if k not in drop} | (change or {})
    out = type(old)(np.asarray(old.dataobj) if image is None else image, old.affine, old.header)
    out.header.extensions.clear()
    out.header.extensions.append(nibabel.nifti1.Nifti1Extension(44, json.dumps(meta).encode()))
    nibabel.save(out, new)
    return new


def test_the_library_of_the_format_accepts_and_reads_our_file_alike(tmp_path, make_fids):
    nifti_mrs = pytest.importorskip("nifti_mrs.nifti_mrs")
    validator = pytest.importorskip("nifti_mrs.validator")
    for i, (dims, sizes) in enumerate([((), ()), (("DIM_COIL", "DIM_DYN"), (2, 3)), (("x", "y", "z"), (2, 3, 1))]):
        fids = make_fids(dims, sizes)
        path = tmp_path / f"{i}.nii.gz"
        io.write(fids, path, method="Averaging", details="none")
        other = nifti_mrs.NIFTI_MRS(str(path))
        validator.validate_nifti_mrs(other)
        data = np.moveaxis(other[:], 3, -1)  # the library conjugates: +Hz is higher ppm, as ours
        np.testing.assert_array_equal(data.reshape(fids.data.shape), fids.data)
        assert other.dwelltime == pytest.approx(5e-4, rel=1e-9)
        assert other.spectrometer_frequency[0] == pytest.approx(127.7, rel=1e-7)
        assert [t for t in other.dim_tags if t] == [d for d in dims if d.startswith("DIM")]


def test_we_read_a_file_of_the_library_alike(tmp_path, brain):
    create = pytest.importorskip("nifti_mrs.create_nmrs")
    data = brain((2,)).T[None, None, None]
    made = create.gen_nifti_mrs(data, 5e-4, 127.7, "1H", dim_tags=["DIM_DYN", None, None])
    made.save(str(tmp_path / "a.nii.gz"))
    fids = io.read(tmp_path / "a.nii.gz")
    assert fids.dims == ("DIM_DYN",)
    np.testing.assert_allclose(fids.data, brain((2,)), rtol=1e-6)


def test_header_entries_survive_and_processing_is_appended(tmp_path, make_fids):
    io.write(make_fids(("DIM_DYN",), (2,)), tmp_path / "a.nii", method="Step one")
    extra = {
        "TxOffset": -2.0,
        "PatientName": "Ö <script>",
        "dim_5_info": "transients",
        "dim_5_header": {"EchoTime": [0.03, 0.04]},
        "Vendor": {"Value": [1, 2], "Description": "kept"},
        "SpectralWidth": 2000.0,
    }
    with_header(tmp_path / "a.nii", tmp_path / "b.nii", change=extra)
    fids = io.read(tmp_path / "b.nii")
    io.write(fids, tmp_path / "c.nii.gz", method="Step two", details="more")
    meta = header_of(tmp_path / "c.nii.gz")
    assert {k: meta[k] for k in extra} == extra
    assert [s["Method"] for s in meta["ProcessingApplied"]] == ["Step one", "Step two"]
    assert set(meta["ProcessingApplied"][1]) >= {"Time", "Program", "Version", "Method", "Details"}


def test_a_dimension_that_is_gone_takes_its_header_along(tmp_path, make_fids):
    io.write(make_fids(("DIM_COIL", "DIM_DYN"), (2, 3)), tmp_path / "a.nii")
    with_header(
        tmp_path / "a.nii", tmp_path / "b.nii", change={"dim_6_header": {"EchoTime": [1, 2, 3]}, "dim_5_info": "c"}
    )
    fids = io.read(tmp_path / "b.nii")
    combined = type(fids)(fids.data.sum(0), fids.sampling, ("DIM_DYN",), fids.acquisition)
    io.write(combined, tmp_path / "c.nii")
    meta = header_of(tmp_path / "c.nii")
    assert meta["dim_5"] == "DIM_DYN" and meta["dim_5_header"] == {"EchoTime": [1, 2, 3]}
    assert not {"dim_6", "dim_6_header", "dim_5_info"} & set(meta)


def test_reference_shift_is_kept(tmp_path, make_fids):
    fids = make_fids(ppm_ref=4.7)
    io.write(fids, tmp_path / "a.nii")
    assert header_of(tmp_path / "a.nii")["SpecFreqChemShift"] == pytest.approx(4.7)
    assert float(io.read(tmp_path / "a.nii").sampling.ppm_ref) == pytest.approx(4.7)
    with_header(tmp_path / "a.nii", tmp_path / "b.nii", change={"RxOffset": -1.7})
    shifted = io.read(tmp_path / "b.nii")
    assert float(shifted.sampling.ppm_ref) == pytest.approx(3.0)
    io.write(shifted, tmp_path / "c.nii")
    assert float(io.read(tmp_path / "c.nii").sampling.ppm_ref) == pytest.approx(3.0)


def test_affine_is_kept_and_an_unknown_one_stays_unknown(tmp_path, make_fids):
    affine = np.array([[0.0, 20, 0, 5], [-20, 0, 0, 6], [0, 0, 15, 7], [0, 0, 0, 1]])
    io.write(make_fids(affine=affine), tmp_path / "a.nii")
    np.testing.assert_allclose(io.read(tmp_path / "a.nii").acquisition.affine, affine)
    io.write(make_fids(), tmp_path / "b.nii")
    assert io.read(tmp_path / "b.nii").acquisition.affine is None


@pytest.mark.parametrize(("unit", "factor"), [("sec", 1.0), ("msec", 1e3), ("usec", 1e6)])
@pytest.mark.parametrize("version", [1, 2])
def test_dwell_time_in_each_unit(tmp_path, make_fids, unit, factor, version):
    io.write(make_fids(), tmp_path / "a.nii")
    old = nibabel.load(tmp_path / "a.nii")
    kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    new = kind(np.asarray(old.dataobj), old.affine)
    new.header.set_xyzt_units("mm", unit)
    new.header["pixdim"][4] = 5e-4 * factor
    new.header.extensions.append(old.header.extensions[0])
    nibabel.save(new, tmp_path / "b.nii")
    assert float(io.read(tmp_path / "b.nii").sampling.dwell_time) == pytest.approx(5e-4, rel=1e-7)


def test_sidecar_replaces_a_missing_extension(tmp_path, make_fids):
    io.write(make_fids(), tmp_path / "a.nii")
    old = nibabel.load(tmp_path / "a.nii")
    old.header.extensions.clear()
    nibabel.save(old, tmp_path / "b.nii")
    with pytest.raises(io.FormatError, match=r"no \.json sidecar"):
        io.read(tmp_path / "b.nii")
    (tmp_path / "b.json").write_text('{"SpectrometerFrequency": 127.7, "ResonantNucleus": "1H", "EchoTime": 0.03}')
    fids = io.read(tmp_path / "b.nii")
    assert fids.acquisition.echo_time == 0.03
    np.testing.assert_array_equal(fids.data, make_fids().data)


@pytest.mark.parametrize(
    ("change", "drop", "message"),
    [
        ({"EchoTime": 30.0}, (), r"EchoTime: found 30 s \(a thousand.*wanted 0.001 to 0.5 s; give .*echo_time="),
        ({"EchoTime": 30000}, (), "EchoTime: found 30000 s .a million times"),
        ({"RepetitionTime": 2000}, (), "RepetitionTime: found 2000 s"),
        ({"EchoTime": "thirty"}, (), "EchoTime: found 'thirty', wanted a number"),
        ({"SpectrometerFrequency": [127700000.0]}, (), "SpectrometerFrequency .MHz.: found 1.277e.14 Hz"),
        ({"ResonantNucleus": ["1X"]}, (), "ResonantNucleus: found '1X', wanted one of 1H"),
        ({"ResonantNucleus": ["31P"], "MagneticFieldStrength": 3.0}, (), "found 127.700 MHz for 31P, wanted about 51"),
        ({"dim_5": "DIM_NONSENSE"}, (), "dim_5: found 'DIM_NONSENSE'"),
        ({}, ("dim_5",), "dim_5: found None"),
        ({}, ("SpectrometerFrequency",), "SpectrometerFrequency: found nothing"),
        ({}, ("ResonantNucleus",), "ResonantNucleus: found nothing"),
    ],
)
def test_wrong_headers_are_named(tmp_path, make_fids, change, drop, message):
    io.write(make_fids(("DIM_DYN",), (2,)), tmp_path / "a.nii")
    with_header(tmp_path / "a.nii", tmp_path / "b.nii", change=change, drop=drop)
    with pytest.raises(io.FormatError, match=message):
        io.read(tmp_path / "b.nii")


def test_a_hint_overrides_a_wrong_unit(tmp_path, make_fids):
    io.write(make_fids(), tmp_path / "a.nii")
    with_header(tmp_path / "a.nii", tmp_path / "b.nii", change={"EchoTime": 30.0})
    assert io.read(tmp_path / "b.nii", echo_time=0.03).acquisition.echo_time == 0.03


def test_an_image_is_no_spectrum(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), dtype=np.float32), np.eye(4)), tmp_path / "t1.nii")
    with pytest.raises(io.FormatError, match="spec2nii"):
        io.read(tmp_path / "t1.nii")


def test_a_truncated_file_is_noticed_before_memory_is_asked_for(tmp_path, make_fids):
    for name in ("a.nii", "a.nii.gz"):
        io.write(make_fids(), tmp_path / name)
        raw = (tmp_path / name).read_bytes()
        (tmp_path / ("cut_" + name)).write_bytes(raw[: len(raw) * 2 // 3])
        with pytest.raises(io.FormatError, match=r"truncated|damaged"):
            io.read(tmp_path / ("cut_" + name))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_header_that_promises_more_than_the_file_holds(tmp_path, make_fids, name):
    import gzip

    io.write(make_fids(), tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[16 + 8 * 4 : 16 + 8 * 5] = (10**12).to_bytes(8, "little")  # NIfTI-2: dim[4], the time points
    path = tmp_path / ("big_" + name)
    path.write_bytes(gzip.compress(bytes(raw)) if name.endswith("gz") else bytes(raw))
    with pytest.raises(io.FormatError, match=r"dim: found shape .* in a file of \d+ bytes"):
        io.read(path)
