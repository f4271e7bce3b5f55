"""The self-contained HTML page of a preprocessing: each step before and after, drift, transients, coils, quality."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from mrsjax.analysis.quality import RESONANCES, fwhm, noise_sd, noise_window, snr_spec
from mrsjax.core import Sampling, to_spectrum
from mrsjax.processing import Preprocessed
from mrsjax.processing.record import Record
from mrsjax.report.packing import script_json
from mrsjax.report.page import page
from mrsjax.report.tables import finite

#: Shown part of a spectrum, ppm.
SHOWN = (0.2, 5.2)
#: What sets the vertical scale, ppm.
METABOLITES = (0.5, 4.2)


@dataclasses.dataclass(frozen=True)
class StepQuality:
    """Signal-to-noise ratio (`snr_spec`) and FWHM (Hz) of the tallest of tNAA, tCr after a step."""

    method: str
    details: str
    snr: float
    fwhm_hz: float


def _turn(fid: np.ndarray, sampling: Sampling, peak: str = "tNAA") -> complex:
    """The phase factor that makes the largest point of a resonance real."""

    ppm, (low, high) = np.asarray(sampling.ppm), RESONANCES[peak]
    near = to_spectrum(np.asarray(fid))[(ppm >= low) & (ppm <= high)]
    top = near[np.argmax(np.abs(near))]
    return complex(np.conj(top) / max(abs(top), 1e-300))


def measure(fid: np.ndarray, sampling: Sampling, peak: str = "tNAA") -> tuple[float, float]:
    """`snr_spec` and FWHM (Hz) of a named resonance; the spectrum is turned so that its largest point there is real."""
    import jax.numpy as jnp

    ppm = np.asarray(sampling.ppm)
    low, high = RESONANCES[peak]
    inside = (ppm >= low) & (ppm <= high)
    spectrum = to_spectrum(np.asarray(fid)) * _turn(fid, sampling, peak)
    window = noise_window(sampling)
    quiet = (ppm >= window.low) & (ppm <= window.high)
    sigma = noise_sd(jnp.asarray(spectrum), quiet)
    near = (ppm >= low - 0.4) & (ppm <= high + 0.4)
    spacing = float(sampling.frequency[1] - sampling.frequency[0])
    # The foot of the line: the median of its neighbourhood.
    flat = jnp.asarray(spectrum[near] - np.median(spectrum[near].real))
    width = fwhm(flat, jnp.asarray(spacing), inside[near])
    return float(snr_spec(flat, inside[near], sigma)), float(width)


def qualities(done: Preprocessed) -> list[StepQuality]:
    """SNR and FWHM after each step."""
    sampling = done.fids.sampling
    return [StepQuality(r.method, r.details, *measure(r.after, sampling)) for r in done.records]


def _pictures(record: Record, sampling: Sampling) -> dict[str, Any]:
    """Real parts before and after a step, both in the phase that makes tNAA real after it, and the range of the metabolites: water beside them is cut off."""

    ppm = np.asarray(sampling.ppm)
    shown = (ppm >= SHOWN[0]) & (ppm <= SHOWN[1])
    metabolites = (ppm[shown] >= METABOLITES[0]) & (ppm[shown] <= METABOLITES[1])
    turn = _turn(record.after, sampling)
    pair = [np.real(to_spectrum(np.asarray(x * turn)))[shown] for x in (record.before, record.after)]
    inside = np.concatenate([x[metabolites] for x in pair])
    low, high = float(np.min(inside)), float(np.max(inside))
    margin = 0.08 * (high - low)
    curves = {k: x.astype(np.float32).tolist() for k, x in zip(("before", "after"), pair, strict=True)}
    return curves | {"range": [low - margin, high + margin]}


def _figures(done: Preprocessed) -> dict[str, Any]:
    sampling = done.fids.sampling
    ppm = np.asarray(sampling.ppm)
    shown = ppm[(ppm >= SHOWN[0]) & (ppm <= SHOWN[1])].astype(np.float32).tolist()
    out: dict[str, Any] = {
        "ppm": shown,
        "steps": [_pictures(r, sampling) for r in done.records],
        "drift": None,
        "coils": None if done.weights is None else np.abs(done.weights).tolist(),
    }
    if done.drift is not None:
        out["drift"] = {
            "frequency": np.asarray(done.drift.frequency).tolist(),
            "phase": np.rad2deg(np.asarray(done.drift.phase)).tolist(),
            "dropped": [i for i, r in enumerate(done.reasons or ()) if r],
        }
    return out


def render(done: Preprocessed, run: Mapping[str, Any]) -> str:
    """One HTML page that needs no network. `run`: title, started, versions, options."""
    z, similarity = (None, None) if done.selection is None else (done.selection.z, done.selection.similarity)
    rows = [
        {"index": i, "z": float(z[i]), "similarity": float(similarity[i]), "reason": reason or "kept"}
        for i, reason in enumerate(done.reasons or ())
        if z is not None and similarity is not None
    ]
    return page(
        "preprocessing.html",
        run=run,
        steps=qualities(done),
        transients=rows,
        notes=done.notes,
        payload=script_json(finite(_figures(done))),
    )
