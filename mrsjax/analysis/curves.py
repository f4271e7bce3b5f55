"""The curves of the fits of a file for its report, and their quality: walked through in blocks, so that memory does not grow with the curves of all spectra."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Complex, Float, Int

from mrsjax.analysis.quality import Quality, judged, measured
from mrsjax.core import FitResult, Sampling, to_spectrum
from mrsjax.core.metabolites import SUMS, canonical
from mrsjax.physics.model import SignalModel

#: Spectra whose curves are in memory together (about 0.3 MB each).
BLOCK = 256

#: Fits of one file whose curves are kept: a report holds 20 kB of each.
KEPT = 2000


@dataclasses.dataclass(frozen=True)
class CurveStack:
    """Real parts of the curves of fits on the fit window of `k` points, phased; `components` `(r, m, k)` as in `names`.

    `rows`: which of the analysed spectra these are: all of them, or of more than `KEPT` so many, evenly spaced.
    """

    ppm: Float[np.ndarray, " k"]
    data: Float[np.ndarray, "r k"]
    fit: Float[np.ndarray, "r k"]
    baseline: Float[np.ndarray, "r k"]
    residual: Float[np.ndarray, "r k"]
    components: Float[np.ndarray, "r m k"]
    names: tuple[str, ...]
    rows: Int[np.ndarray, " r"]


def kept_rows(count: int) -> Int[np.ndarray, " r"]:
    """Which of `count` spectra have their curves kept."""
    return np.arange(count) if count <= KEPT else np.unique(np.linspace(0, count - 1, KEPT).astype(int))


def blocks(
    model: SignalModel, result: FitResult, spectra: Complex[np.ndarray, "s n"]
) -> Iterator[tuple[Int[np.ndarray, " b"], Any, int]]:
    """Row numbers and `inference.Curves` of every block, and how many of its rows are new: the last block of many repeats its last row, so that all have one shape."""
    from mrsjax.inference import evaluate_all

    total = len(spectra)
    size = min(BLOCK, total)
    result = jax.tree.map(np.asarray, result)
    for first in range(0, total, size):
        index = np.minimum(np.arange(first, first + size), total - 1)
        part = jax.tree.map(lambda x, index=index: x[index], result)
        yield index, evaluate_all(model, part, spectra[index]), min(size, total - first)


def curves_and_quality(
    model: SignalModel, result: FitResult, spectra: Complex[np.ndarray, "s n"], sampling: Sampling, peak: str
) -> tuple[CurveStack, Quality]:
    """The curves that are kept, and the quality of all spectra."""
    parts = [i for i, n in enumerate(result.names) if n == peak or canonical(n) in SUMS.get(peak, ())]
    # A shift of the reference frequency moves the peak out of its window.
    shift = 1e6 * np.asarray(result.parameters.get("metabolites.shift", 0.0)) / float(sampling.central_frequency)
    shift = np.broadcast_to(shift, (len(spectra),))
    rows, numbers, stacks, ppm = kept_rows(len(spectra)), [], [], np.zeros(0)
    for index, curves, new in blocks(model, result, spectra):
        component = curves.components[:, parts].sum(axis=1) if parts else np.full(curves.fit.shape, np.nan, complex)
        seen = {k: getattr(curves, k) for k in ("ppm", "fit", "baseline", "residual")} | {"component": component}
        found = measured(to_spectrum(spectra[index]), sampling, seen, peak, shift_ppm=shift[index])
        numbers.append({k: v[:new] for k, v in found.items()})
        ppm = curves.ppm
        here = np.flatnonzero(np.isin(index[:new], rows))
        kept = (curves.data, curves.fit, curves.baseline, curves.residual, curves.components)
        stacks.append([np.real(x[here]).astype(np.float32) for x in kept])
    data, fit, baseline, residual, components = map(np.concatenate, zip(*stacks, strict=True))
    stack = CurveStack(ppm, data, fit, baseline, residual, components, result.names, rows)
    return stack, judged(numbers, sampling, ppm, peak)
