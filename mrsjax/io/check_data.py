"""Checks of measured data: what they are, what is missing, what looks wrong. Pure functions of `FIDs`."""

from __future__ import annotations

import numpy as np

from mrsjax.core import FIDs
from mrsjax.core.constants import GYROMAGNETIC_RATIO
from mrsjax.io.check_spectrum import averaged, check_spectrum
from mrsjax.io.findings import Finding, Level
from mrsjax.io.first_point import FIRST_POINT_KEY

_WORDS = {
    "spectrum": "spectra",
    "DIM_COIL": "coils",
    "DIM_DYN": "transients",
    "DIM_PHASE_CYCLE": "phase cycles",
    "DIM_EDIT": "editing conditions",
    "DIM_MEAS": "measurements",
    "DIM_ISIS": "ISIS steps",
    "DIM_METCYCLE": "metabolite-cycling states",
}
_LISTED = 8


def dims_in_words(fids: FIDs) -> str:
    """E.g. "4 coils x 16 transients, 4096 points each"."""
    space = [n for d, n in zip(fids.dims, fids.data.shape, strict=False) if d in ("x", "y", "z")]
    parts = [f"a grid of {' x '.join(map(str, space))} voxels"] if space else []
    for name, size in zip(fids.dims, fids.data.shape, strict=False):
        if name not in ("x", "y", "z"):
            parts.append(f"{size} {_WORDS.get(name, name.removeprefix('DIM_').lower().replace('_', ' '))}")
    return f"{' x '.join(parts) or 'one spectrum'}, {fids.sampling.n_points} points each"


def _sampling(fids: FIDs) -> list[Finding]:
    s = fids.sampling
    width, f0 = 1.0 / float(s.dwell_time), float(s.central_frequency)
    field = f0 / abs(GYROMAGNETIC_RATIO[s.nucleus])
    half = 0.5e6 * width / f0
    text = (
        f"dwell time {1e3 * float(s.dwell_time):.4g} ms = {width:.0f} Hz wide, "
        f"{1e-6 * f0:.3f} MHz ({s.nucleus} at {field:.2f} T), "
        f"{float(s.ppm_ref) - half:.1f} to {float(s.ppm_ref) + half:.1f} ppm"
    )
    out = [Finding(Level.OK, "sampling", text)]
    if s.nucleus != "1H":
        out.append(Finding(Level.ERROR, "nucleus", f"the data are {s.nucleus}", "only 1H spectra can be fitted"))
    elif float(s.ppm_ref) - half > 0.5:
        out.append(
            Finding(
                Level.WARNING, "sampling", "the spectral width does not reach down to 0.5 ppm", "check the dwell time"
            )
        )
    if s.nucleus == "1H" and not 0.9 < field < 12:
        out.append(
            Finding(Level.WARNING, "field", f"{field:.2f} T is no field of a human scanner", "check central_frequency")
        )
    if s.n_points * float(s.dwell_time) < 0.1:
        seconds = s.n_points * float(s.dwell_time)
        out.append(
            Finding(
                Level.WARNING, "sampling", f"the FIDs last only {1e3 * seconds:.0f} ms", "check dwell time and points"
            )
        )
    return out


def _timing(fids: FIDs) -> list[Finding]:
    a = fids.acquisition
    out = []
    for name, value, option in (("TE", a.echo_time, "--te-ms"), ("TR", a.repetition_time, "--tr-s")):
        if value is None:
            out.append(
                Finding(Level.NOTE, name, f"the file does not state {name}; water scaling needs it", f"give {option}")
            )
    known = [f"TE {1e3 * a.echo_time:.4g} ms"] if a.echo_time is not None else []
    known += [f"TR {a.repetition_time:.4g} s"] if a.repetition_time is not None else []
    known += [f"sequence {a.sequence}"] if a.sequence else []
    return out + ([Finding(Level.OK, "timing", ", ".join(known))] if known else [])


def _numbers(indices: np.ndarray) -> str:
    shown = ", ".join(map(str, indices[:_LISTED]))
    return shown + (f" and {len(indices) - _LISTED} more" if len(indices) > _LISTED else "")


def _values(fids: FIDs) -> list[Finding]:
    data = np.asarray(fids.spectra)
    broken = np.flatnonzero(~np.all(np.isfinite(data), axis=-1))
    empty = np.flatnonzero(np.all(data == 0, axis=-1))
    leave = "`mrsjax process remove-outliers` leaves them out" if "DIM_DYN" in fids.dims else "leave them out"
    out = []
    for indices, what in ((broken, "hold NaN or infinite values"), (empty, "are all zero")):
        if len(indices):
            level = Level.ERROR if len(indices) == len(data) else Level.WARNING
            out.append(
                Finding(
                    level,
                    "values",
                    f"{len(indices)} of {len(data)} spectra {what} (number {_numbers(indices)})",
                    leave,
                )
            )
    good = np.setdiff1d(np.arange(len(data)), np.concatenate([broken, empty]))
    power = np.mean(np.abs(data[good]) ** 2, axis=-1)
    if len(good) >= 8 and "DIM_COIL" not in fids.dims and not {"x", "y", "z"} & set(fids.dims):
        odd = good[(power > 9 * np.median(power)) | (power < np.median(power) / 9)]
        if len(odd):
            which = _numbers(odd)
            text = f"{len(odd)} of {len(data)} spectra are 3 times larger or smaller than the others (number {which})"
            out.append(Finding(Level.WARNING, "values", text, "look at them: motion, or a lost receiver"))
    flat = good[np.ptp(np.abs(data[good]), axis=-1) == 0]
    if len(flat):
        out.append(
            Finding(
                Level.ERROR,
                "values",
                f"{len(flat)} of {len(data)} spectra are constant (number {_numbers(flat)})",
                leave,
            )
        )
    return out or [Finding(Level.OK, "values", "no zero, NaN or constant spectra")]


def _restarts(envelope: np.ndarray) -> Finding | None:
    """Several FIDs behind one another: each begins far above where the one before has ended."""
    best, count = 5.0, 0
    for k in (2, 3, 4, 5, 6, 8, 10, 12, 16):
        parts = envelope[: envelope.size // k * k].reshape(k, -1)
        few = max(2, parts.shape[1] // 16)
        contrast = parts[:, :few].mean(1).min() / max(parts[:, -few:].mean(1).max(), 1e-300)
        if contrast > best:
            best, count = contrast, k
    if not count:
        return None
    text = f"the signal starts again {count - 1} times: these look like {count} FIDs of {envelope.size // count} points"
    return Finding(Level.WARNING, "points", text, f"give n_points={envelope.size // count}")


def _shape(fids: FIDs, data: np.ndarray) -> list[Finding]:
    """Where the FID starts and whether it has ended."""
    envelope = np.sqrt(np.mean(np.abs(data) ** 2, axis=0))
    n, out = envelope.size, []
    if FIRST_POINT_KEY in fids.acquisition.header:
        out.append(
            Finding(Level.NOTE, "first point", "the file holds half of each first point; it is doubled on reading")
        )
    if n >= 128:
        text = _restarts(envelope)
        if text and fids.dims == ():
            return [*out, text]
    start = int(np.argmax(envelope))
    if start > max(8, n // 50):
        out.append(
            Finding(
                Level.WARNING,
                "start",
                f"the signal is largest at point {start}, not at the start",
                f"an echo or a digital filter's delay: `mrsjax process truncate --first {start}` cuts the points before it",
            )
        )
    smooth = np.convolve(envelope**2, np.ones(16) / 16, mode="valid") ** 0.5
    if smooth[-1] > 0.1 * smooth[0]:
        out.append(
            Finding(
                Level.NOTE,
                "end",
                f"the FID ends at {100 * smooth[-1] / smooth[0]:.0f} % of its start: truncation ripples or much noise",
            )
        )
    return out


def check_fids(fids: FIDs) -> list[Finding]:
    """All checks of measured data, in reading order."""
    out = [Finding(Level.OK, "dims", dims_in_words(fids)), *_sampling(fids), *_timing(fids), *_values(fids)]
    data = np.asarray(fids.spectra)
    data = data[np.all(np.isfinite(data), axis=-1) & np.any(data != 0, axis=-1)]
    if data.size and fids.sampling.nucleus == "1H":
        with np.errstate(over="ignore", invalid="ignore"):
            out += [*_shape(fids, data), *check_spectrum(averaged(fids))]
    if "DIM_COIL" in fids.dims:
        out.append(Finding(Level.WARNING, "dims", "the coils are not combined", "combine the coils first"))
    if "DIM_DYN" in fids.dims and fids.data.shape[fids.dims.index("DIM_DYN")] > 1:
        out.append(
            Finding(
                Level.NOTE, "dims", "the transients are not averaged: each is fitted alone", "align and average first"
            )
        )
    if "DIM_EDIT" in fids.dims:
        out.append(Finding(Level.NOTE, "dims", "an edited measurement: each condition needs its own basis", ""))
    return out
