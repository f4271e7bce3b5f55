"""Single steps on whole data sets: each takes FIDs of any dims and returns FIDs and what was done in words (`mrsjax process`).

A step along a dim (coils, transients, conditions) is mapped over all others; the rest act on each FID.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import FIDs
from mrsjax.processing import coils, eddy, edited, filters, lipids, low_rank, phasing, spatial, transients
from mrsjax.processing.align import Target, align, align_to_peak
from mrsjax.processing.checks import COIL, DYNAMIC, EDIT, SPACE, check, check_mask, check_reference, squeezed, usable
from mrsjax.processing.hlsvd import BandHLSVD, remove_peaks_all
from mrsjax.processing.noise import DROPPED, carried
from mrsjax.processing.programs import in_turn, program
from mrsjax.processing.stages import mean_of, reference_means

Done = tuple[FIDs, str]


def _each(fids: FIDs, step: Callable, *more: np.ndarray, **options) -> FIDs:
    """`step` on each FID, with the rows of `more`, the sampling and options."""
    done = program(step, fids.sampling, over=jax.vmap, **options)(jnp.asarray(fids.spectra), *more)
    return FIDs(np.asarray(done).reshape(fids.data.shape), fids.sampling, fids.dims, fids.acquisition)


def _along(fids: FIDs, dim: str) -> tuple[np.ndarray, tuple[str, ...], tuple[int, ...]]:
    """(others, dim, n) and the names and sizes of the others.

    **Raises:** `ValueError` when the data lack the dim.
    """
    if dim not in fids.dims:
        raise ValueError(f"data: wanted {dim}, found {', '.join(fids.dims) or 'a single FID'}")
    data = np.moveaxis(np.asarray(fids.data), fids.dims.index(dim), -2)
    rest = tuple(d for d in fids.dims if d != dim)
    return data.reshape(-1, *data.shape[-2:]), rest, data.shape[:-2]


def _joined(fids: FIDs, data, rest: tuple[str, ...], sizes: tuple[int, ...], factor: float | None) -> FIDs:
    """FIDs that have lost a dim, with noise `factor` times as large (`noise.carried`)."""
    return FIDs(np.asarray(data).reshape(*sizes, -1), fids.sampling, rest, carried(fids.acquisition, factor))


def _coloured(fids: FIDs) -> FIDs:
    """FIDs whose noise is no longer white, without the number for it."""
    return FIDs(fids.data, fids.sampling, fids.dims, carried(fids.acquisition, None))


def _restored(fids: FIDs, dim: str, data, sizes) -> FIDs:
    data = np.asarray(data)
    whole = np.moveaxis(data.reshape(*sizes, *data.shape[-2:]), -2, fids.dims.index(dim))
    return FIDs(whole, fids.sampling, fids.dims, fids.acquisition)


def coil_combine(fids: FIDs, *, reference: FIDs | None) -> Done:
    """Whitened SVD in each voxel; weights from the reference where given."""
    if reference is not None:
        reference = squeezed(reference)
        check_reference(fids, reference, "--reference")
    _along(fids, COIL)

    def voxels(x: FIDs):  # (v, c, *rest, n)
        order = (*(d for d in SPACE if d in x.dims), COIL, *(d for d in x.dims if d not in (*SPACE, COIL)))
        data = np.asarray(x.data).transpose(*(x.dims.index(d) for d in order), len(x.dims))
        return data.reshape(-1, *data.shape[order.index(COIL) :]), tuple(d for d in order if d != COIL)

    data, rest = voxels(fids)
    given = {} if reference is None else {"reference": voxels(reference)[0]}
    new, _, w = coils.combined(data, given, fids.sampling)
    live = np.asarray(w.live)
    if not live.any():
        raise ValueError("data: no coil has signal in both the data and the reference")
    sizes = tuple(fids.data.shape[fids.dims.index(d)] for d in rest)
    norms = np.linalg.norm(np.asarray(w.weights), axis=1)[live.any(axis=1)]
    source = "the data" if reference is None else "the reference"
    words = f"wSVD, whitened, weights from {source}, {int(live.any(axis=0).sum())} of {live.shape[1]} coils"
    return _joined(fids, new, rest, sizes, float(norms[0]) if len(norms) == 1 else None), words


def align_transients(fids: FIDs, *, window_ppm: tuple[float, float], target: str, robust: bool) -> Done:
    """Spectral registration, or the fit of a peak."""
    data, _, sizes = _along(fids, DYNAMIC)
    if target in phasing.PEAKS:
        run, words = program(align_to_peak, fids.sampling, target, over=in_turn), f"fit of {target}"
    else:
        goal, words = (
            Target(target),
            f"spectral registration to the {target}, {window_ppm[0]:g} to {window_ppm[1]:g} ppm",
        )
        run = program(align, fids.sampling, over=in_turn, target=goal, window=window_ppm, robust=robust)
    done, _ = run(jnp.asarray(data))
    return _restored(fids, DYNAMIC, done, sizes), words + (", robust" if robust else "")


def remove_outliers(fids: FIDs, *, z_limit: float) -> Done:
    """Transients that are unlike the others become NaN, which `average` leaves out."""
    data, _, sizes = _along(fids, DYNAMIC)
    keep = np.asarray(program(transients.select, over=jax.vmap, z_limit=z_limit)(jnp.asarray(data)).keep)
    lost = int((~keep).sum())
    done = np.where(keep[..., None], data, np.nan)
    return _restored(fids, DYNAMIC, done, sizes), f"z > {z_limit:g} or dissimilar: {lost} of {keep.size} set to NaN"


def average(fids: FIDs, *, weighted: bool) -> Done:
    """Mean of the usable transients."""
    data, rest, sizes = _along(fids, DYNAMIC)
    done = program(_mean, weighted, over=jax.vmap)(jnp.asarray(data))
    good = usable(data)
    counts = set(good.sum(axis=1)[good.any(axis=1)])
    factor = float(counts.pop()) ** -0.5 if len(counts) == 1 and not weighted else None
    words = f"{int(good.sum())} of {good.size} transients{', weighted' if weighted else ''}"
    return _joined(fids, done, rest, sizes, factor), words


def _mean(x, weighted: bool):
    return mean_of(x, usable(x), weighted)


def ecc(fids: FIDs, *, reference: FIDs | None) -> Done:
    """Klose's correction; without a reference the phase of the data's own water, as HLSVD finds it."""
    if reference is None:
        own = remove_peaks_all(np.asarray(fids.spectra), BandHLSVD(fids.sampling))[1]
        return _each(fids, eddy.klose, own), "klose, its own water by HLSVD"
    reference = squeezed(reference)
    check_reference(fids, reference, "--reference")
    n = fids.sampling.n_points
    if DYNAMIC in reference.dims:
        stack = reference_means(_along(reference, DYNAMIC)[0], fids.sampling)
    else:
        stack = np.asarray(reference.data).reshape(-1, n)
    if len(stack) not in (1, len(fids.spectra)):
        raise ValueError(f"--reference: wanted 1 or {len(fids.spectra)} FIDs, found {len(stack)}")
    stack = np.broadcast_to(stack, fids.spectra.shape)
    return _each(fids, eddy.klose, stack), "klose, with a reference"


def remove_water(fids: FIDs, *, window_ppm: tuple[float, float], components: int) -> Done:
    """HLSVD."""
    band = BandHLSVD(fids.sampling, window_ppm, components=components)
    done = remove_peaks_all(np.asarray(fids.spectra), band)[0].reshape(fids.data.shape)
    words = f"HLSVD in {window_ppm[0]:g} to {window_ppm[1]:g} ppm, up to {components} lines"
    return FIDs(done, fids.sampling, fids.dims, fids.acquisition), words


def phase(fids: FIDs, *, zero_deg: float, delay_ms: float) -> Done:
    """Zero- and first-order phase."""
    done = _each(fids, phasing.phase, zero=float(np.deg2rad(zero_deg)), delay=1e-3 * delay_ms)
    return done, f"{zero_deg:g} degrees, {delay_ms:g} ms about {float(fids.sampling.ppm_ref):g} ppm"


def reference(fids: FIDs, *, peak: str) -> Done:
    """A peak to its chemical shift and phase zero in each FID that has it."""
    done, there = program(phasing.refer_where_found, fids.sampling, peak, over=jax.vmap)(jnp.asarray(fids.spectra))
    out = FIDs(np.asarray(done).reshape(fids.data.shape), fids.sampling, fids.dims, fids.acquisition)
    count = f"in {int(there.sum())} of {len(there)} FIDs, not found in the others"
    return out, f"{peak} to {phasing.PEAKS[peak][0]:g} ppm, phase zero, {count}"


def apodise(fids: FIDs, *, lorentz_hz: float, gauss_hz: float) -> Done:
    """Lines broadened."""
    done = _each(fids, filters.apodise, lorentz_hz=lorentz_hz, gauss_hz=gauss_hz)
    return _coloured(done), f"Lorentz {lorentz_hz:g} Hz, Gauss {gauss_hz:g} Hz"


def zero_fill(fids: FIDs, *, points: int) -> Done:
    """Zeros behind the FIDs."""
    return _coloured(filters.zero_fill(fids, points)), f"from {fids.sampling.n_points} to {points} points"


def truncate(fids: FIDs, *, first: int, last: int) -> Done:
    """Points cut off."""
    return filters.truncate(fids, first=first, last=last), f"{first} leading and {last} trailing points"


def interpolate(fids: FIDs, *, factor: int) -> Done:
    """A finer time grid."""
    return _coloured(filters.interpolate(fids, factor)), f"time grid {factor} times finer"


def align_edit(fids: FIDs, *, window_ppm: tuple[float, float]) -> Done:
    """Conditions onto the first."""
    data, _, sizes = _along(fids, EDIT)
    run = program(edited.align_subspectra, fids.sampling, over=in_turn, window=window_ppm)
    done, _ = run(jnp.asarray(data))
    return _restored(fids, EDIT, done, sizes), f"least difference in {window_ppm[0]:g} to {window_ppm[1]:g} ppm"


def _pair(fids: FIDs, dim: str):
    data, rest, sizes = _along(fids, dim)
    if data.shape[1] != 2:
        raise ValueError(f"data: wanted 2 entries in {dim}, found {data.shape[1]}")
    return data, rest, sizes


def subtract(fids: FIDs, *, dim: str) -> Done:
    """Second minus first."""
    data, rest, sizes = _pair(fids, dim)
    return _joined(fids, data[:, 1] - data[:, 0], rest, sizes, 2.0**0.5), f"second minus first of {dim}"


def add(fids: FIDs, *, dim: str) -> Done:
    """Sum of two."""
    data, rest, sizes = _pair(fids, dim)
    return _joined(fids, data[:, 0] + data[:, 1], rest, sizes, 2.0**0.5), f"sum of {dim}"


def denoise(fids: FIDs) -> Done:
    """Low rank over all FIDs; the noise before it (the first time) goes with the file."""
    found = program(low_rank.denoise)(jnp.asarray(fids.spectra))
    sd, about = float(found.noise_sd), fids.acquisition
    if about.noise_sd is None:
        about = dataclasses.replace(about, noise_sd=sd)
    out = FIDs(np.asarray(found.fids).reshape(fids.data.shape), fids.sampling, fids.dims, about)
    return out, f"low rank, Marchenko-Pastur: rank {int(found.rank)}, noise SD {sd:.4g}"


def hamming(fids: FIDs) -> Done:
    """k-space filter of a grid."""
    if fids.dims[:3] != SPACE:
        raise ValueError(f"data: wanted a grid (x, y, z), found {', '.join(fids.dims) or 'a single FID'}")
    good = usable(np.asarray(fids.data))[..., None]
    done = np.asarray(spatial.hamming(jnp.asarray(np.where(good, fids.data, 0.0))))
    about = carried(fids.acquisition, spatial.hamming_noise(fids.data.shape[:3]))
    return FIDs(np.where(good, done, fids.data), fids.sampling, fids.dims, about), "Hamming in k-space"


def remove_lipid(fids: FIDs, *, mask: np.ndarray) -> Done:
    """L2 projection of a grid."""
    if fids.dims != SPACE:
        raise ValueError(f"data: wanted a grid (x, y, z), found {', '.join(fids.dims) or 'a single FID'}")
    inside = check_mask(mask, fids.data.shape[:3], "--mask")
    done, beta = program(lipids.remove_lipids, inside, fids.sampling)(jnp.asarray(fids.spectra))
    out = FIDs(np.asarray(done).reshape(fids.data.shape), fids.sampling, fids.dims, fids.acquisition)
    return out, f"L2 projection on {int(inside.sum())} lipid voxels, beta {float(beta):.3g}"


def run(name: str, fids: FIDs, **options) -> Done:
    """The step of a name of `mrsjax process` (align is `align_transients` here)."""
    fids = squeezed(fids)
    check(fids, "data")
    step = globals()[{"align": "align_transients"}.get(name, name.replace("-", "_"))]
    done, details = step(fids, **options)
    lost = fids.acquisition.noise_sd is not None and done.acquisition.noise_sd is None
    return done, f"{details}; {DROPPED}" if lost else details
