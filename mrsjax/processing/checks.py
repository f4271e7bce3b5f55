"""Whether data and their references can be processed together: each mistake is one sentence."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from mrsjax.core import FIDs

SPACE = ("x", "y", "z")
COIL, DYNAMIC, EDIT = "DIM_COIL", "DIM_DYN", "DIM_EDIT"


def usable(data):
    """Which signals (the last axis) are finite and not all zero: an array of NumPy for one of NumPy, else of JAX."""
    xp = np if isinstance(data, np.ndarray) else jnp
    return xp.all(xp.isfinite(data), axis=-1) & xp.any(data != 0, axis=-1)


def squeezed(fids: FIDs) -> FIDs:
    """FIDs without the dims of one entry that no step knows (an untagged dim of a converter)."""
    known = (*SPACE, COIL, DYNAMIC, EDIT)
    keep = [i for i, d in enumerate(fids.dims) if d in known or fids.data.shape[i] > 1]
    if len(keep) == len(fids.dims):
        return fids
    shape = [fids.data.shape[i] for i in keep]
    data = np.asarray(fids.data).reshape(*shape, -1)
    return FIDs(data, fids.sampling, tuple(fids.dims[i] for i in keep), fids.acquisition)


def check(fids: FIDs, role: str) -> None:
    """Raises `ValueError` for dims that are not known here, or data without one usable number."""
    if "spectrum" in fids.dims:
        count = fids.data.shape[fids.dims.index("spectrum")]
        raise ValueError(
            f"{role}: wanted dims that say what they are, found a stack of {count} spectra whose format does not tell transients from coils or voxels;"
            " convert to NIfTI-MRS and tag it (dim_5: DIM_DYN ...)"
        )
    unknown = [d for d in fids.dims if d not in (*SPACE, COIL, DYNAMIC, EDIT)]
    if unknown:
        raise ValueError(
            f"{role}: wanted dims among x, y, z, {COIL}, {DYNAMIC}, {EDIT}, found {', '.join(unknown)}; correct the tags (dim_5 ...) in the header extension"
        )
    good = usable(np.asarray(fids.data))
    if not good.any():
        raise ValueError(f"{role}: wanted data, found only zeros or NaN in all {good.size} signals")


def check_mask(mask: np.ndarray, space: tuple[int, ...], role: str) -> np.ndarray:
    """A mask of a grid as booleans (voxels,), C order; axes of one voxel at the end may be left out.

    **Raises:** `ValueError` for another shape, or no voxel inside.
    """
    mask = np.asarray(mask, bool)
    if mask.shape + (1,) * (len(space) - mask.ndim) != space or not mask.any():
        raise ValueError(f"{role}: wanted shape {space} with voxels inside, found {mask.shape}, {mask.sum()} inside")
    return mask.reshape(-1)


def check_reference(data: FIDs, other: FIDs, role: str) -> None:
    """Raises `ValueError` unless a reference has the data's nucleus, field, dwell time, length, coils and voxels."""
    check(other, role)
    if other.sampling.nucleus != data.sampling.nucleus:
        raise ValueError(f"{role}: wanted {data.sampling.nucleus} like the data, found {other.sampling.nucleus}")
    f, g = (1e-6 * float(x.sampling.central_frequency) for x in (data, other))
    if abs(f - g) > 1e-3 * f:
        raise ValueError(f"{role}: wanted the frequency of the data, {f:.4f} MHz, found {g:.4f} MHz")
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
