"""An LCModel control file as settings of a fit.

Only the names in it count: each file is looked for beside the control file, and no path in it is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

#: LCModel's own analysis window, ppm, where the file gives none (LCModel manual, section 9.2).
WINDOW = (0.2, 4.0)

#: Keys that say where to write, how to print, or what this program reads from the file.
_SPENT = (
    "KEY", "TITLE", "OWNER", "PGNORM", "IPAGE2", "SAVDIR", "SRCRAW", "SRCH2O", "NUNFIL", "DELTAT", "HZPPPM", "ECHOT", "PPMST",
    "PPMEND", "DOWS", "CHOMIT", "NOMIT", "NDCOLS", "NDROWS", "NDSLIC", "ICOLST", "ICOLEN", "IROWST", "IROWEN", "ISLICE",
)  # fmt: skip
_PRINTED = ("FIL", "LPS", "LTABLE", "LCSV", "LCOORD", "LPRINT", "LCORAW", "NEACH")


def with_control(given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` settings, completed from the control file that they name: data, basis, water, window, omitted entries.

    **Raises:** `FormatError` for a file that is no control file, `ValueError` for a data or basis file that is not beside it.
    """
    from mrsjax.io import read_control

    place = Path(given["control"])
    control = read_control(place)
    out = dict(given)
    for name, key, file in (("data", "FILRAW", control.filraw), ("basis", "FILBAS", control.filbas)):
        if out.get(name) is None:
            out[name] = _beside(place, key, file, "DATA" if name == "data" else "--basis")
    if out.get("water") is None and control.water_scaling:
        out["water"] = _beside(place, "FILH2O", control.filh2o, "--water")
    low, high = control.ppm_window
    window = [WINDOW[0] if low is None else low, WINDOW[1] if high is None else high]
    out["model"] = {"window_ppm": window} | dict(out.get("model") or {})
    if out.get("omit") is None and control.omitted:
        out["omit"] = control.omitted
    return out


def unused(path: str) -> str:
    """The options of a control file that have no counterpart here, for a note; empty for none."""
    from mrsjax.io import read_control

    values = read_control(path).values
    keys = [k for k in values if k.split("(")[0] not in _SPENT and not k.startswith(_PRINTED)]
    keys = [k for k in keys if not (k == "DOECC" and values[k] is False)]
    return ", ".join(sorted(keys))


def _beside(place: Path, key: str, name: str | None, option: str) -> str:
    """The file beside the control file whose name (whatever the case) ends the path in it."""
    if name is None:
        raise ValueError(f"{place}: {key}: found nothing, wanted a file name; give {option}")
    last = PurePosixPath(name.replace("\\", "/")).name
    for candidate in sorted(place.parent.iterdir()):
        if candidate.name.lower() == last.lower():
            return str(candidate)
    raise ValueError(
        f"{place}: {key}: found no {last!r} beside the control file (paths in it are not followed); give {option}"
    )
