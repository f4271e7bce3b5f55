"""The three numbers a report opens with, each judged in words: SNR, line width, fit quality."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from mrsjax.analysis import Analysis
from mrsjax.analysis.quality import Band, linewidth_band
from mrsjax.core import Status


@dataclasses.dataclass(frozen=True)
class Judgement:
    """A number with its band and its definition, ready to print. `counts`: spectra in each band."""

    title: str
    value: str
    band: Band
    definition: str
    bands: str
    counts: dict[str, int]


def snr_band(snr: float) -> Band:
    """At least 20 good, 10 to 20 fair, lower poor: the bands of this report (CRLB are reliable from about 20)."""
    return Band.GOOD if snr >= 20 else Band.FAIR if snr >= 10 else Band.POOR


def fqn_band(fqn: float) -> Band:
    """0.7 to 2 good, up to 5 fair, otherwise poor: the bands of this report around the ideal of 1."""
    return Band.GOOD if 0.7 <= fqn <= 2 else Band.FAIR if 0.4 <= fqn <= 5 else Band.POOR


def judge(analysis: Analysis) -> list[Judgement]:
    """The three judgements; for several spectra the median is judged and the bands are counted."""
    q = analysis.quality
    window = f"{q.window.low:.3g} to {q.window.high:.3g} ppm"
    fallback = f" ({q.window.reason})" if q.window.fallback else ", detrended with a parabola"
    snr, width, fqn = np.asarray(q.snr_spec), np.asarray(q.fwhm_ppm), np.asarray(q.fqn)
    return [
        Judgement(
            f"Signal to noise ({q.peak})",
            _middle_text(snr, "{:.0f}"),
            _overall(snr, snr_band),
            f"snr_spec: height of the {q.peak} singlet above the fitted baseline over one standard deviation of the"
            f" noise; real part, phased, not apodised; noise from {window}{fallback}.",
            "good from 20, fair from 10",
            _count(snr, snr_band),
        ),
        Judgement(
            f"Line width ({q.peak})",
            f"{_middle_text(width, '{:.3f} ppm')} / {_middle_text(np.asarray(q.fwhm_hz), '{:.1f} Hz')}",
            _overall(width, linewidth_band),
            f"Full width at half maximum of the fitted {q.peak} singlet.",
            "good below 0.1 ppm, fair to 0.15 ppm",
            _count(width, linewidth_band),
        ),
        Judgement(
            "Fit quality (FQN)",
            _middle_text(fqn, "{:.2f}"),
            _overall(fqn, fqn_band),
            "FQN: variance of the residual in the fit window over the variance of the noise; 1 is ideal, larger means"
            " structure is left.",
            "good 0.7 to 2, fair to 5",
            _count(fqn, fqn_band),
        ),
    ]


def summary(analysis: Analysis, judgements: Sequence[Judgement]) -> str:
    """One sentence on the whole file; fits that did not converge weigh more than any number of theirs."""
    status = analysis.status
    failed = [s for s in status if s is not Status.CONVERGED]
    named = ", ".join(f"{failed.count(s)} {_WORDS[s]}" for s in dict.fromkeys(failed))
    if len(failed) == len(status):
        # a network whose fit steps were few or none: its estimates stand
        stands = analysis.method and set(failed) == {Status.MAX_ITERATIONS}
        advice = f"the numbers are those of {analysis.method}" if stands else "do not use the numbers"
        if len(status) == 1:
            return f"The fit did not converge (it {_WORDS[status[0]]}): {advice}."
        return f"No fit converged ({named}): {advice}."
    worst = max((j.band for j in judgements), key=[Band.GOOD, Band.FAIR, Band.POOR].index)
    limits = ", ".join(j.title.split(" (")[0].lower() for j in judgements if j.band is worst)
    head = "Good in all three criteria." if worst is Band.GOOD else f"{worst.value.capitalize()}: limited by {limits}."
    if len(status) == 1:
        return f"{head} The fit converged."
    if not failed:
        return f"{head} All {len(status)} fits converged."
    return f"{head} {len(status) - len(failed)} of {len(status)} fits converged; {named}."


_WORDS = {
    Status.CONVERGED: "converged",
    Status.MAX_ITERATIONS: "stopped at the largest number of iterations",
    Status.INVALID_DATA: "had NaN, zero or flat data",
    Status.NO_PROGRESS: "found no better point",
    Status.NO_SIGNAL: "had no signal above the noise",
    Status.AT_BOUND: "lay at or beyond the bound of the frequency shift",
}


def _middle(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")


def _overall(values: np.ndarray, band) -> Band:
    """The band of the median; poor where the number exists for fewer than half of the spectra."""
    return band(_middle(values)) if 2 * np.isfinite(values).sum() >= values.size else Band.POOR


def _middle_text(values: np.ndarray, form: str) -> str:
    middle = _middle(values)
    return form.format(middle) if np.isfinite(middle) else "not measurable"


def _count(values: np.ndarray, band) -> dict[str, int]:
    found = [band(float(v)).value for v in values]
    return {b.value: found.count(b.value) for b in Band}
