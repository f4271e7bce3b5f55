"""LCModel .CONTROL: the options of a run. Read as data: nothing in it is opened, followed or executed."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mrsjax.io import hints as checks
from mrsjax.io import namelist
from mrsjax.io.content import existing, read_text
from mrsjax.io.errors import FormatError

#: A control file is a few kB; more is another kind of file.
_LIMIT = 1 << 20


@dataclasses.dataclass(frozen=True)
class Control:
    """An LCModel control file.

    `dwell_time` s (DELTAT), `central_frequency` Hz (HZPPPM), `n_points` (NUNFIL), `echo_time` s (ECHOT), `ppm_window`
    (PPMEND, PPMST) as (low, high) ppm, `water_scaling` (DOWS), `eddy_correction` (DOECC), `omitted` (CHOMIT),
    `filraw`, `filh2o`, `filbas` as written (never opened here), `values` everything else by its capital key. `None`
    where the file says nothing.
    """

    values: Mapping[str, Any]
    dwell_time: float | None = None
    central_frequency: float | None = None
    n_points: int | None = None
    echo_time: float | None = None
    ppm_window: tuple[float | None, float | None] = (None, None)
    water_scaling: bool | None = None
    eddy_correction: bool | None = None
    omitted: tuple[str, ...] = ()
    filraw: str | None = None
    filh2o: str | None = None
    filbas: str | None = None
    source: str | None = None


def _float(path: Any, values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(path, key, found=repr(value), wanted="one number", fix="correct the control file")
    return float(value)


def _text(values: Mapping[str, Any], key: str) -> str | None:
    value = values.get(key)
    return value if isinstance(value, str) and value.strip() else None


def _flag(values: Mapping[str, Any], key: str) -> bool | None:
    value = values.get(key)
    return value if isinstance(value, bool) else None


def read_control(path: str | os.PathLike) -> Control:
    """The options in an LCModel control file (LCModel manual, section 5.3 and 11).

    **Raises:** `FormatError` when there is no $LCMODL group or a number is none.
    """
    place = existing(path)
    text = read_text(place, _LIMIT)
    found = [g for g in namelist.groups(text) if g.name in ("LCMODL", "LCMODEL")]
    if not found:
        raise FormatError(
            path,
            "$LCMODL",
            found="no such group",
            wanted="an LCModel control file",
            fix="check that it is the right file",
        )
    values: dict[str, Any] = {}
    for group in found:
        values |= group.values
    dwell, f0, points = (_float(path, values, k) for k in ("DELTAT", "HZPPPM", "NUNFIL"))
    omitted = [v for k, v in values.items() if k.startswith("CHOMIT")]
    flat = [name for entry in omitted for name in (entry if isinstance(entry, list) else [entry])]
    if points is not None and not (2 <= points <= 1 << 24 and points == int(points)):
        raise FormatError(path, "NUNFIL", found=points, wanted="a number of points", fix="correct the control file")
    echo = _float(path, values, "ECHOT")
    return Control(
        values=values,
        dwell_time=None if dwell is None else checks.dwell_time(path, "DELTAT", dwell),
        central_frequency=None if f0 is None else checks.central_frequency(path, "HZPPPM", f0 * 1e6),
        n_points=None if points is None else int(points),
        echo_time=None if not echo or echo < 0 else checks.echo_time(path, "ECHOT", echo * 1e-3, None),
        ppm_window=(_float(path, values, "PPMEND"), _float(path, values, "PPMST")),
        water_scaling=_flag(values, "DOWS"),
        eddy_correction=_flag(values, "DOECC"),
        omitted=tuple(str(n) for n in flat),
        filraw=_text(values, "FILRAW"),
        filh2o=_text(values, "FILH2O"),
        filbas=_text(values, "FILBAS"),
        source=str(path),
    )


def _last_part(name: str | None) -> str | None:
    return None if name is None else PurePosixPath(name.replace("\\", "/")).name.lower()


def control_beside(path: Path) -> Control | None:
    """The control file in the folder of `path` that names it as FILRAW or FILH2O.

    Only names are compared, no path is followed.
    """
    try:
        names = sorted(
            p
            for p in path.parent.iterdir()
            if "control" in p.name.lower() and p.is_file() and p.stat().st_size <= _LIMIT
        )
    except OSError:
        return None
    for candidate in names:
        try:
            control = read_control(candidate)
        except FormatError:
            continue
        if path.name.lower() in (_last_part(control.filraw), _last_part(control.filh2o)):
            return control
    return None
