"""Steps of the pipeline of a single voxel: each turns arrays into arrays and writes a record."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mrsjax.core import FIDs, Sampling
from mrsjax.core.data import Acquisition
from mrsjax.processing import beside, coils, filters, phasing, transients
from mrsjax.processing.align import Target, align, align_to_peak
from mrsjax.processing.alignment import band
from mrsjax.processing.checks import COIL, usable
from mrsjax.processing.noise import carried, noise_power
from mrsjax.processing.programs import in_batches, program, with_same
from mrsjax.processing.record import Options, Record

#: Share (`beside.changing`) of nuisance that changes between transients above which they are registered beside it: noise alone gives 0.02 at 1.5 dB.
CHANGING = 0.1
#: Root energy of the water over that of the metabolites above which transients are registered on the water, where it does not change: it is seen far better.
LOUD = 5.0


def front(fids: FIDs, dim: str) -> np.ndarray:
    """The array with `dim` first."""
    return np.moveaxis(np.asarray(fids.data), fids.dims.index(dim), 0)


def one_of(data: np.ndarray) -> np.ndarray:
    """The first usable FID of an array, for a picture."""
    flat = np.asarray(data).reshape(-1, data.shape[-1])
    return flat[np.argmax(usable(flat))]


def truncate(fids: FIDs, references: dict[str, FIDs], first: int, records: list[Record]):
    """Leading points off the data and the references: (fids, references)."""
    cut = filters.truncate(fids, first=first)
    data = np.asarray(fids.data)
    pair = one_of(data[..., : cut.sampling.n_points]), one_of(np.asarray(cut.data))
    records.append(Record("Truncation", f"{first} leading points", *pair))
    return cut, {k: filters.truncate(v, first=first) for k, v in references.items()}


def combine(fids: FIDs, references: dict[str, FIDs], opt: Options, records: list[Record], notes: list[str]):
    """Coils combined, the references alike (`coils.combined`). Returns (fids, references, weights)."""
    data = front(fids, COIL)
    fronts = {k: front(v, COIL)[None] for k, v in references.items()}
    new, waters, weights = coils.combined(data[None], fronts, fids.sampling, method=opt.coil_method)
    w, dead = np.asarray(weights.weights)[0], ~np.asarray(weights.live)[0]
    if dead.all():
        raise ValueError("data: no coil has signal in both the data and the reference")
    if dead.any():
        notes.append(f"Coils without signal, left out: {', '.join(str(i) for i in np.flatnonzero(dead))}.")
    for role, water in waters.items():
        if not usable(water).any():
            raise ValueError(f"--{role}: wanted a signal that is finite in every coil, found none")
    left = lambda x: tuple(d for d in x.dims if d != COIL)  # noqa: E731
    details = (
        f"{coils.WORDS[opt.coil_method]}, whitened, weights from {next(iter(references), 'the data')}, "
        f"{int((~dead).sum())} of {len(dead)} coils"
    )
    records.append(Record("RF coil combination", details, one_of(data[int(np.argmax(np.abs(w)))]), one_of(new[0])))
    about = carried(fids.acquisition, float(np.linalg.norm(w)))
    combined = {k: FIDs(v[0], fids.sampling, left(references[k]), references[k].acquisition) for k, v in waters.items()}
    return FIDs(new[0], fids.sampling, left(fids), about), combined, w


def registration(data: jnp.ndarray, sampling: Sampling, opt: Options) -> tuple[Partial, str]:
    """The alignment that the options ask for, as a function of the transients that `program` knows again, and what it is in words."""
    limit = f"limit {opt.limit_hz:g} Hz"
    if opt.target in phasing.PEAKS:
        run = Partial(align_to_peak, sampling=sampling, peak=opt.target, limit_hz=opt.limit_hz)
        return run, f"fit of {opt.target}, {limit}"
    target, window = Target(opt.target), opt.align_window
    share, why = None, ""
    if opt.beside is None and not opt.robust:
        share, loud = map(float, program(_nuisance, sampling, window)(data))
        if share <= CHANGING and window == Options.align_window and loud > LOUD:
            window, why = beside.WINDOWS[0], f" (steady water, {loud:.0f} times the metabolites)"
    if opt.beside or (share is not None and share > CHANGING):
        lines = beside.subspace(sampling)
        run = Partial(align, sampling=sampling, target=target, nuisance=lines, limit_hz=opt.limit_hz)
        why = "" if share is None else f" (changing by {100 * share:.0f} % of the metabolites)"
        return run, f"spectral registration to the {opt.target} beside changing water and lipid{why}, {limit}"
    run = Partial(align, sampling=sampling, target=target, window=window, robust=opt.robust, limit_hz=opt.limit_hz)
    kind = "robust spectral registration" if opt.robust else "spectral registration"
    return run, f"{kind} to the {opt.target}, {window[0]:g} to {window[1]:g} ppm{why}, {limit}"


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
        moved, drift = program(run)(moved)
        after = np.asarray(moved)[good].mean(axis=0)
        records.append(Record("Frequency and phase correction", details + name, before, after))
        before = after
    elif good.sum() == 1:
        notes.append(f"One usable transient{name}: nothing to align or to reject.")
    selection = program(transients.select, z_limit=opt.z_limit)(moved)
    keep = np.asarray(selection.keep) if opt.reject else good
    why = [
        "" if k else "not finite or empty" if bad else "unlike the others" if unlike else "outlier"
        for k, bad, unlike in zip(keep, selection.bad_data, selection.unlike, strict=True)
    ]
    if opt.reject and good.sum() > 2:
        after = np.asarray(moved)[keep].mean(axis=0)
        details = f"z > {opt.z_limit:g} or dissimilar: {count - int(keep.sum())} of {count} transients dropped{name}"
        records.append(Record("Outlier removal", details, before, after))
    mean = np.asarray(program(mean_of, opt.weighted)(moved, jnp.asarray(keep)))
    details = f"{int(keep.sum())} of {count} transients{', weighted' if opt.weighted else ''}{name}"
    records.append(Record("Signal averaging", details, one_of(np.asarray(moved)), mean))
    return mean, drift, selection, tuple(why)


def mean_of(fids, keep, weighted: bool):
    """`transients.average` with or without weights by similarity."""
    return transients.average(fids, keep, transients.similarity_weights(fids, keep) if weighted else None)


def _nuisance(fids, sampling: Sampling, window: tuple[float, float]):
    """How much of it changes, and how loud the water is (`beside`)."""
    good = usable(fids)
    return beside.changing(fids, sampling, window, good), beside.water(fids, sampling, window, good)


def reference_means(data: np.ndarray, sampling: Sampling) -> np.ndarray:
    """The aligned means (v, n) of the usable transients of references (v, t, n); zeros where there is none, which `eddy.klose` takes for no reference."""
    if data.shape[1] == 1:
        return np.where(usable(data), data[:, 0], 0.0)
    return np.asarray(program(_aligned_mean, sampling, over=in_batches)(jnp.asarray(data)))


def _aligned_mean(fids, sampling: Sampling):
    return transients.average(align(fids, sampling, target=Target.FIRST)[0], usable(fids))


def referenced(spectra: np.ndarray, sampling: Sampling, name: str, of: int, records: list[Record], notes: list[str]):
    """FIDs (e, n) moved and phased together so that a peak of the one with index `of` lies at its place with phase zero."""
    ppm, window = phasing.PEAKS[name]
    found, there = program(phasing.find_peak, sampling, name)(jnp.asarray(spectra[of]))
    off = 0.0 if name == "water" else off_centre(spectra[of], sampling)
    if off or not there:
        notes.append(
            f"{name} was not found in {window[0]:g} to {window[1]:g} ppm: frequency and phase were left as they are."
        )
    if off:
        ref = float(sampling.ppm_ref) - off
        notes.append(
            f"NAA, creatine and choline seem to lie {off:+.2f} ppm from their places, further than the windows reach: give --ppm-ref {ref:.2f} if that is so."
        )
    if off or not there:
        return spectra
    at = float(sampling.to_ppm(found.frequency))
    new = np.asarray(program(_referred, sampling, name, over=with_same)(jnp.asarray(spectra), found))
    details = f"{name} from {at:.3f} to {ppm:g} ppm, phase {np.rad2deg(float(found.phase)):+.1f} degrees removed"
    records.append(Record("Frequency and phase correction", details, spectra[0], new[0]))
    return new


def _referred(fid, peak: phasing.Peak, sampling: Sampling, name: str):
    return phasing.refer(fid, sampling, peak, name)


def apodise(spectra: np.ndarray, sampling: Sampling, hz: float, about: Acquisition, records: list[Record]):
    """FIDs (v, n) with lines broader by `hz`, and the acquisition without the noise that is white no more."""
    new = np.asarray(program(filters.apodise, sampling, lorentz_hz=hz)(jnp.asarray(spectra)))
    records.append(Record("Apodization", f"Lorentz {hz:g} Hz", one_of(spectra), one_of(new)))
    return new, carried(about, None)


def off_centre(fid: np.ndarray, sampling: Sampling) -> float:
    """Shift (ppm) of the spectrum where that is further than the windows of `phasing.PEAKS` reach; 0 where it is not, or cannot be told.

    The shift at which a pattern of NAA, creatine and choline correlates best with the spectrum, if that is above the noise and a quarter better than any near 0.
    """
    t, reach = np.asarray(sampling.time), 0.5
    lines = sum(
        h * np.exp((2j * np.pi * float(sampling.to_hz(phasing.PEAKS[k][0])) - np.pi * 8.0) * t)
        for k, h in (("NAA", 3.0), ("Cr", 2.0), ("Cho", 2.0))
    )
    seen = np.asarray(program(band, sampling, (2.0 - reach, 3.2 + reach))(jnp.asarray(fid)))
    height = np.abs(np.fft.fft(seen * np.conj(lines), 4 * t.size))
    ppm = 1e6 * np.fft.fftfreq(4 * t.size) / float(sampling.dwell_time) / float(sampling.central_frequency)
    height = np.where(np.abs(ppm) <= reach, height, 0.0)
    best = float(ppm[np.argmax(height)])
    noise = float(program(noise_power)(jnp.asarray(fid))) * np.sum(np.abs(lines) ** 2)
    clear = height.max() > max(phasing.DETECTED * noise**0.5, 1.25 * height[np.abs(ppm) <= 0.1].max())
    return best if abs(best) > 0.14 and clear else 0.0
