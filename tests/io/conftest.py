"""Places, small signals and one small valid file of each format."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from mrsjax import io
from mrsjax.core import Acquisition, BasisSet, FIDs, Sampling
from mrsjax.core.basis import BasisOrigin
from tests.io.command_line_files import FILES

_ROOT = Path(__file__).parents[2]
DWELL, F0 = 5e-4, 127.7e6


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real files; tests that ask for it are skipped where it is absent."""
    named = os.environ.get("MRSJAX_TEST_DATA")
    folder = Path(named) if named else _ROOT.parent / "shared" / "data"
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip("real test data absent: set MRSJAX_TEST_DATA to the folder that holds MANIFEST.csv")
    return folder


def _brain(shape=(), n_points=256, seed=0, nucleus="1H", ppm_ref=4.65, noise=0.01):
    """NAA, creatine, choline and residual water with a little noise; +Hz = higher ppm."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_points) * DWELL
    lines = ((2.008, 3.0), (3.027, 2.0), (3.21, 1.0), (4.65, 1.5))
    one = sum(a * np.exp((2j * np.pi * (p - ppm_ref) * 1e-6 * F0 - 12.0) * t) for p, a in lines)
    full = (*shape, n_points)
    return one * np.ones(full) + noise * (rng.normal(size=full) + 1j * rng.normal(size=full))


@pytest.fixture(scope="session")
def brain():
    return _brain


@pytest.fixture(scope="session")
def make_fids():
    """`make_fids(dims, sizes, **options) -> FIDs` with a full acquisition."""

    def make(dims=(), sizes=(), n_points=256, ppm_ref=4.65, nucleus="1H", **acquisition):
        known = {"echo_time": 0.035, "repetition_time": 2.0, "sequence": "PRESS", **acquisition}
        sampling = Sampling(DWELL, F0, n_points, ppm_ref=ppm_ref, nucleus=nucleus)
        return FIDs(_brain(tuple(sizes), n_points, ppm_ref=ppm_ref), sampling, tuple(dims), Acquisition(**known))

    return make


@pytest.fixture(scope="session")
def make_basis():
    """`make_basis(n_points, ppm_ref) -> BasisSet` of three singlets of unit amplitude."""

    def make(n_points=256, ppm_ref=4.65, names=("NAA", "Cr", "Ins"), shifts=(2.008, 3.027, 3.6)):
        t = np.arange(n_points) * DWELL
        fids = np.array([np.exp((2j * np.pi * (p - ppm_ref) * 1e-6 * F0 - 8.0) * t) for p in shifts])
        origin = BasisOrigin(sequence="PRESS", echo_time=0.035, linewidth=2.5)
        return BasisSet(fids, names, Sampling(DWELL, F0, n_points, ppm_ref=ppm_ref), origin)

    return make


def _to_vax(values):
    """float64 as VAX F_floating: the inverse of the reader, written independently of it."""
    mantissa, exponent = np.frexp(np.abs(values))
    bits = ((exponent + 128).astype(np.int64) << 23) + np.rint((2 * mantissa - 1) * 2**23).astype(np.int64)
    bits = np.where(mantissa == 0, 0, bits | (np.signbit(values).astype(np.int64) << 31))
    words = np.empty(2 * bits.size, dtype="<u2")
    words[0::2], words[1::2] = bits >> 16, bits & 0xFFFF
    return words.tobytes()


def _interleaved(data):
    flat = np.empty(2 * data.size)
    flat[0::2], flat[1::2] = data.real.ravel(), data.imag.ravel()
    return flat


SPAR = """!------
examination_name : x
scan_id : PRESS
samples : {n}
rows : {rows}
synthesizer_frequency : 127700000
offset_frequency : 0
sample_frequency : 2000
nucleus : 1H
echo_time : 35
repetition_time : 2000
phase_encoding_enable : "{encoded}"
dim2_pnts : {nx}
dim3_pnts : {ny}
spectrum_inversion_time : 0
"""


def _sdat(folder, rows=1, nx=1, ny=1):
    data = _brain((rows,))
    path = folder / "voxel.SDAT"
    path.write_bytes(_to_vax(_interleaved(data)))
    encoded = "yes" if nx * ny > 1 else "no"
    path.with_suffix(".SPAR").write_text(SPAR.format(n=data.shape[-1], rows=rows, nx=nx, ny=ny, encoded=encoded))
    return path


def _rda(folder):
    data = _brain()
    head = [
        ">>> Begin of header <<<",
        "SequenceName: *svs_se",
        "TR: 2000.000000",
        "TE: 30.000000",
        "TM: 0.000000",
        "TI: 0.000000",
        "DwellTime: 500",
        "MRFrequency: 127.700000",
        "Nucleus: 1H",
        "MagneticFieldStrength: 3.000000",
        f"VectorSize: {data.size}",
        "CSIMatrixSize[0]: 1",
        "CSIMatrixSize[1]: 1",
        "CSIMatrixSize[2]: 1",
        ">>> End of header <<<",
    ]
    path = folder / "voxel.rda"
    path.write_bytes("".join(f"{line}\r\n" for line in head).encode() + data.conj().astype("<c16").tobytes())
    return path


def _mat(folder, **changes):
    from scipy.io import savemat

    n = 256
    t, f0 = np.arange(n) * DWELL, 3 * 42.577478518
    fids = np.array([np.exp((2j * np.pi * (p - 4.68) * f0 - 8.0) * t) for p in (2.008, 3.027)]).T
    content = {
        "fids": fids / 7.0,
        "name": np.array(["NAA", "Cr"], dtype=object),
        "dwelltime": DWELL,
        "spectralwidth": 2000.0,
        "n": n,
        "Bo": 3.0,
        "te": 35.0,
        "linewidth": 2.0,
        "seq": np.array(["PRESS"], dtype=object),
        "scale": 7.0,
        "nMets": 2,
        "nMM": 0,
    }
    path = folder / "basis.mat"
    savemat(path, {"BASIS": {k: v for k, v in (content | changes).items() if v is not None}})
    return path


def _procpar(name, kind, value):
    shown = f'"{value}"' if kind == 2 else value
    return f"{name} {kind} {kind} 1e+18 -1e+18 0 2 1 0 1 64\n1 {shown} \n0 \n"


def _varian(folder):
    data = _brain()
    place = folder / "scan.fid"
    place.mkdir()
    bytes_a_trace = 8 * data.size
    head = struct.pack(">6i2hi", 1, 1, 2 * data.size, 4, bytes_a_trace, bytes_a_trace + 28, 0, 0x1 | 0x8 | 0x40, 1)
    block = struct.pack(">4hi4f", 0, 0x1 | 0x8, 1, 0, 1, 0.0, 0.0, 0.0, 0.0)
    (place / "fid").write_bytes(head + block + _interleaved(data.conj()).astype(">f4").tobytes())
    entries = (
        ("sw", 1, 2000),
        ("sfrq", 1, 127.7),
        ("tn", 2, "H1"),
        ("te", 1, 0.008),
        ("tr", 1, 5),
        ("seqfil", 2, "steam"),
        ("np", 1, 2 * data.size),
        ("arraydim", 1, 1),
    )
    (place / "procpar").write_text("".join(_procpar(*e) for e in entries))
    return place


TABLE = """ LCModel (Version 6.3-1B)
 a title

$$CONC  4 lines in following concentration table = NCONC+1
    Conc.  %SD /Cr+PCr  Metabolite
 2.88E-02  88%   0.115 NAA
    0.000 999%   0.000 Cr
    0.251   3%   1.000 Cr+PCr

$$MISC  6 lines in following misc. output table
  FWHM = 0.043 ppm    S/N =  13
  Data shift =-0.010 ppm
  Ph:  21 deg      12.2 deg/ppm

$$DIAG  1 lines in following diagnostic table:
   2 info's    TWOREG  8
"""
CSV = """Row, Col, NAA, NAA %SD, NAA/Cr+PCr, Cr, Cr %SD, Cr/Cr+PCr
      1,       1, 2.88E-02,   88,    0.115,    0.000,  999,    0.000
      1,       2, 3.88E-02,   12,    0.215,    0.100,    7,    0.500
"""


def _coord(folder):
    n = 25
    rows = lambda v: "\n".join("".join(f"{x:13.6f}" for x in v[i : i + 10]) for i in range(0, n, 10))  # noqa: E731
    ppm, base = np.linspace(4, 0.2, n), np.full(n, 0.5)
    naa, cr = np.exp(-((ppm - 2) ** 2)), np.exp(-((ppm - 3) ** 2))
    fit = naa + cr + base
    text = TABLE.replace("$$CONC ", "").replace("$$MISC ", "").split("\n$$DIAG")[0]
    text += f"\n {n} points on ppm-axis = NY\n{rows(ppm)}\n NY phased data points follow\n{rows(fit + 0.1)}\n"
    text += f" NY points of the fit to the data follow\n{rows(fit)}\n NY background values follow\n{rows(base)}\n"
    text += f" NAA      Conc. = 2.88E-02\n{rows(naa + base)}\n Cr       Conc. = 0.1\n{rows(cr + base)}\n"
    text += "  1 lines in following diagnostic table:\n   2 info's    TWOREG  8\n"
    return _text(folder, "out.COORD", text)


def _text(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


CONTROL = """ $LCMODL
 key=210387309
 title='it''s a title', nunfil = 256
 deltat=5.000e-04 hzpppm = 1.277E+02
 filraw='voxel.raw', filh2o = 'sub/voxel.h2o'
 filbas='press.basis'
 ppmst=4.0, ppmend=.2
 DOREFS(1)=F, dows = T
 chomit(1)='Gly', chomit(2) = 'Ser'
 echot= 35. $END
"""


@pytest.fixture(scope="session")
def samples(make_fids, make_basis):
    """Name -> (function that writes a small valid file into a folder, function that reads it)."""

    def written(name, thing):
        def make(folder):
            (io.write_basis if isinstance(thing, BasisSet) else io.write)(thing, folder / name)
            return folder / name

        return make

    def raw_alone(folder):
        io.write(make_fids(("spectrum",), (2,)), folder / "stack.raw")
        (folder / "stack.control").unlink()
        return folder / "stack.raw"

    def read_raw_alone(path):
        return io.read(path, dwell_time=DWELL)

    table = lambda folder: _text(folder, "out.TABLE", TABLE)  # noqa: E731
    return {
        "nifti": (written("a.nii", make_fids(("DIM_COIL", "DIM_DYN"), (2, 3), n_points=64)), io.read),
        "nifti_gz": (written("a.nii.gz", make_fids(n_points=64)), io.read),
        "raw": (written("a.raw", make_fids(n_points=64)), io.read),
        "raw_alone": (raw_alone, read_raw_alone),
        "basis": (written("a.basis", make_basis(64)), io.read_basis),
        "basis_nifti": (written("a.nii", make_basis(64)), io.read_basis),
        "fsl_folder": (written("fsl", make_basis(64)), io.read_basis),
        "jmrui": (written("a.txt", make_fids(("spectrum",), (2,), n_points=32)), io.read),
        "sdat": (_sdat, io.read),
        "rda": (_rda, io.read),
        "osprey_mat": (_mat, io.read_basis),
        "varian": (_varian, io.read),
        "table": (table, io.read_lcmodel_results),
        "csv": (lambda folder: _text(folder, "out.CSV", CSV), io.read_lcmodel_results),
        "coord": (_coord, io.read_lcmodel_results),
        "control": (lambda folder: _text(folder, "a.control", CONTROL), io.read_control),
        **FILES,
    }


@pytest.fixture(scope="session")
def builders():
    """The makers with options: sdat(folder, rows, nx, ny), mat(folder, **changes)."""
    return {"sdat": _sdat, "mat": _mat, "coord": _coord, "to_vax": _to_vax, "interleaved": _interleaved}
