"""LCModel .BASIS: spectra of unit concentration.

For each metabolite NDATAB complex values: the FFT of the FID (first point halved, io.first_point) in natural order
times NDATAB**-1/2, +Hz towards lower ppm, to be multiplied by TRAMP/(VOLUME*CONC) and moved by ISHIFT points towards
higher ppm. So FID = conj(ifft(spectrum)) * NDATAB**1/2: its amplitudes compare with those of .RAW data, and amplitude
ratios data/basis are LCModel's concentrations before water scaling.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import BasisSet
from mrsjax.core.basis import BasisOrigin
from mrsjax.io import hints as checks
from mrsjax.io import namelist
from mrsjax.io.content import read_text
from mrsjax.io.errors import FormatError
from mrsjax.io.first_point import stored_halved
from mrsjax.io.fortran_numbers import complex_pairs
from mrsjax.io.hints import Hints


def looks_like(path: Path, head: bytes) -> bool:
    """Whether the file has a $BASIS1 group near its top."""
    text = head.decode("latin-1").upper()
    return "$BASIS1" in text or "&BASIS1" in text


@dataclasses.dataclass(frozen=True)
class _Grid:
    dwell_time: float
    n_points: int


def _positive(path: Any, where: str, group: namelist.Group, key: str) -> float:
    value = group.values.get(key, 1.0)
    value = 1.0 if value == "" else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
        raise FormatError(
            path,
            f"{key} of {where}",
            found=repr(value),
            wanted="a positive number",
            fix="set it to 1 when it is not known",
        )
    return float(value)


def _grid(path: Any, group: namelist.Group) -> _Grid:
    step, points = group.get("BADELT"), group.get("NDATAB")
    if isinstance(step, int | float) and not isinstance(step, bool) and step < 0:
        raise FormatError(
            path, "BADELT", found=f"{step:g} (an encrypted vendor basis)", wanted="a dwell time in s",
            fix="only LCModel itself can open this file: use an unencrypted basis, or simulate one",
        )  # fmt: skip
    if not isinstance(points, int) or isinstance(points, bool) or not 2 <= points <= 1 << 24:
        raise FormatError(
            path, "NDATAB", found=repr(points), wanted="the number of points", fix="the header is damaged"
        )
    return _Grid(checks.dwell_time(path, "BADELT", step), points)


def _metabolite(path: Any, group: namelist.Group, numbers: str, grid: _Grid) -> tuple[str, np.ndarray]:
    """Name and FID (first point as stored) of one $BASIS group."""
    name = str(group.get("METABO", "ID") or "").strip()
    if not name or isinstance(group.get("METABO", "ID"), list):
        raise FormatError(path, "METABO", found="no name", wanted="a metabolite name", fix="the header is damaged")
    spectrum = complex_pairs(path, f"data of {name}", numbers)
    if spectrum.size != grid.n_points:
        raise FormatError(
            path,
            f"data of {name}",
            found=f"{spectrum.size} points",
            wanted=f"NDATAB = {grid.n_points}",
            fix="the file is truncated or its header is wrong",
        )
    if not np.all(np.isfinite(spectrum)):
        raise FormatError(
            path,
            f"data of {name}",
            found="NaN or infinite values",
            wanted="finite numbers",
            fix="simulate this metabolite again",
        )
    shift = group.get("ISHIFT")
    shift = 0 if shift is None else shift
    if isinstance(shift, bool) or not isinstance(shift, int | float) or shift != int(shift):
        raise FormatError(
            path, f"ISHIFT of {name}", found=repr(shift), wanted="a whole number of points", fix="set it to 0"
        )
    scale = _positive(path, name, group, "TRAMP") / (
        _positive(path, name, group, "VOLUME") * _positive(path, name, group, "CONC")
    )
    # Higher ppm is lower frequency on disk: a smaller index of the natural order.
    fid = np.fft.ifft(np.roll(spectrum, -int(shift)), norm="ortho")
    return name, fid.conj() * scale


def read_basis(path: Path, hints: Hints) -> BasisSet:
    """A `BasisSet` from an LCModel .BASIS file. TE comes from ECHOT (ms), line width from FWHMBA (ppm).

    **Raises:** `FormatError`; an encrypted basis (BADELT < 0) is named as such.
    """
    text = read_text(path)
    groups = list(namelist.groups(text))
    headers = {g.name: g for g in reversed(groups)}
    if "BASIS1" not in headers:
        raise FormatError(
            path, "$BASIS1", found="no such group", wanted="an LCModel basis set", fix="check that it is the right file"
        )
    grid = _grid(path, headers["BASIS1"])
    sequence = headers.get("SEQPAR")
    frequency = sequence.get("HZPPPM", "HZPPM") if sequence else None
    entries = []
    for i, group in enumerate(groups):
        if group.name != "BASIS":
            continue
        if not group.closed:
            raise FormatError(
                path, "$BASIS", found="no $END", wanted="$END after the header", fix="the file is truncated or damaged"
            )
        stop = groups[i + 1].start if i + 1 < len(groups) else len(text)
        entries.append(_metabolite(path, group, text[group.end : stop], grid))
    if not entries:
        raise FormatError(
            path, "$BASIS", found="no metabolite", wanted="at least one $BASIS group", fix="the file is truncated"
        )
    names = [name for name, _ in entries]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise FormatError(
            path, "METABO", found=f"{', '.join(twice)} twice", wanted="distinct names", fix="remove one of them"
        )
    fids = np.stack([fid for _, fid in entries])
    halved = stored_halved(fids)
    if halved:
        fids[:, 0] *= 2.0
    sampling = checks.sampling(
        path,
        dwell=("BADELT", grid.dwell_time),
        frequency=("HZPPPM", checks.scaled(frequency, 1e6)),
        n_points=grid.n_points,
        hints=hints,
    )
    origin = _origin(path, sequence, headers["BASIS1"], float(sampling.central_frequency), hints, halved)
    return BasisSet(fids, names, sampling, origin)


def _origin(
    path: Path, sequence: namelist.Group | None, first: namelist.Group, f0: float, hints: Hints, halved: bool
) -> BasisOrigin:
    values = sequence.values if sequence else {}
    echo, width, name = checks.plain(values.get("ECHOT")), checks.plain(values.get("FWHMBA")), values.get("SEQ")
    return BasisOrigin(
        sequence=name.strip() if isinstance(name, str) and name.strip() else None,
        echo_time=checks.echo_time(path, "ECHOT", None if echo is None else echo * 1e-3, hints.echo_time),
        linewidth=width * f0 * 1e-6 if width is not None and 0 <= width < 10 else None,
        source=str(path),
        header={**values, **first.values, "FIRST_POINT": "halved in the file" if halved else "whole in the file"},
    )
