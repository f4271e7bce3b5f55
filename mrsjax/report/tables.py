"""The machine-readable tables of an analysis: tidy rows, and their CSV and JSON text."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mrsjax.analysis import Analysis
from mrsjax.analysis.quality import linewidth_band

#: Version of the layout of results.json; a reader checks the first number.
SCHEMA = "mrsjax-results/1.0"

_QUANTITIES = ("raw_amplitude", "crlb", "crlb_percent", "ratio_tcr", "water_scaled_molal", "water_scaled_molar")


def where(analysis: Analysis, i: int) -> dict[str, int]:
    """Columns that say which spectrum a row is of: its number and, with a spatial dimension, its voxel."""
    where = {"spectrum": int(analysis.index[i])}
    if analysis.position is not None:
        where |= dict(zip("xyz", (int(p) for p in analysis.position[i]), strict=True))
    return where


def results_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """One row for each spectrum and metabolite (sums included): amplitude, CRLB, ratio, water-scaled values, status
    of the fit.
    """
    q = analysis.quantities
    columns = {c: np.asarray(getattr(q, c)) for c in _QUANTITIES}
    status = [s.name.lower() for s in analysis.status]
    return [
        where(analysis, i)
        | {"metabolite": name}
        | {c: float(v[i, j]) for c, v in columns.items()}
        | {"status": status[i]}
        for i in range(len(status))
        for j, name in enumerate(q.names)
    ]


def parameters_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """One row for each spectrum and non-linear parameter, SI units; vectors have one row an element."""
    rows = []
    result = analysis.result
    values = {k: np.asarray(v) for k, v in result.parameters.items()}
    spreads = {k: np.asarray(v) for k, v in result.parameters_sd.items()}
    for i in range(len(analysis.index)):
        for name, value in values.items():
            spread = spreads.get(name, np.full_like(value, np.nan))
            flat, flat_sd = np.atleast_1d(value[i]).ravel(), np.atleast_1d(spread[i]).ravel()
            for j, (v, sd) in enumerate(zip(flat, flat_sd, strict=True)):
                label = name if value[i].ndim == 0 else f"{name}[{j}]"
                row = {"parameter": label, "value": float(v), "sd": float(sd), "unit": result.units.get(name, "")}
                rows.append(where(analysis, i) | row)
    return rows


def qc_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """One row for each spectrum: status and every quality number, with the peak and the noise window that they refer
    to; of a network also the distance from its training data.
    """
    q = analysis.quality
    numbers = ("snr_spec", "snr_2sd", "snr_lcm", "snr_matched", "fwhm_hz", "fwhm_ppm", "fqn", "noise_sd")
    return [
        where(analysis, i)
        | {"status": status.name.lower(), "peak": q.peak}
        | {n: float(getattr(q, n)[i]) for n in numbers}
        | {
            "linewidth_band": linewidth_band(float(q.fwhm_ppm[i])).value,
            "noise_window_low_ppm": q.window.low,
            "noise_window_high_ppm": q.window.high,
            "noise_window_reason": q.window.reason,
            "baseline_ed": float(np.asarray(analysis.result.baseline_ed)[i]),
            "iterations": int(np.asarray(analysis.result.iterations)[i]),
        }
        | ({} if analysis.distance is None else {"network_distance": float(analysis.distance[i])})
        for i, status in enumerate(analysis.status)
    ]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return str(value)


def to_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """CSV of rows with equal keys: point as decimal sign, empty cell for a number that does not exist."""
    rows = list(rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if rows:
        writer.writerow(rows[0].keys())
        writer.writerows([_text(v) for v in row.values()] for row in rows)
    return out.getvalue()


def finite(value: Any) -> Any:
    """The same structure with NaN and infinities as None, since JSON has neither."""
    if isinstance(value, dict):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return finite(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_json(analysis: Analysis, run: Mapping[str, Any]) -> str:
    """results.json: quantities with standard deviations, quality, parameters, constants, assumptions and provenance.

    Layout `SCHEMA`: arrays are `[spectrum][name]`, in the order of `spectra` and `names`, those of a parameter `[spectrum]` or `[spectrum][element]`; null
    where a number does not exist.
    """
    q, result = analysis.quantities, analysis.result
    fields = (*_QUANTITIES, "ratio_tcr_sd", "water_scaled_molal_sd", "water_scaled_molar_sd")
    document = {
        "schema": SCHEMA,
        "spectra": [where(analysis, i) for i in range(len(analysis.index))],
        "names": list(q.names),
        "quantities": {f: np.asarray(getattr(q, f)) for f in fields},
        "units": {
            "water_scaled_molal": "mmol/kg",
            "water_scaled_molar": "mmol/L",
            "raw_amplitude": "basis",
            "crlb": "basis",
        },
        "parameters": {
            n: {"unit": result.units.get(n, ""), "value": np.asarray(v), "sd": np.asarray(result.parameters_sd[n])}
            for n, v in result.parameters.items()
        },
        "qc": qc_rows(analysis),
        "constants": [vars(c) for c in q.constants],
        "assumptions": list(q.assumptions),
        "notes": list(analysis.notes),
        "run": dict(run),
    }
    return json.dumps(finite(document), allow_nan=False, separators=(",", ":"))
