"""From raw coils and transients to one clean FID: which steps a data set needs by its dims, their order, and a record of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex

from mrsjax.core import FIDs, Sampling, cis
from mrsjax.processing import coils, eddy, phasing, transients
from mrsjax.processing.align import Target, align
from mrsjax.processing.alignment import Drift
from mrsjax.processing.hlsvd import BandHLSVD, remove_peaks

COIL, DYNAMIC, EDIT = "DIM_COIL", "DIM_DYN", "DIM_EDIT"


@dataclasses.dataclass(frozen=True)
class Options:
    """Choices of `preprocess`. Windows in ppm; `limit_hz` largest drift looked for; `reference` a name of `phasing.PEAKS` or `None`."""

    align: bool = True
    align_window: tuple[float, float] = (1.8, 4.2)
    target: Target = Target.MEAN
    robust: bool = False
    limit_hz: float = 50.0
    reject: bool = True
    z_limit: float = 4.0
    weighted: bool = False
    eddy: bool = True
    remove_water: bool = True
    water_window: tuple[float, float] = (4.35, 4.95)
    components: int = 12
    reference: str | None = "NAA"


@dataclasses.dataclass(frozen=True)
class Record:
    """One step: its consensus term (Near 2021), what was done, and the signal before and after (one FID each)."""

    method: str
    details: str
    before: Complex[np.ndarray, " n"]
    after: Complex[np.ndarray, " n"]


@dataclasses.dataclass(frozen=True)
class Preprocessed:
    """The clean FID, the water prepared in the same way (`None` without), and what was done.

    `drift`, `kept`, `reasons` have one entry a transient (`None` for a single one); `weights` one a coil.
    """

    fids: FIDs
    water: FIDs | None
    records: tuple[Record, ...]
    notes: tuple[str, ...]
    drift: Drift | None = None
    selection: transients.Selection | None = None
    reasons: tuple[str, ...] | None = None
    weights: Complex[np.ndarray, " c"] | None = None
    water_removed: Complex[np.ndarray, " n"] | None = None


def _front(fids: FIDs, dim: str) -> np.ndarray:
    """The array with `dim` first."""
    return np.moveaxis(np.asarray(fids.data), fids.dims.index(dim), 0)


def check(fids: FIDs, role: str) -> None:
    """Raises `ValueError` for dims that this pipeline does not know, or data without one usable number."""
    unknown = [d for d in fids.dims if d not in (COIL, DYNAMIC, EDIT)]
    if unknown:
        raise ValueError(
            f"{role}: wanted a single voxel with dims among DIM_COIL, DIM_DYN, DIM_EDIT, found {', '.join(unknown)}; correct the tags (dim_5 ...) in the header extension"
        )
    usable = np.all(np.isfinite(fids.data), axis=-1) & np.any(np.asarray(fids.data) != 0, axis=-1)
    if not usable.any():
        raise ValueError(f"{role}: wanted data, found only zeros or NaN in all {usable.size} signals")


def same_length(data: FIDs, other: FIDs, role: str) -> FIDs:
    """`other` fit for the data: equal dwell time and coils, or a `ValueError`."""
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
        raise ValueError(f"{role}: wanted combined coils like the data, found DIM_COIL; give the combined reference")
    return other


def _drop_dim(fids: FIDs, dim: str, data) -> FIDs:
    return FIDs(np.asarray(data), fids.sampling, tuple(d for d in fids.dims if d != dim), fids.acquisition)


def _one(data: np.ndarray) -> np.ndarray:
    """The first usable FID of an array, for a picture."""
    flat = np.asarray(data).reshape(-1, data.shape[-1])
    good = np.all(np.isfinite(flat), axis=-1) & np.any(flat != 0, axis=-1)
    return flat[np.argmax(good)]


def _mean_of(data: np.ndarray) -> np.ndarray:
    """The mean of the usable FIDs."""
    flat = np.asarray(data).reshape(-1, data.shape[-1])
    good = np.all(np.isfinite(flat), axis=-1)
    return flat[good].mean(axis=0)


def preprocess(
    fids: FIDs,
    *,
    water: FIDs | None = None,
    ecc: FIDs | None = None,
    options: Options | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Preprocessed:
    """Coil combination, alignment, rejection, averaging, eddy-current correction, water removal and referencing of a single-voxel data set.

    **Arguments:** `water` unsuppressed reference (coil weights, eddy currents, later scaling); `ecc` a reference for eddy currents alone.

    **Raises:** `ValueError` for dims it does not know, references that do not fit, or data without signal.
    """
    opt = Options() if options is None else options
    check(fids, "data")
    if EDIT in fids.dims:
        raise ValueError(
            "data: wanted one spectrum, found DIM_EDIT; sub-spectra of edited data are not combined yet, split the file first"
        )
    for role, ref in (("--water", water), ("--ecc", ecc)):
        if ref is not None:
            check(ref, role)
            same_length(fids, ref, role)
    records: list[Record] = []
    notes: list[str] = []
    weights = None
    if COIL in fids.dims:
        say("combining coils")
        fids, water, ecc, weights = _combine(fids, water, ecc, records, notes)
    sampling = fids.sampling
    drift = selection = reasons = None
    if DYNAMIC in fids.dims:
        say("aligning transients")
        fids, drift, selection, reasons = _average(fids, opt, records, notes)
    one = np.asarray(fids.data)
    if not np.all(np.isfinite(one)):
        raise ValueError("data: the only transient holds NaN; nothing is left")
    water_fid = None if water is None else _reference(water)
    ecc_fid = water_fid if ecc is None else _reference(ecc)
    if opt.eddy and ecc_fid is not None:
        new = np.asarray(eddy.klose(jnp.asarray(one), jnp.asarray(ecc_fid), sampling))
        records.append(
            Record("Eddy current correction", f"klose, {'--ecc' if ecc is not None else '--water'}", one, new)
        )
        one = new
    elif opt.eddy:
        notes.append("No reference for eddy currents: not corrected (give --water or --ecc).")
    removed = None
    if opt.remove_water:
        band = BandHLSVD(sampling, opt.water_window, components=opt.components)
        cleaned, gone, found = jax.jit(remove_peaks)(jnp.asarray(one), band)
        lines = int(np.sum(np.asarray(found.used)))
        where = f"{opt.water_window[0]:g} to {opt.water_window[1]:g} ppm"
        records.append(Record("Nuisance peak removal", f"HLSVD in {where}, {lines} lines", one, np.asarray(cleaned)))
        one, removed = np.asarray(cleaned), np.asarray(gone)
    if opt.reference is not None:
        one = _referenced(one, sampling, opt.reference, records, notes)
    water_out = None
    if water is not None:
        assert water_fid is not None
        straight = eddy.klose(jnp.asarray(water_fid), jnp.asarray(water_fid), sampling)
        water_out = FIDs(np.asarray(straight), sampling, (), water.acquisition)
    out = FIDs(one, sampling, (), fids.acquisition)
    return Preprocessed(out, water_out, tuple(records), tuple(notes), drift, selection, reasons, weights, removed)


def _combine(fids, water, ecc, records, notes):
    data = _front(fids, COIL)
    others = {"water": water, "ecc": ecc}
    fronts = {k: _front(v, COIL) for k, v in others.items() if v is not None}
    covariance = jax.jit(lambda d: coils.noise_covariance(d, fids.sampling))(jnp.asarray(data))
    source = "water" if "water" in fronts else "ecc" if "ecc" in fronts else None
    w = jax.jit(coils.wsvd)(jnp.asarray(data if source is None else fronts[source]), covariance)
    dead = ~np.asarray(w.live & coils.live_coils(jnp.asarray(data)))
    if dead.all():
        raise ValueError("data: no coil has signal in both the data and the reference")
    if dead.any():
        notes.append(f"Coils without signal, left out: {', '.join(str(i) for i in np.flatnonzero(dead))}.")
        w = coils.CoilWeights(jnp.where(dead, 0.0, w.weights), jnp.asarray(~dead), w.share)
    combined = {k: _drop_dim(others[k], COIL, w(jnp.asarray(v))) for k, v in fronts.items()}
    new = _drop_dim(fids, COIL, w(jnp.asarray(data)))
    strongest = int(np.argmax(np.abs(np.asarray(w.weights))))
    details = f"wSVD, whitened, weights from {source or 'the data'}, {int((~dead).sum())} of {len(dead)} coils"
    records.append(Record("RF coil combination", details, _one(data[strongest]), _one(np.asarray(new.data))))
    return new, combined.get("water", water), combined.get("ecc", ecc), np.asarray(w.weights)


def _average(fids, opt: Options, records, notes):
    data = jnp.asarray(_front(fids, DYNAMIC))
    sampling = fids.sampling
    good = np.asarray(transients.finite(data))
    count = data.shape[0]
    if not good.all():
        notes.append(f"Transients that are not finite or empty, dropped: {', '.join(map(str, np.flatnonzero(~good)))}.")
    drift = None
    before = _mean_of(np.asarray(data)[good])
    if opt.align and good.sum() > 1:
        run = jax.jit(
            lambda x: align(
                x, sampling, target=opt.target, window=opt.align_window, robust=opt.robust, limit_hz=opt.limit_hz
            )
        )
        data, drift = run(data)
        after = _mean_of(np.asarray(data)[good])
        low, high = opt.align_window
        kind = "robust spectral registration" if opt.robust else "spectral registration"
        details = f"{kind} to the {opt.target.value}, {low:g} to {high:g} ppm, limit {opt.limit_hz:g} Hz"
        records.append(Record("Frequency and phase correction", details, before, after))
        before = after
    elif good.sum() == 1:
        notes.append("One usable transient: nothing to align or to reject.")
    selection = transients.select(data, z_limit=opt.z_limit)
    keep = np.asarray(selection.keep) if opt.reject else good
    reasons = tuple(
        ""
        if keep[i]
        else "not finite or empty"
        if selection.bad_data[i]
        else "unlike the others"
        if selection.unlike[i]
        else "outlier"
        for i in range(count)
    )
    if opt.reject and good.sum() > 2:
        after = _mean_of(np.asarray(data)[keep])
        details = f"z > {opt.z_limit:g} or dissimilar: {count - int(keep.sum())} of {count} transients dropped"
        records.append(Record("Outlier removal", details, before, after))
        before = after
    weights = transients.similarity_weights(data, jnp.asarray(keep)) if opt.weighted else None
    mean = np.asarray(transients.average(data, jnp.asarray(keep), weights))
    records.append(
        Record(
            "Signal averaging",
            f"{int(keep.sum())} of {count} transients{', weighted' if opt.weighted else ''}",
            _one(np.asarray(data)),
            mean,
        )
    )
    return _drop_dim(fids, DYNAMIC, mean), drift, selection, reasons


def _reference(fids: FIDs) -> np.ndarray:
    """The aligned mean of a reference's transients."""
    data = np.asarray(fids.data).reshape(-1, fids.sampling.n_points)
    data = data[np.all(np.isfinite(data), axis=-1)]
    if len(data) == 1:
        return data[0]
    turned, _ = jax.jit(lambda d: align(d, fids.sampling, target=Target.FIRST))(jnp.asarray(data))
    return np.asarray(turned).mean(axis=0)


def _referenced(one, sampling: Sampling, name: str, records, notes):
    ppm, window = phasing.PEAKS[name]
    found = jax.jit(lambda s: phasing.fit_peak(s, sampling, window))(jnp.asarray(one))
    at = float(sampling.to_ppm(found.frequency))
    if not window[0] <= at <= window[1] or not float(found.amplitude) > 0:
        notes.append(
            f"{name} was not found in {window[0]:g} to {window[1]:g} ppm: frequency and phase were left as they are."
        )
        return one
    new = phasing.shift_to(jnp.asarray(one), sampling, found.frequency, ppm) * cis(-found.phase)
    details = f"{name} from {at:.3f} to {ppm:g} ppm, phase {np.rad2deg(float(found.phase)):+.1f} degrees removed"
    records.append(Record("Frequency and phase correction", details, one, np.asarray(new)))
    return np.asarray(new)
