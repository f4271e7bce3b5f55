"""Varian/Agilent .fid folders: `fid` (big-endian blocks of traces) and `procpar` (parameters as text).

Own reader: nmrglue, the judge in our tests, does not come back from some damaged headers. Source: VnmrJ User
Programming (Agilent), section "VnmrJ Data Files".
"""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import Acquisition, FIDs
from mrsjax.io import hints as checks
from mrsjax.io import namelist
from mrsjax.io.content import existing, read_bytes, read_text
from mrsjax.io.errors import FormatError
from mrsjax.io.hints import Hints

_FLOAT, _LONG = 0x8, 0x4  # status bits of the file header; neither: 16-bit integers
_BLOCK_HEADER = 28
_PARAMETER = re.compile(r"([A-Za-z_]\w*) \d+ (\d+)(?: \S+){8}\s*$")
_QUOTED = re.compile(r'"([^"]*)"')
_REPAIR = "copy the folder again"


def looks_like(path: Path, head: bytes) -> bool:
    """A folder with `fid` and `procpar`, or one of the two."""
    folder = path if path.is_dir() else path.parent
    here = (folder / "fid").is_file() and (folder / "procpar").is_file()
    return here and (path.is_dir() or path.name in ("fid", "procpar"))


def _fid(path: Path) -> np.ndarray:
    """Complex traces `(blocks * traces, points)`, as stored. Every length of the header must fit the file."""
    raw = read_bytes(existing(path))
    if len(raw) < 32:
        raise FormatError(path, "header", found=f"{len(raw)} bytes", wanted="at least 32", fix=_REPAIR)
    nblocks, ntraces, points, ebytes, tbytes, bbytes, _, status, nheaders = struct.unpack(">6i2hi", raw[:32])
    sizes = f"nblocks {nblocks}, ntraces {ntraces}, np {points}, ebytes {ebytes}, tbytes {tbytes}, bbytes {bbytes}"
    sound = (
        min(nblocks, ntraces) >= 1
        and points >= 4
        and points % 2 == 0
        and nheaders >= 0
        and ebytes == (4 if status & (_FLOAT | _LONG) else 2)
        and tbytes == points * ebytes
        and bbytes == ntraces * tbytes + nheaders * _BLOCK_HEADER
    )
    if not sound or len(raw) != 32 + nblocks * bbytes:
        raise FormatError(
            path, "header", found=f"{sizes} in a file of {len(raw)} bytes",
            wanted="lengths that fit one another and the file",
            fix="the file is truncated or damaged: copy it again",
        )  # fmt: skip
    kind = ">f4" if status & _FLOAT else ">i4" if status & _LONG else ">i2"
    blocks = np.frombuffer(raw, dtype=np.uint8, offset=32).reshape(nblocks, bbytes)[:, nheaders * _BLOCK_HEADER :]
    flat = np.ascontiguousarray(blocks).view(kind).reshape(nblocks * ntraces, points).astype(np.float64)
    return flat[:, 0::2] + 1j * flat[:, 1::2]


def _procpar(path: Path) -> dict[str, list[str]]:
    """Name -> values on the first value line; the attributes and lists of allowed values are skipped."""
    lines = read_text(existing(path)).split("\n")
    values = {}
    for line, following in pairwise(lines):
        head = _PARAMETER.match(line)
        if head:
            rest = following.split(" ", 1)[1] if " " in following else ""
            values[head[1]] = _QUOTED.findall(rest) if head[2] == "2" else rest.split()
    return values


def _value(procpar: dict[str, list[str]], key: str) -> Any:
    values = procpar.get(key)
    if not values:
        return None
    found = namelist.number(values[0])
    return values[0] if found is None else found


def read(path: Path, hints: Hints) -> FIDs:
    """FIDs of a Varian .fid folder; several traces have dims `("DIM_DYN",)`. Stored with +Hz towards lower ppm.

    0 Hz is taken as 4.65 ppm: `rfl` and `rfp` of procpar are display settings (they place MM09 at 0.34 ppm in one of
    the consensus files and at 0.95 in another).

    **Raises:** `FormatError`.
    """
    folder = path if path.is_dir() else path.parent
    data, procpar = _fid(folder / "fid"), _procpar(folder / "procpar")
    width = checks.plain(_value(procpar, "sw"))
    if width is None or width <= 0:
        raise FormatError(
            folder / "procpar",
            "sw",
            found=repr(_value(procpar, "sw")),
            wanted="the spectral width in Hz",
            fix=_REPAIR,
        )
    sampling = checks.sampling(
        folder / "procpar",
        dwell=("1/sw", 1.0 / width),
        frequency=("sfrq (MHz)", checks.scaled(_value(procpar, "sfrq"), 1e6)),
        n_points=data.shape[-1],
        hints=hints,
        nucleus_found=("tn", _value(procpar, "tn") or "1H"),
    )
    name = _value(procpar, "seqfil")
    acquisition = Acquisition(
        echo_time=checks.echo_time(folder / "procpar", "te", _value(procpar, "te"), hints.echo_time),
        repetition_time=checks.repetition_time(folder / "procpar", "tr", _value(procpar, "tr"), hints.repetition_time),
        mixing_time=checks.optional_time(folder / "procpar", "tm", _value(procpar, "tm")),
        sequence=name if isinstance(name, str) and name else None,
        header=dict(procpar),
        source=str(folder),
    )
    values = np.conj(data)
    return (
        FIDs(values[0], sampling, (), acquisition)
        if len(values) == 1
        else FIDs(values, sampling, ("DIM_DYN",), acquisition)
    )
