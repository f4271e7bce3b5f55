"""Steps of the pipeline of a single voxel: each turns arrays into arrays and writes a record."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import FIDs, Sampling, cis
from mrsjax.processing import beside, coils, phasing, transients
from mrsjax.processing.align import Target, align, align_to_peak
from mrsjax.processing.checks import COIL, usable
from mrsjax.processing.record import Options, Record

#: Share (`beside.changing`) of nuisance that changes between transients above which they are registered beside it: noise alone gives 0.02 at 1.5 dB.
CHANGING = 0.1


def front(fids: FIDs, dim: str) -> np.ndarray:
    """The array with `dim` first."""
    return np.moveaxis(np.asarray(fids.data), fids.dims.index(dim), 0)


def without(fids: FIDs, dim: str, data) -> FIDs:
    """FIDs of `data` that have lost a dim."""
    return FIDs(np.asarray(data), fids.sampling, tuple(d for d in fids.dims if d != dim), fids.acquisition)


def one_of(data: np.ndarray) -> np.ndarray:
    """The first usable FID of an array, for a picture."""
    flat = np.asarray(data).reshape(-1, data.shape[-1])
    return flat[np.argmax(usable(flat))]


def combine(fids: FIDs, references: dict[str, FIDs], records: list[Record], notes: list[str]):
    """Coils combined by wSVD, the references alike; weights from the water, else the other reference, else the data. Returns (fids, references, weights)."""
    data = front(fids, COIL)
    fronts = {k: front(v, COIL) for k, v in references.items()}
    covariance = jax.jit(lambda d: coils.noise_covariance(d, fids.sampling))(jnp.asarray(data))
    source = next(iter(fronts), None)
    w = jax.jit(coils.wsvd)(jnp.asarray(data if source is None else fronts[source]), covariance)
    dead = ~np.asarray(w.live & coils.live_coils(jnp.asarray(data)))
    if dead.all():
        raise ValueError("data: no coil has signal in both the data and the reference")
    if dead.any():
        notes.append(f"Coils without signal, left out: {', '.join(str(i) for i in np.flatnonzero(dead))}.")
        w = coils.CoilWeights(jnp.where(dead, 0.0, w.weights), jnp.asarray(~dead), w.share)
    combined = {k: without(references[k], COIL, w(jnp.asarray(v))) for k, v in fronts.items()}
    new = without(fids, COIL, w(jnp.asarray(data)))
    strongest = int(np.argmax(np.abs(np.asarray(w.weights))))
    details = f"wSVD, whitened, weights from {source or 'the data'}, {int((~dead).sum())} of {len(dead)} coils"
    records.append(Record("RF coil combination", details, one_of(data[strongest]), one_of(np.asarray(new.data))))
    return new, combined, np.asarray(w.weights)


def registration(data: jnp.ndarray, sampling: Sampling, opt: Options) -> tuple[Callable, str]:
    """The alignment that the options ask for, as a function of the transients, and what it is in words."""
    limit = f"limit {opt.limit_hz:g} Hz"
    if opt.target in phasing.PEAKS:
        return lambda x: align_to_peak(x, sampling, opt.target, limit_hz=opt.limit_hz), f"fit of {opt.target}, {limit}"
    target, low, high = Target(opt.target), *opt.align_window
    share = None
    if opt.beside is None and not opt.robust:
        share = float(jax.jit(lambda x: beside.changing(x, sampling, opt.align_window, transients.finite(x)))(data))
    if opt.beside or (share is not None and share > CHANGING):
        lines = beside.subspace(sampling)
        run = lambda x: align(x, sampling, target=target, nuisance=lines, limit_hz=opt.limit_hz)  # noqa: E731
        why = "" if share is None else f" (changing by {100 * share:.0f} % of the metabolites)"
        return run, f"spectral registration to the {opt.target} beside changing water and lipid{why}, {limit}"
    run = lambda x: align(  # noqa: E731
        x, sampling, target=target, window=opt.align_window, robust=opt.robust, limit_hz=opt.limit_hz
    )
    kind = "robust spectral registration" if opt.robust else "spectral registration"
    return run, f"{kind} to the {opt.target}, {low:g} to {high:g} ppm, {limit}"


def average(data: np.ndarray, sampling: Sampling, opt: Options, records: list[Record], notes: list[str], name: str):
    """Transients (t, n) aligned, judged, averaged. Returns (mean, drift or None, selection, reasons)."""
    good = usable(data)
    if not good.any():
        raise ValueError(f"data: no usable transient{name}; nothing is left")
    count = len(data)
    if not good.all():
        lost = ", ".join(map(str, np.flatnonzero(~good)))
        notes.append(f"Transients that are not finite or empty, dropped{name}: {lost}.")
    drift, moved = None, jnp.asarray(data)
    before = data[good].mean(axis=0)
    if opt.align and good.sum() > 1:
        run, details = registration(moved, sampling, opt)
        moved, drift = jax.jit(run)(moved)
        after = np.asarray(moved)[good].mean(axis=0)
        records.append(Record("Frequency and phase correction", details + name, before, after))
        before = after
    elif good.sum() == 1:
        notes.append(f"One usable transient{name}: nothing to align or to reject.")
    selection = transients.select(moved, z_limit=opt.z_limit)
    keep = np.asarray(selection.keep) if opt.reject else good
    why = [
        "" if k else "not finite or empty" if bad else "unlike the others" if unlike else "outlier"
        for k, bad, unlike in zip(keep, selection.bad_data, selection.unlike, strict=True)
    ]
    if opt.reject and good.sum() > 2:
        after = np.asarray(moved)[keep].mean(axis=0)
        details = f"z > {opt.z_limit:g} or dissimilar: {count - int(keep.sum())} of {count} transients dropped{name}"
        records.append(Record("Outlier removal", details, before, after))
    weights = transients.similarity_weights(moved, jnp.asarray(keep)) if opt.weighted else None
    mean = np.asarray(transients.average(moved, jnp.asarray(keep), weights))
    details = f"{int(keep.sum())} of {count} transients{', weighted' if opt.weighted else ''}{name}"
    records.append(Record("Signal averaging", details, one_of(np.asarray(moved)), mean))
    return mean, drift, selection, tuple(why)


def reference_mean(fids: FIDs) -> np.ndarray:
    """The aligned mean of a reference's transients."""
    data = np.asarray(fids.data).reshape(-1, fids.sampling.n_points)
    data = data[usable(data)]
    if len(data) == 1:
        return data[0]
    turned, _ = jax.jit(lambda d: align(d, fids.sampling, target=Target.FIRST))(jnp.asarray(data))
    return np.asarray(turned).mean(axis=0)


def referenced(spectra: np.ndarray, sampling: Sampling, name: str, records: list[Record], notes: list[str]):
    """FIDs (e, n) moved and phased together so that a peak of the first lies at its place with phase zero."""
    ppm, window = phasing.PEAKS[name]
    found = jax.jit(lambda s: phasing.fit_peak(s, sampling, window))(jnp.asarray(spectra[0]))
    at = float(sampling.to_ppm(found.frequency))
    if not window[0] <= at <= window[1] or not float(found.amplitude) > 0:
        notes.append(
            f"{name} was not found in {window[0]:g} to {window[1]:g} ppm: frequency and phase were left as they are."
        )
        return spectra
    move = lambda s: phasing.shift_to(s, sampling, found.frequency, ppm) * cis(-found.phase)  # noqa: E731
    new = np.asarray(jax.vmap(move)(jnp.asarray(spectra)))
    details = f"{name} from {at:.3f} to {ppm:g} ppm, phase {np.rad2deg(float(found.phase)):+.1f} degrees removed"
    records.append(Record("Frequency and phase correction", details, spectra[0], new[0]))
    return new
