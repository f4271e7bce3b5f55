"""What a file says of its scan, in words: header entries under the names that the formats give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mrsjax.core import FIDs

UNKNOWN = "not stated in the file"

#: Edge lengths of the voxel in mm: Philips SPAR, Siemens rda.
_EDGES = (("lr_size", "ap_size", "cc_size"), ("VOIReadoutFOV", "VOIPhaseFOV", "VOIThickness"))


def header_of(fids: FIDs) -> dict[str, Any]:
    """The header, and below it that of the file which was converted, by lower-case keys."""
    own = fids.acquisition.header
    source = own.get("SourceHeader")
    before = source.get("Value") if isinstance(source, Mapping) else None
    merged = {**(before if isinstance(before, Mapping) else {}), **own}
    return {str(k).lower(): v for k, v in merged.items()}


def stated(header: Mapping[str, Any], *keys: str, all_of_them: bool = False) -> str:
    """The first of `keys` with a value (or all, comma between), or that the file does not say."""
    found = [header.get(key.lower()) for key in keys]
    words = [("yes" if v else "no") if isinstance(v, bool) else str(v)[:200] for v in found if v not in (None, "", [])]
    return ", ".join(dict.fromkeys(words if all_of_them else words[:1])) or UNKNOWN


def volume_of_interest(fids: FIDs, header: Mapping[str, Any]) -> str:
    """Edge lengths: of the excited volume (NIfTI-MRS VOI), else from the geometry of the file or the scanner's header."""
    voi, voxel = _edges(header.get("voi")), _edges(fids.acquisition.affine)
    if "x" in fids.dims and voxel is not None:
        return f"voxels of {voxel}" + (f" in a volume of {voi}" if voi else "")
    if voi or voxel:
        return voi or str(voxel)
    for keys in _EDGES:
        lengths = [header.get(k.lower()) for k in keys]
        if all(isinstance(v, int | float) and v > 0 for v in lengths):
            return _times(lengths)
    return stated(header, "BodyPartExamined")


def _edges(matrix: Any) -> str | None:
    """Lengths of the columns of a 4 x 4 matrix from voxel indices to mm."""
    try:
        sides = np.linalg.norm(np.asarray(matrix, dtype=float)[:3, :3], axis=0)
    except (TypeError, ValueError, IndexError):
        return None
    return _times(sides) if sides.shape == (3,) and np.all(np.isfinite(sides)) else None


def _times(lengths: Any) -> str:
    return " x ".join(f"{v:.3g}" for v in lengths) + " mm"
