"""LCModel's text formats: every habit of every writer that a reader trips over."""

import numpy as np
import pytest

from mrsjax import io
from mrsjax.io import namelist


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (" $A\n KEY=1\n $END\n", {"KEY": 1}),
        (" $A KEY = 1.5D-3, OTHER=.5 $END", {"KEY": 1.5e-3, "OTHER": 0.5}),
        (" $A\n KEY = 1 OTHER = 2.\n $END", {"KEY": 1, "OTHER": 2.0}),
        (" $A\n KEY = ,\n OTHER = 'x' $END", {"KEY": "", "OTHER": "x"}),
        (" $A\n ECHOT =  ,\n SEQ = 'PRESS' $END", {"ECHOT": "", "SEQ": "PRESS"}),
        (" &A key=-1.0E+02 /\n", {"KEY": -100.0}),
        (" $A\n T='it''s = , $END' $END\n", {"T": "it's = , $END"}),
        (' $A\n T="a b"\n $END\n', {"T": "a b"}),
        (" $A\n P = 0.5 -0.5,\n $END\n", {"P": [0.5, -0.5]}),
        (" $A\n P = 3*1.5\n $END\n", {"P": [1.5, 1.5, 1.5]}),
        (" $A\n P = 997. 997.\n  998.\n $END\n", {"P": [997.0, 997.0, 998.0]}),
        (" $A\n DOREFS(1)=F ppmgap( 1 , 1 )=7.6\n $END\n", {"DOREFS(1)": False, "PPMGAP(1,1)": 7.6}),
        (" $A\n A = T ! a comment with KEY = 2\n B=.FALSE.\n $END\n", {"A": True, "B": False}),
        (" $A\n A=1.0-105\n $END\n", {"A": 1e-105}),
        (" $a\n a=1e999\n $end\n", {"A": "1e999"}),
    ],
)
def test_namelists(text, values):
    group = namelist.parse(text)
    assert group is not None and group.name == "A" and group.closed
    assert group.values == values


def test_an_unclosed_group_ends_before_the_next():
    first, second = namelist.groups(" $A\n X = 1\n $B\n Y = 2\n $END\n")
    assert (first.values, first.closed) == ({"X": 1}, False)
    assert (second.name, second.values, second.closed) == ("B", {"Y": 2}, True)


DATA = " 1.0E+00 2.0E+00\n 3.0E+00-4.0E+00\n 0.5D+00 0.25-101\n 0.1E+01 0.0E+00\n"
VALUES = np.array([1 + 2j, 3 - 4j, 0.5 + 0.25e-101j, 1.0])


def raw(tmp_path, head="", data=DATA):
    path = tmp_path / "a.raw"
    path.write_text(f" $NMID ID='x' FMTDAT='(2E8.1)'{head} $END\n{data}")
    return path


@pytest.mark.parametrize(
    ("head", "factor", "conjugate"),
    [
        ("", 1.0, True),
        (" TRAMP=3.", 3.0, True),
        (" VOLUME=8.0E+00", 1 / 8, True),
        (" tramp = 2, volume=\n", 2.0, True),
        (" TRAMP=3. VOLUME=2 BRUKER=T", 1.5, False),
        (" BRUKER = .FALSE.", 1.0, True),
    ],
)
def test_raw_scale_and_sign(tmp_path, head, factor, conjugate):
    fids = io.read(raw(tmp_path, head), dwell_time=5e-4, central_frequency=127.7e6)
    np.testing.assert_allclose(fids.data, factor * (VALUES.conj() if conjugate else VALUES))


def test_several_spectra_in_one_file_each_with_its_own_scale(tmp_path):
    block = " $NMID\n ID='{}', FMTDAT='(2E8.1)'\n TRAMP={}\n $END\n" + DATA
    path = tmp_path / "a.raw"
    path.write_text(
        " $SEQPAR\n HZPPPM=127.7 echot=30. seq='STEAM'\n $END\n" + block.format("a", 1) + block.format("b", 2)
    )
    fids = io.read(path, dwell_time=5e-4)
    assert fids.dims == ("spectrum",) and fids.acquisition.echo_time == 0.03 and fids.acquisition.sequence == "STEAM"
    assert float(fids.sampling.central_frequency) == pytest.approx(127.7e6)
    np.testing.assert_allclose(fids.data, [VALUES.conj(), 2 * VALUES.conj()])


def test_several_spectra_behind_one_header(tmp_path):
    path = raw(tmp_path, data=DATA * 3)
    hints = {"dwell_time": 5e-4, "central_frequency": 127.7e6}
    assert io.read(path, **hints).data.shape == (12,)
    np.testing.assert_allclose(io.read(path, n_points=4, **hints).data, [VALUES.conj()] * 3)
    with pytest.raises(io.FormatError, match="points: found 12 points, wanted a multiple of 5"):
        io.read(path, n_points=5, **hints)


def test_the_control_file_beside_it_completes_a_raw_file(tmp_path):
    path = raw(tmp_path, data=DATA * 3)
    with pytest.raises(io.FormatError, match="give dwell_time"):
        io.read(path)
    control = tmp_path / "my.control"
    control.write_text(
        " $LCMODL\n filraw='/somewhere/else/a.raw'\n deltat=4.0D-04 nunfil=4\n hzpppm=1.2E+02 echot=20.\n $END\n"
    )
    fids = io.read(path)
    assert fids.data.shape == (3, 4) and fids.acquisition.echo_time == 0.02
    assert float(fids.sampling.dwell_time) == pytest.approx(4e-4)
    assert float(fids.sampling.central_frequency) == pytest.approx(120e6)
    control.write_text(" $LCMODL\n filraw='other.raw'\n deltat=4.0D-04 nunfil=4 hzpppm=120\n $END\n")
    with pytest.raises(io.FormatError, match="give dwell_time"):  # that control file belongs to other data
        io.read(path)
    assert io.read(path, control=control).data.shape == (3, 4)


def test_a_basis_gives_the_sampling_only_when_named(tmp_path, make_basis):
    io.write_basis(make_basis(), tmp_path / "press.basis")
    path = raw(tmp_path)
    with pytest.raises(io.FormatError, match="give dwell_time"):
        io.read(path)
    assert float(io.read(path, basis=tmp_path / "press.basis").sampling.dwell_time) == pytest.approx(5e-4)


BASIS = """ $SEQPAR
 FWHMBA = 0.01, HZPPPM = 100., ECHOT = {echo}, SEQ = 'PRESS' $END
 $BASIS1
 IDBASI='x', FMTBAS='(2E15.6)', BADELT = {badelt}, NDATAB = {points} $END
 $NMUSED
 FILERAW='x' PPMAPP = 0.5 -0.5, RINTEG=0. $END
 $BASIS ID='{name}' METABO='{name}' CONC={conc} TRAMP={tramp} VOLUME={volume} ISHIFT={shift} $END
"""


def basis_file(
    tmp_path, points=128, echo="", badelt="5.0E-04", name="Lac", conc=1.0, tramp=1.0, volume=1.0, shift=0, ppm=3.0
):
    t = np.arange(points) * 5e-4
    fid = np.exp((2j * np.pi * (4.65 - ppm) * 100 - 5.0) * t)  # on disk: +Hz = lower ppm
    fid[0] /= 2
    spectrum = np.fft.fft(fid) / np.sqrt(points)
    head = BASIS.format(
        echo=echo, badelt=badelt, points=points, name=name, conc=conc, tramp=tramp, volume=volume, shift=shift
    )
    path = tmp_path / "a.basis"
    path.write_text(head + "\n".join(f"{x.real:15.6E}{x.imag:15.6E}" for x in spectrum) + "\n")
    return path


def test_basis_scale_is_tramp_over_volume_and_conc(tmp_path):
    one = io.read_basis(basis_file(tmp_path))
    assert abs(one.fids[0, 0]) == pytest.approx(1.0, rel=1e-3)  # unit amplitude: the 1/sqrt(N) is undone
    scaled = io.read_basis(basis_file(tmp_path, conc=10.0, tramp=3.0, volume=2.0))
    np.testing.assert_allclose(scaled.fids, one.fids * 3.0 / 20.0, rtol=1e-12)


def test_positive_ishift_moves_to_higher_ppm(tmp_path):
    from mrsjax.io.reference import peak

    for shift in (0, 4, -3):
        basis = io.read_basis(basis_file(tmp_path, shift=shift))
        step = 1 / (128 * 5e-4) / 100  # ppm a point
        assert peak(basis.fids[0], basis, 3.0, 0.9) == pytest.approx(3.0 + shift * step, abs=0.02)


def test_a_basis_with_whole_first_points_is_believed(tmp_path, make_basis):
    path = tmp_path / "a.basis"
    io.write_basis(make_basis(), path)
    basis = io.read_basis(path)
    assert basis.origin.header["FIRST_POINT"] == "halved in the file"
    doubled = make_basis()
    fids = doubled.fids.copy()
    fids[:, 0] *= 2  # the writer halves: so the file holds whole points
    io.write_basis(type(doubled)(fids, doubled.names, doubled.sampling), path)
    basis = io.read_basis(path)
    assert basis.origin.header["FIRST_POINT"] == "whole in the file"
    np.testing.assert_allclose(basis.fids, make_basis().fids, atol=1e-6)


@pytest.mark.parametrize(("echo", "seconds"), [("", None), (" ,", None), ("35.", 0.035), ("3.5E+01", 0.035)])
def test_echo_time_of_a_basis(tmp_path, echo, seconds):
    assert io.read_basis(basis_file(tmp_path, echo=echo)).origin.echo_time == seconds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"badelt": "-5.0E-04"}, r"BADELT: found -0.0005 .an encrypted vendor basis.*unencrypted"),
        ({"badelt": "0.5"}, r"BADELT: found 0.5 s .a thousand times too large"),
        ({"badelt": "'x'"}, "BADELT: found 'x', wanted a number"),
        ({"echo": "0.035"}, "ECHOT: found 3.5e-05 s"),
        ({"name": ""}, "METABO: found no name"),
        ({"conc": 0.0}, "CONC of Lac: found 0.0, wanted a positive number"),
        ({"volume": "'a'"}, "VOLUME of Lac: found 'a'"),
        ({"shift": 1.5}, "ISHIFT of Lac"),
    ],
)
def test_wrong_basis_headers_are_named(tmp_path, changes, message):
    with pytest.raises(io.FormatError, match=message):
        io.read_basis(basis_file(tmp_path, **changes))


def test_broken_basis_files_are_named(tmp_path):
    path = basis_file(tmp_path)
    text = path.read_text()
    for broken, message in (
        (text[: len(text) - 400], r"data of Lac: found \d+ (numbers|points)"),
        (text.replace("NDATAB = 128", "NDATAB = 127"), "found 128 points, wanted NDATAB = 127"),
        (text.replace("NDATAB = 128", "NDATAB = 1.5"), "NDATAB: found 1.5"),
        (text.split(" $BASIS ")[0], r"\$BASIS: found no metabolite"),
        (text.replace("$BASIS1", "$BASIZ"), r"\$BASIS1: found no such group"),
        (text.replace("HZPPPM = 100.", ""), "HZPPPM: found None"),
        (text[:-40] + " NaN NaN\n" + text[-20:], "data of Lac"),
        (text + text[text.index(" $BASIS ID") :], "METABO: found Lac twice"),
        (text + "garbage and words\n", "data of Lac: found 'g', wanted a number"),
    ):
        path.write_text(broken)
        with pytest.raises(io.FormatError, match=message):
            io.read_basis(path)


def test_data_and_basis_are_not_taken_for_one_another(tmp_path, make_fids, make_basis):
    io.write(make_fids(), tmp_path / "a.raw")
    io.write_basis(make_basis(), tmp_path / "b.basis")
    with pytest.raises(io.FormatError, match="read it with read_basis"):
        io.read(tmp_path / "b.basis")
    with pytest.raises(io.FormatError, match="wanted a basis set"):
        io.read_basis(tmp_path / "a.raw")


def test_control(tmp_path, samples):
    control = io.read_control(samples["control"][0](tmp_path))
    assert (control.dwell_time, control.central_frequency, control.n_points) == (5e-4, 127.7e6, 256)
    assert (control.filraw, control.filh2o, control.filbas) == ("voxel.raw", "sub/voxel.h2o", "press.basis")
    assert control.ppm_window == (0.2, 4.0) and control.echo_time == 0.035
    assert control.water_scaling is True and control.eddy_correction is None
    assert control.omitted == ("Gly", "Ser") and control.values["DOREFS(1)"] is False
    assert control.values["TITLE"] == "it's a title"


def test_paths_in_a_control_file_do_nothing(tmp_path):
    """A control file can name any path or command; it is never opened, and only its last part is compared."""
    path = raw(tmp_path)
    marker = tmp_path / "marker"
    evil = f"$(touch {marker})"
    (tmp_path / "a.control").write_text(
        f" $LCMODL\n filraw='../../etc/a.raw'\n filbas='|touch {marker}'\n title='{evil}'\n"
        " deltat=5e-4 hzpppm=127.7\n $END\n"
    )
    io.read(path)
    control = io.read_control(tmp_path / "a.control")
    assert control.filbas == f"|touch {marker}" and not marker.exists()


def test_results(tmp_path, samples):
    for name in ("table", "csv", "coord"):
        make, read = samples[name]
        result = read(make(tmp_path))[0]
        assert result["NAA"] == io.Concentration("NAA", 2.88e-2, 88, 0.115)
        assert result["Cr"].percent_sd is None and result.reference == "Cr+PCr"
        if name != "csv":
            assert (result.fwhm_ppm, result.snr, result.shift_ppm) == (0.043, 13.0, -0.01)
            assert (result.phase_deg, result.phase_deg_per_ppm) == (21.0, 12.2)
            assert result.diagnostics == ("2 info's TWOREG 8",)
    both = io.read_lcmodel_results(samples["csv"][0](tmp_path))
    assert [(r.row, r.column) for r in both] == [(1, 1), (1, 2)] and both[1]["Cr"].percent_sd == 7
    coord = io.read_lcmodel_results(samples["coord"][0](tmp_path))[0]
    np.testing.assert_allclose(sum(coord.components.values()) + coord.baseline, coord.fit, atol=2e-6)
    np.testing.assert_allclose(coord.data - coord.fit, 0.1, atol=2e-6)


def test_results_of_lcmodel_itself(real):
    folder = real / "other_tools_outputs/lcmodel"
    for name in ("svs_97.COORD", "svs_97.TABLE", "svs_97.CSV"):
        (result,) = io.read_lcmodel_results(folder / name)
        assert len(result.concentrations) == 37 and result["NAA"] == io.Concentration("NAA", 7.97e-2, 11, 0.318)
    coord = io.read_lcmodel_results(folder / "svs_97.COORD")[0]
    assert coord.ppm[0] == 4.0 and len(coord.components) == 25 and coord.fwhm_ppm == 0.043
    error = sum(coord.components.values()) + coord.baseline - coord.fit
    assert np.abs(error).max() < 3e-4 * np.abs(coord.fit).max()
    voxels = io.read_lcmodel_results(real / "mrsi_3t_10voxels/test-reference-multi-voxel.csv")
    assert len(voxels) == 10 and voxels[0]["NAA"].value == 0.369 and voxels[0]["NAAG"].percent_sd is None
    for end in ("table", "coord"):
        (mm,) = io.read_lcmodel_results(real / f"macromolecules_9p4t/Summed_Averaged_TE24.{end}")
        assert mm["MM09"].value == 1.653 and mm.diagnostics[0] == "1 ERROR MYBASI 10"
