"""Sign, scale and units on real files: NAA must come out near 2.01 ppm, whatever the format."""

import warnings

import numpy as np
import pytest

from mrsjax import io
from mrsjax.io import Level
from mrsjax.io.reference import peak


def strongest(fids, low, high):
    """Shift (ppm) of the largest peak of the summed magnitude spectra within a window."""
    s = fids.sampling
    data = np.asarray(fids.spectra) * np.exp(-8.0 * np.arange(s.n_points) * float(s.dwell_time))
    ppm = float(s.ppm_ref) + 1e6 * np.fft.fftfreq(4 * s.n_points, float(s.dwell_time)) / float(s.central_frequency)
    spectrum = np.abs(np.fft.fft(data, 4 * s.n_points)).sum(0)
    window = (ppm > low) & (ppm < high)
    return ppm[window][np.argmax(spectrum[window])]


SUBJECTS = [f"svs_3t_philips_press35_12subjects/S{i:02d}/S{i:02d}_PRESS_35_act.SDAT" for i in range(1, 13)]


@pytest.mark.parametrize(
    ("file", "shape", "dims", "echo"),
    [
        ("svs_3t_press30/data.raw", (1024,), (), None),
        *((s, (2048,), (), 0.035) for s in SUBJECTS),
        ("svs_3t_metabolite_nulled_pair/sub-01_ses-01_PRESS_raw-act_noID.SPAR", (2048,), (), 0.03),
        ("svs_7t_single_transients/svs_se_30.nii", (64, 1024), ("DIM_DYN",), 0.03),
        ("svs_7t_steam_raw/metab.nii.gz", (4095,), (), 0.011),
        ("svs_7t_steam_raw/metab_raw.nii.gz", (4, 16, 4096), ("DIM_COIL", "DIM_DYN"), 0.011),
    ],
)
def test_naa_is_near_2_ppm(real, file, shape, dims, echo):
    with warnings.catch_warnings():
        warnings.simplefilter("error", io.MirroredWarning)
        fids = io.read(real / file)
    assert fids.data.shape == shape and fids.dims == dims and fids.data.dtype == np.complex128
    assert fids.acquisition.echo_time == (None if echo is None else pytest.approx(echo))
    assert strongest(fids, 1.8, 2.2) == pytest.approx(2.0, abs=0.045)
    assert strongest(fids, 2.9, 3.1) == pytest.approx(3.01, abs=0.045)
    assert not io.mirrored(fids)


def test_mrsi_behind_one_header_is_split_and_scaled(real):
    fids = io.read(real / "mrsi_3t_10voxels/multi-voxel.met")
    assert fids.data.shape == (10, 512) and fids.dims == ("spectrum",)
    assert float(fids.sampling.dwell_time) == pytest.approx(8e-4)
    assert fids.acquisition.echo_time == pytest.approx(0.0156)
    assert fids.data[0, 0] == pytest.approx((1.259021e2 + 3.292377e1j) / 27)  # TRAMP/VOLUME = 1/27; conjugated
    assert strongest(fids, 2.8, 3.2) == pytest.approx(2.95, abs=0.03)  # these data are shifted as a whole


@pytest.mark.parametrize("file", ["S01/S01_PRESS_35_ref.SDAT", "S05/S05_PRESS_35_ref.SDAT"])
def test_water_references_are_not_called_mirrored(real, file):
    fids = io.read(real / "svs_3t_philips_press35_12subjects" / file)
    assert not io.mirrored(fids)


def test_conjugated_data_are_noticed_and_the_fix_works(real):
    file = real / SUBJECTS[0]
    with pytest.warns(io.MirroredWarning, match="conjugate=True"):
        wrong = io.read(file, conjugate=True)
    assert io.mirrored(wrong) and not io.mirrored(io.read(file))


def test_philips_first_points_are_made_whole(real):
    from mrsjax.io.first_point import first_point_ratio

    for file in (SUBJECTS[0], "svs_3t_press30/data.raw"):
        assert first_point_ratio(io.read(real / file).spectra)[0] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("file", "count", "points", "reference", "echo"),
    [
        ("svs_3t_press30/3t.basis", 17, 1024, 4.65, None),
        ("mrsi_3t_10voxels/sim_se_csi_te16.basis", 18, 4096, 4.65, 0.016),
        ("basis_3t_philips_press35/3T_PRESS_Philips_35ms_noMM.BASIS", 17, 8192, 4.68, 0.035),
    ],
)
def test_basis_singlets_are_in_place_and_first_points_whole(real, file, count, points, reference, echo):
    basis = io.read_basis(real / file)
    assert basis.fids.shape == (count, points) and basis.fids.dtype == np.complex128
    assert float(basis.sampling.ppm_ref) == pytest.approx(reference, abs=1e-5)
    assert basis.origin.echo_time == (None if echo is None else pytest.approx(echo))
    for name, shift in (("NAA", 2.008), ("Cr", 3.027), ("GPC", 3.212)):
        assert peak(basis.fids[basis.names.index(name)], basis, shift) == pytest.approx(shift, abs=0.004)
    cr = np.abs(basis.fids[basis.names.index("Cr")])
    assert cr[0] == pytest.approx(cr[:8].max(), rel=0.1)
    assert not io.mirrored(basis)


def test_bruker_flag_conjugates(real):
    fids = io.read(real / "macromolecules_9p4t/Summed_Averaged_TE24.RAW", dwell_time=1.25e-4)
    assert fids.data[1] == pytest.approx(1.031314e-05 - 4.650108e-06j)  # conj (flag) of conj (convention)
    assert strongest(fids, 0.5, 1.2) == pytest.approx(0.85, abs=0.02)  # MM09; transmit frequency at 2.4 ppm


def test_raw_without_dwell_time_says_what_to_give(real):
    with pytest.raises(io.FormatError, match=r"give dwell_time=") as e:
        io.read(real / "macromolecules_9p4t/Summed_Averaged_TE24.RAW")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("file", "basis"),
    [
        ("svs_3t_press30/data.raw", "svs_3t_press30/3t.basis"),
        ("mrsi_3t_10voxels/multi-voxel.met", "mrsi_3t_10voxels/sim_se_csi_te16.basis"),
        (
            "svs_3t_philips_press35_12subjects/S01/S01_PRESS_35_act.SDAT",
            "basis_3t_philips_press35/3T_PRESS_Philips_35ms_noMM.BASIS",
        ),
        ("other_tools_outputs/siemens/SVS_30.rda", None),
    ],
)
def test_real_files_are_ready_to_fit(real, file, basis):
    findings = io.check(real / file, None if basis is None else real / basis)
    assert max(f.level for f in findings) < Level.WARNING, [f for f in findings if f.level >= Level.WARNING]


def test_real_water_references_and_coil_data_are_recognised(real):
    for file, topic in (
        ("svs_3t_philips_press35_12subjects/S02/S02_PRESS_35_ref.SDAT", "water"),
        ("svs_7t_steam_raw/wref_raw.nii.gz", "water"),
        ("svs_7t_steam_raw/metab_raw.nii.gz", "dims"),
    ):
        assert max(f.level for f in io.check(real / file) if f.topic == topic) is Level.WARNING
