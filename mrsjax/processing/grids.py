"""The pipeline of an MRSI grid: the steps of a single voxel mapped over voxels, and those that only a grid has."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import FIDs
from mrsjax.processing import coils, eddy, spatial, transients
from mrsjax.processing.align import align
from mrsjax.processing.checks import COIL, DYNAMIC, EDIT, SPACE, usable
from mrsjax.processing.hlsvd import BandHLSVD, remove_peaks_all
from mrsjax.processing.lipids import remove_lipids
from mrsjax.processing.low_rank import denoise
from mrsjax.processing.record import Options, Preprocessed, Record

#: Voxels whose transients are worked on together.
BATCH = 16


def _voxels(fids: FIDs, *rest: str) -> np.ndarray:
    """(voxels, *rest, n), C order over x, y, z; a dim of `rest` that the data lack is left out."""
    order = [fids.dims.index(d) for d in (*SPACE, *rest) if d in fids.dims]
    data = np.asarray(fids.data).transpose(*order, len(fids.dims))
    return data.reshape(-1, *data.shape[sum(d in fids.dims for d in SPACE) :])


def preprocess_grid(
    fids: FIDs, references: dict[str, FIDs], lipid: np.ndarray | None, opt: Options, say: Callable[[str], None]
) -> Preprocessed:
    """Coil combination, averaging, denoising, eddy currents, water and lipid removal, spatial apodisation of a grid.

    Denoising comes first: it needs white noise. Voxels that hold NaN or zeros pass through. The records show the usable voxel nearest the middle of the grid.

    **Raises:** `ValueError` for edited grids and a lipid mask of another shape or without a voxel inside.
    """
    if EDIT in fids.dims:
        raise ValueError("data: wanted a grid without DIM_EDIT, found edited MRSI; process one condition at a time")
    space = tuple(fids.data.shape[fids.dims.index(d)] if d in fids.dims else 1 for d in SPACE)
    if lipid is not None:
        lipid = np.asarray(lipid, bool)
        if lipid.size != np.prod(space) or not lipid.any():
            raise ValueError(
                f"--lipid-mask: wanted shape {space} with voxels inside, found {lipid.shape}, {lipid.sum()}"
            )
        lipid = lipid.reshape(-1)
    sampling = fids.sampling
    records: list[Record] = []
    notes: list[str] = []
    data = _voxels(fids, COIL, DYNAMIC)
    waters = {k: _voxels(v, COIL, DYNAMIC) for k, v in references.items()}
    if COIL in fids.dims:
        say("combining coils")
        first = data
        data, waters = _combine(data, waters, sampling)
        _shown(records, "RF coil combination", "wSVD in each voxel, whitened", first[:, 0], data, space)
    if DYNAMIC in fids.dims:
        say("averaging")
        first, data = data, _averaged(data, sampling, opt)
        _shown(records, "Signal averaging", "aligned in each voxel", first[:, 0], data, space)
    waters = {k: v if v.ndim == 2 else v.mean(axis=1) for k, v in waters.items()}
    acquisition = fids.acquisition
    if opt.denoise:
        say("denoising")
        found = jax.jit(denoise)(jnp.asarray(data))
        rank, sd = int(found.rank), float(found.noise_sd)
        details = (
            f"low rank, Marchenko-Pastur: rank {rank} of {min(usable(data).sum(), data.shape[1])}, noise SD {sd:.4g}"
        )
        first, data = data, np.asarray(found.fids)
        _shown(records, "Denoising", details, first, data, space)
        acquisition = dataclasses.replace(acquisition, noise_sd=sd)
    source = "ecc" if "ecc" in waters else "water" if "water" in waters else None
    if opt.eddy and source is not None:
        klose = jax.jit(jax.vmap(lambda s, r: eddy.klose(s, r, sampling)))
        first, data = data, np.asarray(klose(jnp.asarray(data), jnp.asarray(waters[source])))
        _shown(records, "Eddy current correction", f"klose in each voxel, --{source}", first, data, space)
    elif opt.eddy:
        notes.append("No reference for eddy currents: not corrected (give --water or --ecc).")
    if opt.remove_water:
        say("removing water")
        band = BandHLSVD(sampling, opt.water_window, components=opt.components)
        first, data = data, remove_peaks_all(data, band)[0]
        where = f"{opt.water_window[0]:g} to {opt.water_window[1]:g} ppm"
        _shown(records, "Nuisance peak removal", f"HLSVD in {where}", first, data, space)
    if lipid is not None:
        say("removing lipid")
        first = data
        cleaned, beta = jax.jit(lambda x: remove_lipids(x, jnp.asarray(lipid), sampling))(jnp.asarray(data))
        data = np.asarray(cleaned)
        details = f"L2 projection on {int(lipid.sum())} lipid voxels, beta {float(beta):.3g}"
        _shown(records, "Nuisance peak removal", details, first, data, space)
    if opt.hamming:
        first, good = data, usable(data)
        grid = jnp.asarray(np.where(good[:, None], data, 0.0).reshape(*space, -1))
        data = np.where(good[:, None], np.asarray(spatial.hamming(grid)).reshape(data.shape), data)
        _shown(records, "Apodization", "Hamming in k-space", first, data, space)
        if acquisition.noise_sd is not None:
            wider = acquisition.noise_sd * spatial.hamming_noise(space)
            acquisition = dataclasses.replace(acquisition, noise_sd=wider)
    lost = int((~usable(data)).sum())
    if lost:
        notes.append(f"Voxels that are not finite or empty, passed through: {lost} of {len(data)}.")
    water_out = None
    if "water" in waters:
        w = jnp.asarray(waters["water"])
        straight = np.asarray(jax.jit(jax.vmap(lambda s: eddy.klose(s, s, sampling)))(w))
        water_out = FIDs(straight.reshape(*space, -1), sampling, SPACE, references["water"].acquisition)
    out = FIDs(data.reshape(*space, -1), sampling, SPACE, acquisition)
    return Preprocessed(out, water_out, tuple(records), tuple(notes))


def _shown(records: list[Record], method: str, details: str, before, after, space) -> None:
    """A record with the usable voxel nearest the middle of the grid."""
    before, after = (x if x.ndim == 2 else x[:, 0] for x in (before, after))
    place = np.stack(np.unravel_index(np.arange(len(after)), space), axis=1)
    distance = np.sum((place - (np.array(space) - 1) / 2) ** 2, axis=1)
    at = int(np.argmin(np.where(usable(after), distance, np.inf)))
    records.append(Record(method, details, before[at], after[at]))


def _combine(data, waters, sampling):
    """wSVD in each voxel with the noise covariance of the whole grid; weights from the first reference, else the data."""
    moved = np.moveaxis(data, 1, 0)
    covariance = jax.jit(lambda d: coils.noise_covariance(d, sampling))(jnp.asarray(moved))
    source = jnp.asarray(next(iter(waters.values()), data))
    w = jax.jit(jax.vmap(lambda d: coils.wsvd(d, covariance)))(source)
    apply = jax.jit(jax.vmap(lambda w, d: w(d)))
    return np.asarray(apply(w, jnp.asarray(data))), {k: np.asarray(apply(w, jnp.asarray(v))) for k, v in waters.items()}


def _averaged(data, sampling, opt: Options):
    """Transients of each voxel aligned and averaged."""

    def one(x):
        turned = align(x, sampling, window=opt.align_window, limit_hz=opt.limit_hz)[0] if opt.align else x
        good = transients.finite(turned)
        keep = transients.select(turned, z_limit=opt.z_limit).keep if opt.reject else good
        return transients.average(turned, keep)

    return np.asarray(jax.jit(lambda d: jax.lax.map(one, d, batch_size=BATCH))(jnp.asarray(data)))
