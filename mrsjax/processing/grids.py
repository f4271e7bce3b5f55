"""The pipeline of an MRSI grid: the steps of a single voxel mapped over voxels, and those that only a grid has."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import FIDs
from mrsjax.processing import coils, eddy, phasing, spatial, stages, transients
from mrsjax.processing.checks import COIL, DYNAMIC, EDIT, SPACE, check_mask, usable
from mrsjax.processing.hlsvd import BandHLSVD, remove_peaks_all
from mrsjax.processing.lipids import remove_lipids
from mrsjax.processing.low_rank import denoise
from mrsjax.processing.noise import DROPPED, carried
from mrsjax.processing.programs import in_batches, program
from mrsjax.processing.record import Options, Preprocessed, Record


def _voxels(fids: FIDs, *rest: str) -> np.ndarray:
    """(voxels, *rest, n), C order over x, y, z; a dim of `rest` that the data lack is left out."""
    order = [fids.dims.index(d) for d in (*SPACE, *rest) if d in fids.dims]
    data = np.asarray(fids.data).transpose(*order, len(fids.dims))
    return data.reshape(-1, *data.shape[sum(d in fids.dims for d in SPACE) :])


def preprocess_grid(
    fids: FIDs,
    references: dict[str, FIDs],
    lipid: np.ndarray | None,
    opt: Options,
    records: list[Record],
    notes: list[str],
    say: Callable[[str], None],
) -> Preprocessed:
    """Coil combination, averaging, denoising, eddy currents, water and lipid removal, spatial apodisation, referencing of a grid.

    Denoising comes first: it needs white noise. Voxels that hold NaN or zeros pass through. The records show the usable voxel nearest the middle of the grid.

    **Raises:** `ValueError` for edited grids and a lipid mask of another shape or without a voxel inside.
    """
    if EDIT in fids.dims:
        raise ValueError("data: wanted a grid without DIM_EDIT, found edited MRSI; process one condition at a time")
    space = tuple(fids.data.shape[fids.dims.index(d)] if d in fids.dims else 1 for d in SPACE)
    if lipid is not None:
        lipid = check_mask(lipid, space, "--lipid-mask")
    sampling = fids.sampling
    data = _voxels(fids, COIL, DYNAMIC)
    waters = {k: _voxels(v, COIL, DYNAMIC, EDIT) for k, v in references.items()}
    acquisition = fids.acquisition
    if COIL in fids.dims:
        say("combining coils")
        first = data
        data, waters, _ = coils.combined(data, waters, sampling, method=opt.coil_method)
        details = (
            f"{coils.WORDS[opt.coil_method]} in each voxel, whitened, weights from {next(iter(references), 'the data')}"
        )
        _shown(records, "RF coil combination", details, first[:, 0], data, space)
        acquisition = carried(acquisition, None)
    if DYNAMIC in fids.dims:
        say("averaging")
        data, factor = _averaged(data, sampling, opt, records, notes, space)
        acquisition = carried(acquisition, factor)
    waters = {k: stages.reference_means(v.reshape(len(v), -1, sampling.n_points), sampling) for k, v in waters.items()}
    if opt.denoise:
        say("denoising")
        found = program(denoise)(jnp.asarray(data))
        rank, sd = int(found.rank), float(found.noise_sd)
        details = (
            f"low rank, Marchenko-Pastur: rank {rank} of {min(usable(data).sum(), data.shape[1])}, noise SD {sd:.4g}"
        )
        first, data = data, np.asarray(found.fids)
        _shown(records, "Denoising", details, first, data, space)
        if acquisition.noise_sd is None:  # else the file was denoised before, and the noise is that of then
            acquisition = dataclasses.replace(acquisition, noise_sd=sd)
    source = "ecc" if "ecc" in waters else "water" if "water" in waters else None
    if opt.eddy and source is not None:
        klose = program(eddy.klose, sampling, over=jax.vmap)
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
        cleaned, beta = program(remove_lipids, lipid, sampling)(jnp.asarray(data))
        data = np.asarray(cleaned)
        details = f"L2 projection on {int(lipid.sum())} lipid voxels, beta {float(beta):.3g}"
        _shown(records, "Nuisance peak removal", details, first, data, space)
    if opt.hamming:
        first, good = data, usable(data)
        grid = jnp.asarray(np.where(good[:, None], data, 0.0).reshape(*space, -1))
        data = np.where(good[:, None], np.asarray(spatial.hamming(grid)).reshape(data.shape), data)
        _shown(records, "Apodization", "Hamming in k-space", first, data, space)
        acquisition = carried(acquisition, spatial.hamming_noise(space))
    if opt.apodise_hz:
        data, acquisition = stages.apodise(data, sampling, opt.apodise_hz, acquisition, records)
    if opt.reference is not None:
        first, (data, there) = data, _referenced(data, sampling, opt.reference)
        ppm = phasing.PEAKS[opt.reference][0]
        details = f"{opt.reference} to {ppm:g} ppm and phase zero in {int(there.sum())} of {len(data)} voxels, the others as they are"
        _shown(records, "Frequency and phase correction", details, first, data, space)
    if (opt.denoise or fids.acquisition.noise_sd is not None) and acquisition.noise_sd is None:
        notes.append(f"Coil combination, average or apodisation: {DROPPED}.")
    lost = int((~usable(data)).sum())
    if lost:
        notes.append(f"Voxels that are not finite or empty, passed through: {lost} of {len(data)}.")
    water_out = None
    if "water" in waters:
        w = jnp.asarray(waters["water"])
        straight = np.asarray(program(eddy.klose, sampling, over=jax.vmap)(w, w))
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


def _averaged(data, sampling, opt: Options, records: list[Record], notes: list[str], space):
    """Transients (v, t, n) of each voxel aligned, judged and averaged; by what the noise of an average is smaller, where that is one number."""
    run = details = None
    if opt.align:
        run, details = stages.registration(
            jnp.asarray(data[0]), sampling, dataclasses.replace(opt, beside=bool(opt.beside))
        )
    averaged = program(_averages, run, opt.z_limit if opt.reject else None, opt.weighted, over=in_batches)
    straight, mean, keep = map(np.asarray, averaged(jnp.asarray(data)))
    good = usable(data)
    before = np.sum(np.where(good[..., None], data, 0.0), axis=1) / np.maximum(good.sum(axis=1), 1)[:, None]
    total, kept = good.size, int(keep.sum())
    if run is not None:
        _shown(records, "Frequency and phase correction", f"{details}, in each voxel", before, straight, space)
    if not good.all():
        notes.append(
            f"Transients that are not finite or empty, dropped: {int((~good).sum())} of {total} of all voxels."
        )
    if opt.reject:
        words = (
            f"z > {opt.z_limit:g} or dissimilar, in each voxel: {int(good.sum()) - kept} of {total} transients dropped"
        )
        _shown(records, "Outlier removal", words, straight, mean, space)
    words = f"{kept} of {total} transients of all voxels{', weighted' if opt.weighted else ''}"
    _shown(records, "Signal averaging", words, data[:, 0], mean, space)
    counts = set(keep.sum(axis=1)[keep.any(axis=1)])
    return mean, None if opt.weighted or len(counts) != 1 else float(counts.pop()) ** -0.5


def _averages(x, run, z_limit: float | None, weighted: bool):
    """Of the transients of one voxel: their mean after `run`, that of those that are kept (all without `z_limit`), and which these are."""
    turned = x if run is None else run(x)[0]
    good = usable(turned)
    keep = good if z_limit is None else transients.select(turned, z_limit=z_limit).keep
    return transients.average(turned, good), stages.mean_of(turned, keep, weighted), keep


def _referenced(data, sampling, name: str):
    """Each voxel's FID with a peak at its place and phase zero where it is found, and where that is."""
    run = program(phasing.refer_where_found, sampling, name, over=in_batches)
    return tuple(map(np.asarray, run(jnp.asarray(data))))
