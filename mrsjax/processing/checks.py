"""Whether data and their references can be processed together: each mistake is one sentence."""

from __future__ import annotations

import numpy as np

from mrsjax.core import FIDs

SPACE = ("x", "y", "z")
COIL, DYNAMIC, EDIT = "DIM_COIL", "DIM_DYN", "DIM_EDIT"


def usable(data: np.ndarray) -> np.ndarray:
    """Which signals are finite and not all zero."""
    return np.all(np.isfinite(data), axis=-1) & np.any(np.asarray(data) != 0, axis=-1)


def check(fids: FIDs, role: str) -> None:
    """Raises `ValueError` for dims that are not known here, or data without one usable number."""
    unknown = [d for d in fids.dims if d not in (*SPACE, COIL, DYNAMIC, EDIT)]
    if unknown:
        raise ValueError(
            f"{role}: wanted dims among x, y, z, {COIL}, {DYNAMIC}, {EDIT}, found {', '.join(unknown)}; correct the tags (dim_5 ...) in the header extension"
        )
    good = usable(np.asarray(fids.data))
    if not good.any():
        raise ValueError(f"{role}: wanted data, found only zeros or NaN in all {good.size} signals")


def check_reference(data: FIDs, other: FIDs, role: str) -> None:
    """Raises `ValueError` unless a reference has the data's dwell time, length, coils and voxels."""
    check(other, role)
    a, b = float(data.sampling.dwell_time), float(other.sampling.dwell_time)
    if abs(a - b) > 1e-4 * a:
        raise ValueError(f"{role}: wanted the dwell time of the data, {a:.6g} s, found {b:.6g} s")
    n, m = data.sampling.n_points, other.sampling.n_points
    if n != m:
        raise ValueError(f"{role}: wanted {n} points like the data, found {m}; cut both to one length")
    if COIL in other.dims and COIL in data.dims:
        mine, theirs = (x.data.shape[x.dims.index(COIL)] for x in (data, other))
        if mine != theirs:
            raise ValueError(f"{role}: wanted the {mine} coils of the data, found {theirs}")
    if COIL in data.dims and COIL not in other.dims:
        raise ValueError(f"{role}: wanted uncombined coils like the data, found combined ones; give the raw reference")
    if COIL in other.dims and COIL not in data.dims:
        raise ValueError(f"{role}: wanted combined coils like the data, found {COIL}; give the combined reference")
    voxels = [tuple(x.data.shape[x.dims.index(d)] for d in SPACE if d in x.dims) for x in (data, other)]
    if voxels[0] != voxels[1]:
        raise ValueError(f"{role}: wanted voxels {voxels[0] or 1} like the data, found {voxels[1] or 1}")
