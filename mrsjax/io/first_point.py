"""Was the first point of a FID halved before it was stored?

LCModel's own basis sets, and those of Osprey and spant, hold the Fourier transform of FIDs with half of the first
point, and Philips scanners store data that way. Measured, as the ratio of the stored first point to what the later
points predict: 0.49-0.50 in one basis of each tool, 0.50-0.54 in 27 of 28 SDAT files and 0.60 in the 28th, 0.9-1.1 in
Siemens data. Our FIDs are ordinary ones and the half weight belongs to the transform (core.fourier), so the reader
must find out: halving twice stands every spectrum on a constant offset.
"""

from __future__ import annotations

import numpy as np

#: Header entry that records a repaired first point.
FIRST_POINT_KEY = "mrsjax_first_point"


def first_point_ratio(fids: np.ndarray, points: int = 64) -> np.ndarray:
    """|s(0)| over its backward linear prediction from the points after it, one for each FID `(m, n)`.

    Least-squares prediction truncated at 1e-4 of the largest singular value (Kumaresan & Tufts 1982); `nan` where the
    later points do not predict one another to a fifth of it (noise). 64 points keep the matrices below the size at
    which LAPACK starts threads: with 192 the same call took 15 s instead of 15 ms on a busy machine.
    """
    out = np.full(len(fids), np.nan)
    for i, fid in enumerate(fids):
        later = fid[1 : 1 + points]
        order = later.size // 3
        top = np.abs(later).max(initial=0.0)
        if order < 4 or not np.isfinite(np.abs(fid).max()) or top == 0.0:
            continue
        later = later / top
        past = np.lib.stride_tricks.sliding_window_view(later, order)[1:]
        try:
            u, s, vh = np.linalg.svd(past, full_matrices=False)
        except np.linalg.LinAlgError:
            continue
        keep = min(int((s > 1e-4 * s[0]).sum()), 40)
        weights = (vh[:keep].conj().T / s[:keep]) @ (u[:, :keep].conj().T @ later[: len(past)])
        predicted = abs(later[:order] @ weights)
        misfit = np.sqrt(np.mean(np.abs(past @ weights - later[: len(past)]) ** 2))
        if predicted > 5.0 * misfit:
            out[i] = abs(fid[0]) / (predicted * top)
    return out


def measured_halved(fids: np.ndarray, *, usual: bool = False) -> bool:
    """Whether measured FIDs `(s, n)` have half first points.

    Median ratio of the 8 strongest within 0.42-0.58, or up to 0.75 where the format `usual`-ly stores them so (broad
    lines make the prediction less sure).
    """
    finite = fids[np.all(np.isfinite(fids), axis=-1)]
    strongest = finite[np.argsort(-np.sum(np.abs(finite) ** 2, axis=-1))[:8]]
    ratio = first_point_ratio(strongest)
    ratio = ratio[np.isfinite(ratio)]
    return bool(ratio.size and 0.42 < np.median(ratio) < (0.75 if usual else 0.58))


def stored_halved(fids: np.ndarray) -> bool:
    """Whether the first points of an LCModel basis are halves.

    Yes unless the data say otherwise, it is the format's convention.
    """
    ratio = first_point_ratio(fids[:32])
    ratio = ratio[np.isfinite(ratio)]
    return bool(ratio.size == 0 or np.median(ratio) < 0.75)
