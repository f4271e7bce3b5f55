"""The index of a batch: one row a file, outliers flagged, a page with a sortable table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mrsjax.core.metabolites import SUMS
from mrsjax.report.page import page
from mrsjax.report.tables import to_csv
from mrsjax.report.verdict import fqn_band, snr_band

#: Distance from the median, in standard deviations estimated from the median absolute deviation (Iglewicz and Hoaglin 1993).
FAR = 3.5
#: Fewer files have no outliers.
FEWEST = 5

_QUALITY = {"snr": "snr_spec", "fwhm_ppm": "fwhm_ppm", "fqn": "fqn"}
_METABOLITES = (*SUMS, "Ins")
_FORMS = {"spectra": "{:.0f}", "snr": "{:.0f}", "fwhm_ppm": "{:.3f}", "fqn": "{:.2f}"}


def summary_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the files (`summary_row`), each with the columns that are outliers among the files in `outliers`, and NaN in the columns that others have."""
    rows = [row | {"outliers": []} for row in rows]
    keys = [
        k for k in dict.fromkeys(k for r in rows for k in r) if k in _QUALITY or k.startswith("ratio_") or "mmol" in k
    ]
    for key in keys:
        values = np.array([r.get(key, np.nan) for r in rows], dtype=float)
        for row, far in zip(rows, outliers(values), strict=True):
            if far:
                row["outliers"].append(key)
    for row in rows:
        for key in keys:
            row.setdefault(key, float("nan"))
    return rows


def outliers(values: np.ndarray) -> np.ndarray:
    """Which values lie more than `FAR` robust standard deviations from the median; none among fewer than `FEWEST`."""
    finite = values[np.isfinite(values)]
    if finite.size < FEWEST:
        return np.zeros(values.shape, dtype=bool)
    middle = np.median(finite)
    spread = 1.4826 * np.median(np.abs(finite - middle))
    return np.abs(np.nan_to_num(values, nan=middle) - middle) > FAR * max(spread, 1e-12 * abs(middle))


def summary_row(outcome: dict[str, Any]) -> dict[str, Any]:
    """The row of one file, medians over its spectra: all that the index needs of a document of many megabytes.

    **Arguments:** `outcome`: `name`, `status` ("fitted", "kept", "failed", "not yet"), and either `link` and `document` (a
    results.json) or `message`.
    """
    row: dict[str, Any] = {"name": outcome["name"], "status": outcome["status"], "link": outcome.get("link", "")}
    row |= {"message": outcome.get("message", ""), "outliers": []}
    document = outcome.get("document")
    if document is None:
        return row
    qc = document["qc"]
    row |= {"spectra": len(qc), "converged": sum(q["status"] == "converged" for q in qc)}
    row |= {short: _middle([q[key] for q in qc]) for short, key in _QUALITY.items()}
    names = document["names"]
    for quantity, label in (("water_scaled_molal", "{} mmol/kg"), ("ratio_tcr", "ratio_{}_tCr")):
        for name in _METABOLITES:
            if name in names and not (quantity == "ratio_tcr" and name == "tCr"):
                value = _middle([r[names.index(name)] for r in document["quantities"][quantity]])
                if np.isfinite(value):
                    row[label.format(name)] = value
    return row


def _middle(values: list[float | None]) -> float:
    finite = [v for v in values if v is not None]
    return float(np.median(finite)) if finite else float("nan")


def summary_csv(rows: Sequence[dict[str, Any]]) -> str:
    """summary.csv: the rows of the index, outliers separated by semicolons."""
    keys = list(dict.fromkeys(k for r in rows for k in r))
    return to_csv({k: "; ".join(r[k]) if k == "outliers" else r.get(k, "") for k in keys} for r in rows)


def render_index(rows: Sequence[dict[str, Any]], title: str) -> str:
    """The index page: self-contained, sortable by every column with mouse or keyboard, links to the reports."""
    hidden = ("name", "status", "link", "message", "outliers", "spectra", "converged")
    columns = [k for k in dict.fromkeys(k for r in rows for k in r) if k not in hidden]
    shown = []
    for row in rows:
        cells = []
        for key in columns:
            value = row.get(key, float("nan"))
            text = _FORMS.get(key, "{:.3g}").format(value) if np.isfinite(value) else "\u2013"
            cells.append({"text": text, "sort": value if np.isfinite(value) else "", "far": key in row["outliers"]})
        finished = "converged" in row
        band = max((snr_band(row["snr"]), fqn_band(row["fqn"])), key=_order).value if finished else ""
        converged = f"{row['converged']} of {row['spectra']}" if finished else "\u2013"
        shown.append({**row, "cells": cells, "band": band, "converged": converged})
    return page(
        "index.html",
        plots=False,
        title=title,
        rows=shown,
        columns=[(k, _heading(k)) for k in columns],
        counts={s: sum(r["status"] == s for r in rows) for s in ("fitted", "kept", "failed", "not yet")},
        flagged=sum(bool(r["outliers"]) for r in rows),
        far=FAR,
    )


def _heading(key: str) -> str:
    named = {"snr": "SNR", "fwhm_ppm": "FWHM ppm", "fqn": "FQN"}
    return named.get(key, key.replace("ratio_", "").replace("_tCr", " / tCr"))


def _order(band) -> int:
    return ["good", "fair", "poor"].index(band.value)
