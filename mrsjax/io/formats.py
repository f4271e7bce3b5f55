"""Which format a file has, and the calls that do not care."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mrsjax.core import BasisSet, FIDs, Sampling
from mrsjax.io import (
    fsl_basis,
    jmrui,
    lcmodel_basis,
    lcmodel_raw,
    lcmodel_write,
    nifti_mrs,
    nifti_mrs_write,
    osprey_mat,
    sdat,
    siemens_rda,
    varian,
    vendor_raw,
)
from mrsjax.io.content import existing, read_bytes
from mrsjax.io.errors import FormatError
from mrsjax.io.first_point import FIRST_POINT_KEY, measured_halved
from mrsjax.io.hints import Hints
from mrsjax.io.mirror import warn_if_mirrored


@dataclasses.dataclass(frozen=True)
class Format:
    """A file format: `name`, `suffixes`, `looks_like(path, first bytes)`, and what can be done with it.

    `halves_first_point`: whether files of this kind usually hold half of each first point (io.first_point).
    """

    name: str
    suffixes: tuple[str, ...]
    looks_like: Callable[[Path, bytes], bool]
    read: Callable[[Path, Hints], FIDs] | None = None
    read_basis: Callable[[Path, Hints], BasisSet] | None = None
    write: Callable[[FIDs, Path], None] | None = None
    write_basis: Callable[[BasisSet, Path], None] | None = None
    halves_first_point: bool = False


#: In the order in which they are tried.
FORMATS = (
    Format(
        "NIfTI-MRS basis", (".nii", ".nii.gz"), nifti_mrs.looks_like_basis,
        read_basis=nifti_mrs.read_basis, write_basis=nifti_mrs_write.write_basis,
    ),
    Format("NIfTI-MRS", (".nii", ".nii.gz"), nifti_mrs.looks_like, read=nifti_mrs.read, write=nifti_mrs_write.write),
    Format(
        "LCModel BASIS", (".basis",), lcmodel_basis.looks_like,
        read_basis=lcmodel_basis.read_basis, write_basis=lcmodel_write.write_basis,
    ),
    Format(
        "LCModel RAW", (".raw", ".h2o", ".met", ".ref"), lcmodel_raw.looks_like,
        read=lcmodel_raw.read, write=lcmodel_write.write_raw,
    ),
    Format("Philips SDAT/SPAR", (".sdat", ".spar"), sdat.looks_like, read=sdat.read, halves_first_point=True),
    Format("jMRUI text", (".txt",), jmrui.looks_like, read=jmrui.read, write=jmrui.write),
    Format("Siemens rda", (".rda",), siemens_rda.looks_like, read=siemens_rda.read),
    Format("Varian fid", (), varian.looks_like, read=varian.read),
    Format("Osprey basis .mat", (".mat",), osprey_mat.looks_like, read_basis=osprey_mat.read_basis),
    Format(
        "FSL-MRS basis", (".json",), fsl_basis.looks_like,
        read_basis=fsl_basis.read_basis, write_basis=fsl_basis.write_basis,
    ),
    Format("scanner raw data", tuple(vendor_raw.KINDS), vendor_raw.looks_like, read=vendor_raw.read),
)  # fmt: skip

_HEAD = 16384


def detect(path: str | os.PathLike) -> Format:
    """The format of a file or folder, from its content and then from its extension.

    **Raises:** `FormatError` when it is none that is known.
    """
    place = existing(path)
    head = b"" if place.is_dir() else read_bytes(place, _HEAD)
    for candidate in FORMATS:
        if candidate.looks_like(place, head):
            return candidate
    for candidate in FORMATS:
        if not place.is_dir() and place.name.lower().endswith(candidate.suffixes):
            return candidate
    known = ", ".join(f.name for f in FORMATS)
    if place.suffix.lower() == ".mrui":
        found = "jMRUI's binary format"
        raise FormatError(path, "format", found=found, wanted="jMRUI text", fix="save it from jMRUI as text (.txt)")
    raise FormatError(
        path,
        "format",
        found="a folder of another kind" if place.is_dir() else "an unknown one",
        wanted=f"one of {known}",
        fix="convert it with spec2nii (pip install spec2nii)",
    )


def read(
    path: str | os.PathLike,
    *,
    dwell_time: float | None = None,
    central_frequency: float | None = None,
    n_points: int | None = None,
    ppm_ref: float | None = None,
    nucleus: str | None = None,
    echo_time: float | None = None,
    repetition_time: float | None = None,
    control: str | os.PathLike | None = None,
    basis: str | os.PathLike | None = None,
    conjugate: bool = False,
) -> FIDs:
    """Time-domain signals from a file of any known format.

    **Arguments:** each hint replaces what the file says (or fails to say).

    - `dwell_time`: s. `central_frequency`: Hz. `n_points`: of one FID, where a file holds several behind one header.
    - `ppm_ref`: chemical shift at 0 Hz, ppm. `nucleus`: e.g. "1H". `echo_time`, `repetition_time`: s.
    - `control`: an LCModel control file. `basis`: a basis set whose dwell time and frequency hold for the data too.
    - `conjugate`: reverse the frequency axis, for a file that breaks its format's sign convention.

    **Returns:** `FIDs` with complex128 numpy data, +Hz = higher ppm, SI units. A first point that was halved before
    storing (Philips scanners do; io.first_point) is doubled, and `acquisition.header["mrsjax_first_point"]` says so.

    **Raises:** `FormatError`. **Warns:** `MirroredWarning` when the spectra look reversed.
    """
    hints = Hints(
        dwell_time, central_frequency, n_points, ppm_ref, nucleus, echo_time, repetition_time, control, basis, conjugate
    )
    found = detect(path)
    if found.read is None:
        raise FormatError(
            path,
            "format",
            found=found.name,
            wanted="time-domain data",
            fix="read it with read_basis or give it as --basis",
        )
    fids = found.read(existing(path), hints)
    if n_points is not None and n_points != fids.sampling.n_points:
        fids = _split(fids, n_points, path)
    if conjugate:
        fids = FIDs(np.conj(fids.data), fids.sampling, fids.dims, fids.acquisition)
    warn_if_mirrored(fids, path)
    return _whole_first_point(fids, found.halves_first_point)


def _split(fids: FIDs, n_points: int, path: str | os.PathLike) -> FIDs:
    """Several FIDs that a file holds as one."""
    old = fids.sampling
    if n_points < 2 or old.n_points % n_points or fids.dims:
        raise FormatError(
            path, "points", found=f"{old.n_points} points", wanted=f"one signal of a multiple of {n_points}",
            fix="n_points is wrong",
        )  # fmt: skip
    grid = Sampling(old.dwell_time, old.central_frequency, n_points, ppm_ref=float(old.ppm_ref), nucleus=old.nucleus)
    return FIDs(np.asarray(fids.data).reshape(-1, n_points), grid, ("spectrum",), fids.acquisition)


def _whole_first_point(fids: FIDs, usual: bool) -> FIDs:
    """Ordinary FIDs: a halved first point (Philips) is doubled, and the header says so."""
    if not measured_halved(np.asarray(fids.spectra), usual=usual):
        return fids
    data = np.array(fids.data)
    data[..., 0] *= 2.0
    header = {**fids.acquisition.header, FIRST_POINT_KEY: "halved in the file"}
    return FIDs(data, fids.sampling, fids.dims, dataclasses.replace(fids.acquisition, header=header))


def read_basis(
    path: str | os.PathLike,
    *,
    ppm_ref: float | None = None,
    echo_time: float | None = None,
    subspectrum: int | None = None,
    conjugate: bool = False,
) -> BasisSet:
    """A basis set from a file or folder of any known format.

    **Arguments:** `ppm_ref` chemical shift at 0 Hz (ppm; without it 4.65, or what the singlets of NAA and creatine
    say when they agree on another value, see `basis_reference`); `echo_time` s; `subspectrum` which of an edited basis
    (Osprey), from 0; `conjugate` reverse the frequency axis.

    **Returns:** `BasisSet` with complex128 numpy FIDs of unit concentration, +Hz = higher ppm.

    **Raises:** `FormatError`. **Warns:** `MirroredWarning`.
    """
    from mrsjax.io.reference import basis_reference

    found = detect(path)
    if found.read_basis is None:
        raise FormatError(
            path,
            "format",
            found=found.name,
            wanted="a basis set",
            fix="give an LCModel .BASIS file, an FSL-MRS basis folder or a NIfTI-MRS basis",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        basis = found.read_basis(existing(path), Hints(ppm_ref=ppm_ref, echo_time=echo_time, subspectrum=subspectrum))
        sound = np.abs(basis.fids).max() < 1e100  # NaN is not below either
    if not sound:
        raise FormatError(
            path, "scale", found="values too large for numbers after scaling", wanted="finite signals",
            fix="the scale entries of the file are damaged",
        )  # fmt: skip
    if conjugate:
        basis = BasisSet(np.conj(basis.fids), basis.names, basis.sampling, basis.origin)
    warn_if_mirrored(basis, path)
    if ppm_ref is None:
        old = basis.sampling
        grid = Sampling(
            old.dwell_time, old.central_frequency, old.n_points, ppm_ref=basis_reference(basis), nucleus=old.nucleus
        )
        basis = BasisSet(basis.fids, basis.names, grid, basis.origin)
    return basis


def _writer(path: str | os.PathLike, kind: str) -> Format:
    name = Path(path).name.lower()
    able = [f for f in FORMATS if getattr(f, kind) is not None]
    for candidate in able:
        if name.endswith(candidate.suffixes):
            return candidate
    known = ", ".join(f"{s} ({f.name})" for f in able for s in f.suffixes)
    raise FormatError(
        path, "extension", found=Path(path).suffix or "none", wanted=f"one of {known}", fix="choose a name that ends so"
    )


def write(
    fids: FIDs,
    path: str | os.PathLike,
    *,
    method: str | None = None,
    details: str = "",
    steps: Sequence[tuple[str, str]] = (),
) -> None:
    """Time-domain signals to a file whose extension says the format: .nii, .nii.gz, .raw, .h2o or .txt (jMRUI).

    **Arguments:** `method`, `details`, or several of them as `steps`: what was done to the data; appended to `ProcessingApplied` of NIfTI-MRS (the
    others cannot hold it).

    **Raises:** `FormatError` for an unknown extension, and for what a format cannot hold.
    """
    found = _writer(path, "write")
    place = Path(path).expanduser()
    if found.write is nifti_mrs_write.write:
        nifti_mrs_write.write(fids, place, steps=[*steps, *([] if method is None else [(method, details)])])
    else:
        assert found.write is not None
        found.write(fids, place)


def write_basis(basis: BasisSet, path: str | os.PathLike) -> None:
    """A basis set to an LCModel file (a path ending in .basis), NIfTI-MRS (.nii, .nii.gz), or
    an FSL-MRS folder (a path without extension, or a folder).

    **Raises:** `FormatError` for an unknown extension, and for what a format cannot hold.
    """
    place = Path(path).expanduser()
    if place.is_dir() or not place.suffix:
        fsl_basis.write_basis(basis, place)
        return
    if place.suffix.lower() == ".json":
        raise FormatError(
            path,
            "extension",
            found=".json",
            wanted="a folder (one .json file a metabolite)",
            fix="leave the extension out",
        )
    found = _writer(path, "write_basis")
    assert found.write_basis is not None
    found.write_basis(basis, place)
