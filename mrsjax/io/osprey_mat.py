"""Osprey / FID-A basis sets (.mat, struct BASIS). Stored with +Hz towards higher ppm. Read by mat5.py; nothing is
unpickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import BasisSet
from mrsjax.core.basis import BasisOrigin
from mrsjax.core.constants import GYROMAGNETIC_RATIO
from mrsjax.io import hints as checks
from mrsjax.io import mat5
from mrsjax.io.content import read_bytes
from mrsjax.io.errors import FormatError
from mrsjax.io.hints import Hints

#: What FID-A assumes at 0 Hz when a struct has no centerFreq, ppm.
PPM_REF_FID_A = 4.68
_REPAIR = "save the BASIS struct again with save(..., '-v7')"


def looks_like(path: Path, head: bytes) -> bool:
    """A MATLAB file, of any version."""
    return head.startswith((b"MATLAB 5.0", b"MATLAB 7.3")) or path.suffix.lower() == ".mat"


def _struct(path: Path) -> dict[str, Any]:
    raw = read_bytes(path)
    if raw.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise FormatError(path, "version", found="a MATLAB 7.3 (HDF5) file", wanted="version 7 or older", fix=_REPAIR)
    try:
        content = mat5.load(raw, "BASIS")
    except mat5.MatError as e:
        raise FormatError(path, "MAT file", found=str(e), wanted="a MATLAB file", fix=_REPAIR) from e
    if not isinstance(content, dict):
        raise FormatError(
            path,
            "BASIS",
            found="no such struct",
            wanted="an Osprey basis set",
            fix="save the struct under the name BASIS",
        )
    return content


def _scalar(struct: dict[str, Any], key: str) -> float | None:
    value = struct.get(key)
    if not isinstance(value, np.ndarray) or value.size != 1 or value.dtype.kind == "c":
        return None
    return float(value.ravel()[0]) if np.isfinite(value.ravel()[0]) else None


def _texts(value: Any) -> list[str]:
    """A text, or the texts of a cell."""
    return [v.strip() for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]


def _names(path: Path, struct: dict[str, Any], count: int) -> list[str]:
    names = _texts(struct.get("name"))[:count]  # edited basis sets repeat them for each subspectrum
    if len(names) != count or len(set(names)) < count or not all(names):
        raise FormatError(
            path, "BASIS.name", found=f"{len(set(names))} names", wanted=f"{count} distinct names", fix=_REPAIR
        )
    return names


def _fids(path: Path, struct: dict[str, Any], subspectrum: int | None) -> np.ndarray:
    """`(m, n)` complex."""
    fids = struct.get("fids")
    if not isinstance(fids, np.ndarray) or fids.dtype.kind not in "cf" or fids.ndim not in (2, 3) or fids.size == 0:
        raise FormatError(
            path,
            "BASIS.fids",
            found=f"{type(fids).__name__} of shape {getattr(fids, 'shape', ())}",
            wanted="a numeric array, points x metabolites",
            fix=_REPAIR,
        )
    if fids.ndim == 3:
        if subspectrum is None or not 0 <= subspectrum < fids.shape[2]:
            raise FormatError(
                path,
                "BASIS.fids",
                found=f"{fids.shape[2]} subspectra (an edited basis)",
                wanted="the choice of one",
                fix=f"give subspectrum=0 to {fids.shape[2] - 1}",
            )
        fids = fids[:, :, subspectrum]
    if not np.all(np.isfinite(fids)):
        raise FormatError(
            path, "BASIS.fids", found="NaN or infinite values", wanted="finite numbers", fix="simulate the basis again"
        )
    return np.ascontiguousarray(fids.T).astype(np.complex128)


def read_basis(path: Path, hints: Hints) -> BasisSet:
    """A `BasisSet` from an Osprey BASIS struct; FIDs are multiplied by BASIS.scale, by which Osprey divided them. TE
    from ms.

    The frequency is Bo times 42.577 MHz/T, as FID-A has it. 0 Hz is at centerFreq, 4.68 ppm where there is none.

    **Raises:** `FormatError`.
    """
    struct = _struct(path)
    fids = _fids(path, struct, hints.subspectrum)
    field, dwell, width = (_scalar(struct, k) for k in ("Bo", "dwelltime", "spectralwidth"))
    if dwell is None and width:
        dwell = 1.0 / width
    if field is None or not 0.01 < field < 50:
        raise FormatError(path, "BASIS.Bo", found=repr(field), wanted="the field in T", fix=_REPAIR)
    centre = _scalar(struct, "centerFreq")
    sampling = checks.sampling(
        path,
        dwell=("BASIS.dwelltime", dwell),
        frequency=("BASIS.Bo", field * GYROMAGNETIC_RATIO["1H"]),
        n_points=fids.shape[1],
        hints=hints,
        ppm_ref=centre if centre is not None and 0 < centre < 10 else PPM_REF_FID_A,
    )
    scale, echo, line = (_scalar(struct, k) for k in ("scale", "te", "linewidth"))
    sequence = _texts(struct.get("seq"))
    origin = BasisOrigin(
        sequence=sequence[0] if sequence and sequence[0] else None,
        echo_time=checks.echo_time(path, "BASIS.te", None if echo is None else echo * 1e-3, hints.echo_time),
        linewidth=line,
        source=str(path),
        header={k: v for k in ("nMets", "nMM", "scale", "centerFreq") if (v := _scalar(struct, k)) is not None},
    )
    return BasisSet(fids * (scale if scale and scale > 0 else 1.0), _names(path, struct, len(fids)), sampling, origin)
