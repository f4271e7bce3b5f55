"""Philips SDAT/SPAR: VAX floats beside a text header. The stored FID has +Hz towards higher ppm: ours, as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import Acquisition, FIDs
from mrsjax.io import hints as checks
from mrsjax.io import namelist
from mrsjax.io.content import existing, read_bytes, read_text, sibling
from mrsjax.io.errors import FormatError
from mrsjax.io.hints import Hints

_LINE = re.compile(r"^\s*(?P<key>[^:!\n]+?)\s*:(?P<value>[^\n]*)$", re.MULTILINE)


def looks_like(path: Path, head: bytes) -> bool:
    """By its extension (the data part has no mark), or the SPAR header by its keys."""
    return path.suffix.lower() in (".sdat", ".spar") or (b"synthesizer_frequency" in head and b"samples" in head)


def from_vax(raw: bytes) -> np.ndarray:
    """VAX F_floating numbers as float64.

    Little-endian 16-bit words, high word first; value = 0.1m * 2**(e - 128) in binary. A set sign with a zero exponent
    is VAX's reserved operand: NaN.
    """
    words = np.frombuffer(raw, dtype="<u2").astype(np.uint32)
    bits = (words[0::2] << 16) | words[1::2]
    exponent = ((bits >> 23) & 0xFF).astype(np.int32)
    magnitude = np.ldexp(1.0 + (bits & 0x7FFFFF) * 2.0**-23, exponent - 129)
    negative = (bits >> 31).astype(bool)
    value = np.where(negative, -magnitude, magnitude)
    return np.where(exponent == 0, np.where(negative, np.nan, 0.0), value)


def _header(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for line in _LINE.finditer(read_text(path)):
        text = line["value"].strip().strip('"').strip()
        found = namelist.number(text)
        values.setdefault(line["key"].strip().lower(), text if found is None else found)
    return values


def _count(path: Path, header: dict[str, Any], key: str, default: int | None = None) -> int:
    value = header.get(key, default)
    if not isinstance(value, int) or not 1 <= value <= 1 << 28:
        raise FormatError(
            path,
            key,
            found=repr(value),
            wanted="a whole number of 1 or more",
            fix="the SPAR file is damaged: export it again",
        )
    return value


def _seconds(header: dict[str, Any], key: str) -> Any:
    value = header.get(key)
    return value * 1e-3 if isinstance(value, int | float) else (None if value in (None, "") else value)


def _arrange(path: Path, header: dict[str, Any], data: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rows into dimensions: x fastest, then y, then slices for MRSI; transients otherwise."""
    rows = len(data)
    if rows == 1:
        return data[0], ()
    if str(header.get("phase_encoding_enable", "no")).lower() == "yes":
        nx, ny = (_count(path, header, key, 1) for key in ("dim2_pnts", "dim3_pnts"))
        if nx * ny and rows % (nx * ny) == 0 and nx * ny > 1:
            return data.reshape(rows // (nx * ny), ny, nx, -1).transpose(2, 1, 0, 3), ("x", "y", "z")
        return data, ("spectrum",)
    return data, ("DIM_DYN",)


def read(path: Path, hints: Hints) -> FIDs:
    """FIDs of a Philips SDAT/SPAR pair; either file may be named. TE and TR from ms, nothing is taken from file names.

    **Raises:** `FormatError` when a part is missing or their sizes disagree.
    """
    pair = {}
    for suffix in (".sdat", ".spar"):
        pair[suffix] = path if path.suffix.lower() == suffix else sibling(path, suffix)
        if pair[suffix] is None:
            raise FormatError(
                path,
                suffix.upper()[1:],
                found="no such file beside it",
                wanted=f"{path.stem}{suffix.upper()}",
                fix="copy both files of the pair into one folder",
            )
    data_file, header_file = existing(pair[".sdat"]), existing(pair[".spar"])
    header = _header(header_file)
    samples, rows = _count(header_file, header, "samples"), _count(header_file, header, "rows", 1)
    size = data_file.stat().st_size
    if size != 8 * samples * rows:
        raise FormatError(
            data_file,
            "size",
            found=f"{size} bytes",
            wanted=f"{8 * samples * rows} ({rows} x {samples} complex VAX floats of the SPAR)",
            fix="the file is truncated or the SPAR belongs to another",
        )
    flat = from_vax(read_bytes(data_file))
    data = (flat[0::2] + 1j * flat[1::2]).reshape(rows, samples)
    width = header.get("sample_frequency")
    if not isinstance(width, int | float) or width <= 0:
        raise FormatError(
            header_file,
            "sample_frequency",
            found=repr(width),
            wanted="the spectral width in Hz",
            fix="the SPAR file is damaged: export it again",
        )
    sampling = checks.sampling(
        header_file,
        dwell=("1/sample_frequency", 1.0 / width),
        frequency=("synthesizer_frequency", header.get("synthesizer_frequency")),
        n_points=samples,
        hints=hints,
        nucleus_found=("nucleus", header.get("nucleus", "1H") or "1H"),
    )
    method = header.get("scan_id")
    acquisition = Acquisition(
        echo_time=checks.echo_time(header_file, "echo_time", _seconds(header, "echo_time"), hints.echo_time),
        repetition_time=checks.repetition_time(
            header_file, "repetition_time", _seconds(header, "repetition_time"), hints.repetition_time
        ),
        inversion_time=checks.optional_time(
            header_file, "spectrum_inversion_time", _seconds(header, "spectrum_inversion_time")
        ),
        sequence=method if isinstance(method, str) and method else None,
        header=header,
        source=str(data_file),
    )
    arranged, dims = _arrange(header_file, header, data)
    return FIDs(arranged, sampling, dims, acquisition)
