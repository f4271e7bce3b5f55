"""LCModel .RAW and .H2O time-domain data.

On disk +Hz is towards lower ppm, so reading and writing conjugate. Values are multiplied by TRAMP/VOLUME, as LCModel
does with metabolite and water files alike (LCModel manual, section 5.2); BRUKER = T says that the file is the
conjugate of the convention.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import Acquisition, FIDs
from mrsjax.io import hints as checks
from mrsjax.io import namelist
from mrsjax.io.content import read_text
from mrsjax.io.errors import FormatError
from mrsjax.io.fortran_numbers import complex_pairs
from mrsjax.io.hints import Hints
from mrsjax.io.lcmodel_control import control_beside, read_control

_DWELL_KEYS = ("DELTAT", "DWELLTIME", "BADELT")
_FREQUENCY_KEYS = ("HZPPPM", "HZPPM")


@dataclasses.dataclass(frozen=True)
class _Block:
    header: dict[str, Any]
    values: np.ndarray


def looks_like(path: Path, head: bytes) -> bool:
    """Whether the file opens with $SEQPAR or $NMID and is no basis set."""
    text = head.decode("latin-1").upper()
    return ("$NMID" in text or "&NMID" in text) and "$BASIS1" not in text


def _scale(path: Any, header: dict[str, Any]) -> float:
    """TRAMP/VOLUME, both 1 where the file leaves them out."""
    out = {}
    for key in ("TRAMP", "VOLUME"):
        value = header.get(key, 1.0)
        value = 1.0 if value == "" else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
            raise FormatError(
                path, key, found=repr(value), wanted="a positive number", fix="set it to 1 when it is not known"
            )
        out[key] = float(value)
    return out["TRAMP"] / out["VOLUME"]


def _blocks(path: Any, text: str) -> tuple[dict[str, Any], list[_Block]]:
    """Header keys common to the file, and each $NMID with its data."""
    groups = list(namelist.groups(text))
    common: dict[str, Any] = {}
    blocks = []
    for i, group in enumerate(groups):
        if group.name == "BASIS1":
            raise FormatError(
                path,
                "$BASIS1",
                found="an LCModel basis set",
                wanted="time-domain data",
                fix="read it with read_basis or give it as --basis",
            )
        if group.name != "NMID":
            common |= group.values
            continue
        if not group.closed:
            raise FormatError(
                path, "$NMID", found="no $END", wanted="$END after the header", fix="the file is truncated or damaged"
            )
        stop = groups[i + 1].start if i + 1 < len(groups) else len(text)
        values = complex_pairs(path, "data", text[group.end : stop])
        if values.size == 0:
            raise FormatError(
                path, "data", found="no numbers after $NMID", wanted="complex pairs", fix="the file is truncated"
            )
        if group.get("BRUKER") is True:
            values = values.conj()
        blocks.append(_Block(group.values, values.conj() * _scale(path, group.values)))
    if not blocks:
        raise FormatError(
            path, "$NMID", found="no such group", wanted="an LCModel RAW file", fix="check that it is the right file"
        )
    return common, blocks


def _split(path: Any, blocks: list[_Block], n_points: int | None) -> np.ndarray:
    """Spectra `(k, n)`: one a block, or several of `n_points` behind one header."""
    sizes = {b.values.size for b in blocks}
    if len(sizes) > 1:
        raise FormatError(
            path,
            "$NMID",
            found=f"blocks of {sorted(sizes)} points",
            wanted="blocks of equal length",
            fix="the file is truncated",
        )
    size = sizes.pop()
    n = size if n_points is None else n_points
    if n < 2 or size % n:
        raise FormatError(
            path,
            "points",
            found=f"{size} points",
            wanted=f"a multiple of {n} (n_points, or NUNFIL of the control file)",
            fix="the file is truncated, or n_points is wrong",
        )
    return np.concatenate([b.values.reshape(-1, n) for b in blocks])


def _first(*pairs: tuple[str, Any]) -> tuple[str, Any]:
    """The first (key, value) with a value; else the last pair."""
    return next((p for p in pairs if p[1] is not None), pairs[-1])


def _from_header(header: dict[str, Any], keys: tuple[str, ...], scale: float = 1.0) -> tuple[str, Any]:
    for key in keys:
        value = header.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return key, value * scale
    return keys[0], None


def read(path: Path, hints: Hints) -> FIDs:
    """FIDs of an LCModel RAW or H2O file.

    The file holds neither the dwell time nor, often, the frequency. They come from, in this order: the hints; the
    header (HZPPPM); the control file given as `hints.control`, or the one in the same folder that names this file;
    `hints.basis`.

    **Returns:** FIDs with dims `()` or `("spectrum",)`.

    **Raises:** `FormatError`.
    """
    common, blocks = _blocks(path, read_text(path))
    header = common | blocks[0].header
    control = read_control(hints.control) if hints.control is not None else control_beside(path)
    n_points = hints.n_points if hints.n_points is not None else (control.n_points if control else None)
    if n_points is None:
        found = header.get("NUMBEROFPOINTS")
        n_points = found if isinstance(found, int) and found > 1 else None
    data = _split(path, blocks, n_points)
    like = None
    if hints.basis is not None:
        from mrsjax.io.formats import read_basis

        like = read_basis(hints.basis).sampling
    dwell = _first(
        _from_header(header, _DWELL_KEYS),
        ("DELTAT", control.dwell_time if control else None),
        ("basis", float(like.dwell_time) if like else None),
        ("dwell_time", None),
    )
    frequency = _first(
        _from_header(header, _FREQUENCY_KEYS, 1e6),
        ("HZPPPM", control.central_frequency if control else None),
        ("basis", float(like.central_frequency) if like else None),
        ("central_frequency", None),
    )
    for (key, value), name, unit in ((dwell, "dwell_time", "s"), (frequency, "central_frequency", "Hz")):
        if value is None and getattr(hints, name) is None:
            raise FormatError(
                path, key, found="nothing (the format does not hold it)", wanted=f"{name} ({unit})",
                fix=f"give {name}=... ({unit}), basis=... of equal sampling, or put the LCModel control file beside it",
            )  # fmt: skip
    echo = header.get("ECHOT")
    echo = echo * 1e-3 if isinstance(echo, int | float) and not isinstance(echo, bool) and echo > 0 else None
    if echo is None and control is not None:
        echo = control.echo_time
    sequence = header.get("SEQ")
    acquisition = Acquisition(
        echo_time=checks.echo_time(path, "ECHOT", echo, hints.echo_time),
        repetition_time=checks.repetition_time(path, "repetition_time", None, hints.repetition_time),
        sequence=sequence.strip() if isinstance(sequence, str) and sequence.strip() else None,
        header=dict(header),
        source=str(path),
    )
    grid = checks.sampling(path, dwell=dwell, frequency=frequency, n_points=data.shape[-1], hints=hints)
    if data.shape[0] == 1:
        return FIDs(data[0], grid, (), acquisition)
    return FIDs(data, grid, ("spectrum",), acquisition)
