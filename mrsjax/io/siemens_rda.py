"""Siemens .rda: a text header between two marks, then complex float64. Stored with +Hz towards lower ppm."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import Acquisition, FIDs
from mrsjax.io import hints as checks
from mrsjax.io import namelist
from mrsjax.io.content import read_bytes
from mrsjax.io.errors import FormatError
from mrsjax.io.hints import Hints

_BEGIN, _END = b">>> Begin of header <<<", b">>> End of header <<<"
_LINE = re.compile(r"^([^:\n]+):[ \t]*(.*)$", re.MULTILINE)
_REPAIR = "export it from the scanner again"


def looks_like(path: Path, head: bytes) -> bool:
    """By the mark it opens with."""
    return head.lstrip().startswith(_BEGIN)


def _header(path: Path, raw: bytes) -> tuple[dict[str, Any], bytes]:
    begin, end = raw.find(_BEGIN), raw.find(_END)
    if begin < 0 or end < begin:
        raise FormatError(path, "header", found="no closed header", wanted=_END.decode(), fix="the file is truncated")
    text = raw[begin + len(_BEGIN) : end].decode("latin-1").replace("\r\n", "\n")
    values: dict[str, Any] = {}
    for line in _LINE.finditer(text):
        found = namelist.number(line[2])
        values.setdefault(line[1].strip(), line[2].strip() if found is None else found)
    rest = raw[end + len(_END) :]
    return values, rest[2:] if rest.startswith(b"\r\n") else rest[1:]


def _count(path: Path, header: dict[str, Any], key: str, default: int | None = None) -> int:
    value = header.get(key, default)
    if not isinstance(value, int) or not 1 <= value <= 1 << 24:
        raise FormatError(path, key, found=repr(value), wanted="a whole number of 1 or more", fix=_REPAIR)
    return value


def _seconds(header: dict[str, Any], key: str) -> float | None:
    value = checks.plain(header.get(key))
    return None if value is None else value * 1e-3


def read(path: Path, hints: Hints) -> FIDs:
    """FIDs of a Siemens .rda file; CSI data have dims `("x", "y", "z")`. DwellTime from us, TE, TR, TI, TM from ms.

    **Raises:** `FormatError`.
    """
    header, raw = _header(path, read_bytes(path))
    points = _count(path, header, "VectorSize")
    matrix = [_count(path, header, f"CSIMatrixSize[{i}]", 1) for i in range(3)]
    need = 16 * points * matrix[0] * matrix[1] * matrix[2]
    if len(raw) != need:
        raise FormatError(
            path, "data", found=f"{len(raw)} bytes after the header",
            wanted=f"{need} (VectorSize {points}, matrix {matrix})",
            fix="the file is truncated or was changed by a text editor",
        )  # fmt: skip
    data = np.frombuffer(raw, dtype="<c16").reshape(matrix[2], matrix[1], matrix[0], points).transpose(2, 1, 0, 3)
    sampling = checks.sampling(
        path,
        dwell=("DwellTime (us)", checks.scaled(header.get("DwellTime"), 1e-6)),
        frequency=("MRFrequency (MHz)", checks.scaled(header.get("MRFrequency"), 1e6)),
        n_points=points,
        hints=hints,
        nucleus_found=("Nucleus", header.get("Nucleus", "1H")),
        field_strength=checks.plain(header.get("MagneticFieldStrength")),
    )
    sequence = header.get("SequenceName")
    acquisition = Acquisition(
        echo_time=checks.echo_time(path, "TE", _seconds(header, "TE"), hints.echo_time),
        repetition_time=checks.repetition_time(path, "TR", _seconds(header, "TR"), hints.repetition_time),
        inversion_time=checks.optional_time(path, "TI", _seconds(header, "TI")),
        mixing_time=checks.optional_time(path, "TM", _seconds(header, "TM")),
        sequence=sequence if isinstance(sequence, str) and sequence else None,
        field_strength=checks.plain(header.get("MagneticFieldStrength")),
        header=header,
        source=str(path),
    )
    values = data.conj().astype(np.complex128)
    if matrix == [1, 1, 1]:
        return FIDs(values[0, 0, 0], sampling, (), acquisition)
    return FIDs(values, sampling, ("x", "y", "z"), acquisition)
