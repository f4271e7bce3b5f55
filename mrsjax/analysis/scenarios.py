"""Every method on the same hard spectra: bias, spread, coverage and failures, scenario by scenario.

A method is anything from FIDs to a `FitResult`: the fit, a network with or without fit steps. Errors are of the sums tNAA, tCr, tCho, Glx and of Ins, in percent of
the mean of the truth where nothing is changed (the first trial), so that small amounts do not blow them up. What the spectra or the methods have nothing of is not scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import ndtri

from mrsjax.core import FitResult, Status
from mrsjax.core.metabolites import SUMS, canonical

QUANTITIES: Mapping[str, tuple[str, ...]] = {**SUMS, "Ins": ("Ins",)}
#: Nominal share of the intervals whose coverage is reported.
INTERVAL = 0.9
#: Error of a quantity, as a part of its typical amount, above which numbers that look usable are wrong.
GROSS = 0.5

#: Endings after which the numbers are not used.
REFUSED = (Status.INVALID_DATA, Status.NO_PROGRESS, Status.NO_SIGNAL, Status.AT_BOUND)

Estimator = Callable[[Complex[np.ndarray, "s n"]], FitResult]


class Trial(NamedTuple):
    """Spectra of one scenario with the amplitudes that they were made of, `names` their components."""

    fids: Complex[np.ndarray, "s n"]
    amplitudes: Float[np.ndarray, "s m"]
    names: tuple[str, ...]


class Row(NamedTuple):
    """One method in one scenario; all but `scenario`, `method` and `count` in percent.

    - `bias`, `spread`: mean and standard deviation of the error over the spectra that were not refused, averaged over the quantities (of `bias` the modulus).
    - `coverage`: of intervals of nominally 90 %, estimate +- 1.645 reported standard deviations.
    - `refused`: spectra that the method's own status takes out of use.
    - `gross`: spectra not refused with an error above half the typical amount in any quantity: failures that nothing announces.
    - `unlike`: spectra that the method's own alarm calls unlike its training data; NaN without an alarm.
    """

    scenario: str
    method: str
    bias: float
    spread: float
    coverage: float
    refused: float
    gross: float
    unlike: float
    count: int


def scored(*names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `QUANTITIES` of which all of these sets of components have a part.

    **Raises:** `ValueError` when there is none.
    """
    found = tuple(q for q, parts in QUANTITIES.items() if all(any(canonical(n) in parts for n in s) for s in names))
    if not found:
        told = "; ".join(", ".join(s) for s in names)
        raise ValueError(
            f"basis: wanted spectra and network with a part of {', '.join(QUANTITIES)} to score, found {told}"
        )
    return found


def _sums(names: tuple[str, ...], amplitudes: np.ndarray, quantities: Iterable[str]) -> np.ndarray:
    parts = np.array([[canonical(n) in QUANTITIES[q] for n in names] for q in quantities], float)
    return amplitudes @ parts.T


def score(
    scenario: str,
    method: str,
    trial: Trial,
    result: FitResult,
    typical: Mapping[str, float],
    distance: Float[np.ndarray, " s"] | None = None,
) -> Row:
    """The `Row` of one result. `typical`: amount of each scored quantity, which errors are relative to; `distance`: of the method's alarm, which sounds above 1."""
    pairs = [result.total(tuple(n for n in result.names if canonical(n) in QUANTITIES[q])) for q in typical]
    found, sd = (np.stack([np.asarray(p[i]) for p in pairs], axis=1) for i in (0, 1))
    amounts = np.array(list(typical.values()))
    error = (found - _sums(trial.names, trial.amplitudes, typical)) / amounts
    finite = np.isfinite(error).all(axis=1)
    kept = finite & ~np.isin(np.asarray(result.status), REFUSED)
    count, percent = len(kept), 100.0
    nothing = np.full(len(amounts), np.nan)
    bias, spread = (error[kept].mean(axis=0), error[kept].std(axis=0)) if kept.any() else (nothing, nothing)
    inside = np.abs(error[kept]) < ndtri(0.5 + INTERVAL / 2) * sd[kept] / amounts
    return Row(
        scenario,
        method,
        percent * float(np.abs(bias).mean()),
        percent * float(spread.mean()),
        percent * float(inside.mean()) if kept.any() else np.nan,
        percent * float(np.mean(~kept)),
        percent * float(np.mean(kept & (np.abs(np.where(kept[:, None], error, 0.0)) > GROSS).any(axis=1))),
        np.nan if distance is None else percent * float(np.mean(~(distance <= 1))),
        count,
    )


def evaluate_scenarios(
    trials: Mapping[str, Trial],
    methods: Mapping[str, Estimator],
    *,
    quantities: Sequence[str] = tuple(QUANTITIES),
    alarms: Mapping[str, Callable[[np.ndarray], np.ndarray]] | None = None,
    report: Callable[[str], None] | None = None,
) -> list[Row]:
    """Every method on every trial; the first trial gives the typical amounts. `quantities`: to score (`scored`); `alarms`: method -> distances of FIDs, 1 at the limit."""
    first = next(iter(trials.values()))
    means = _sums(first.names, first.amplitudes, quantities).mean(axis=0)
    typical = dict(zip(quantities, means.tolist(), strict=True))
    rows = []
    for scenario, trial in trials.items():
        for method, estimate in methods.items():
            alarm = (alarms or {}).get(method)
            distance = None if alarm is None else alarm(trial.fids)
            rows.append(score(scenario, method, trial, estimate(trial.fids), typical, distance))
        if report is not None:
            report(scenario)
    return rows


def table(rows: list[Row]) -> str:
    """The rows as one Markdown table, three digits."""
    header = "scenario method bias/% spread/% coverage/% refused/% gross/% unlike/% spectra".split()
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    cell = lambda x: x if isinstance(x, str) else "-" if np.isnan(x) else f"{x:.3g}"  # noqa: E731
    return "\n".join([*lines, *("| " + " | ".join(map(cell, row)) + " |" for row in rows)]) + "\n"


COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")


def figure(rows: list[Row]) -> str:
    """One SVG: scenarios down, a panel each for bias and spread, coverage, and failures (refused and gross), a colour for each method."""
    scenarios = list(dict.fromkeys(r.scenario for r in rows))
    methods = list(dict.fromkeys(r.method for r in rows))
    left, width, step = 190, 210, 14 + 8 * len(methods)
    top, bottom = 40 + 16 * len(methods), 40 + 16 * len(methods) + step * len(scenarios)
    largest = max([10.0, *(r.bias + r.spread for r in rows if np.isfinite(r.bias))])
    panels = (
        ("bias and spread / %", min(largest, 100.0)),
        ("coverage / %", 100.0),
        ("refused, gross (pale) / %", 100.0),
    )
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + 3 * (width + 20)}" height="{bottom + 30}" '
        'font-family="sans-serif" font-size="11">'
    ]
    for i, method in enumerate(methods):
        y = 18 + 16 * i
        out.append(
            f'<rect x="10" y="{y - 9}" width="10" height="10" fill="{COLOURS[i % 5]}"/><text x="26" y="{y}">{method}</text>'
        )
    for k, (title, limit) in enumerate(panels):
        x = left + k * (width + 20)
        out.append(
            f'<text x="{x}" y="{top - 8}">{title}</text><path d="M{x} {top}V{bottom}H{x + width}" stroke="#888" fill="none"/>'
        )
        out.append(
            f'<text x="{x}" y="{bottom + 14}">0</text><text x="{x + width - 20}" y="{bottom + 14}">{limit:.0f}</text>'
        )
        if k == 1:
            at = x + INTERVAL * width
            out.append(f'<path d="M{at} {top}V{bottom}" stroke="#444" stroke-dasharray="3"/>')
        for row in rows:
            i = methods.index(row.method)
            y = top + step * scenarios.index(row.scenario) + 8 + 8 * i
            place = lambda v, limit=limit, x=x: x + width * min(max(v, 0.0), limit) / limit  # noqa: E731
            bars = {0: ((0, row.bias, 1), (row.bias, row.bias + row.spread, 0.35)), 1: ((0, row.coverage, 1),)}
            bars[2] = ((0, row.refused, 1), (row.refused, row.refused + row.gross, 0.35))
            for a, b, opacity in bars[k]:
                if np.isfinite(b):
                    size = f'x="{place(a):.1f}" y="{y - 3}" width="{place(b) - place(a):.1f}" height="6"'
                    out.append(f'<rect {size} fill="{COLOURS[i % 5]}" opacity="{opacity}"/>')
    for j, scenario in enumerate(scenarios):
        out.append(f'<text x="{left - 6}" y="{top + step * j + step / 2 + 4}" text-anchor="end">{scenario}</text>')
    return "\n".join([*out, "</svg>\n"])
