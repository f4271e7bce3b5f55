"""The self-contained HTML report of an analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mrsjax.analysis import Analysis
from mrsjax.core import to_spectrum
from mrsjax.core.metabolites import SUMS, canonical
from mrsjax.report import methods, tables
from mrsjax.report.packing import pack_curves, pack_numbers, pack_text, script_json
from mrsjax.report.page import own_text, page, short
from mrsjax.report.verdict import fqn_band, judge, snr_band, summary

#: Units of the quantities, as the report prints them.
UNITS = {
    "water_scaled_molal": ("Concentration", "mmol/kg tissue water"),
    "water_scaled_molar": ("Concentration", "mmol/L tissue"),
    "ratio_tcr": ("Ratio", "/ tCr"),
    "raw_amplitude": ("Amplitude", "basis units"),
}


def render(
    analysis: Analysis,
    run: Mapping[str, Any],
    files: Mapping[str, str],
    posterior: list[dict[str, Any]] | None = None,
) -> str:
    """The report as one HTML page that needs no network.

    **Arguments:** `run` provenance (title, files, options, versions, device, started, seconds); `files` name -> text
    of the tables that the page offers for download; `posterior` rows of `report.posterior`, those of the first spectrum are shown.
    """
    judgements = judge(analysis)
    many_files = len(analysis.curves.rows) < len(analysis.index)  # too large for a page, as are the curves of all
    files = {} if many_files else files
    return page(
        "report.html",
        run=run,
        judgements=judgements,
        summary=summary(analysis, judgements),
        many=len(analysis.index) > 1,
        grid=analysis.position is not None,
        rows=first_table(analysis),
        columns=_table_columns(analysis),
        qc=tables.qc_rows(analysis),
        quantities=analysis.quantities,
        general=[c for c in analysis.quantities.constants if not c.name.startswith(("T1 of", "T2 of"))],
        relaxation=relaxation_rows(analysis),
        posterior=[r for r in posterior or [] if r["spectrum"] == int(analysis.index[0])],
        notes=analysis.notes,
        mrsinmrs=_by_section(methods.mrsinmrs(analysis, run)),
        paragraph=methods.paragraph(analysis, run),
        bibtex=methods.BIBTEX,
        basis=analysis.basis,
        files=sorted(files),
        without_curves=len(analysis.index) - len(analysis.curves.rows),
        payload=script_json(tables.finite(_payload(analysis, files))),
        script=own_text("report.js"),
    )


def _by_section(items: list[methods.Item]) -> list[tuple[str, list[methods.Item]]]:
    """The items of each section, sections in the order of the table."""
    return [(s, [i for i in items if i.section == s]) for s in dict.fromkeys(i.section for i in items)]


def _table_columns(analysis: Analysis) -> list[tuple[str, str, str]]:
    """Quantities with at least one number: (key, heading, unit)."""
    q = analysis.quantities
    return [(key, *UNITS[key]) for key in UNITS if np.isfinite(getattr(q, key)).any()]


def relaxation_rows(analysis: Analysis) -> list[dict[str, str]]:
    """The relaxation times among the constants, one row a signal: water by tissue, metabolites as grey / white
    matter.
    """
    rows: dict[str, dict[str, Any]] = {}
    for c in analysis.quantities.constants:
        if c.name.startswith(("T1 of", "T2 of")):
            kind, name = c.name.split(" of ", 1)
            if not name.startswith("water"):
                name = name.rsplit(", ", 1)[0]
            row = rows.setdefault(name, {"name": name, "T1": [], "T2": [], "source": c.source})
            row[kind].append(f"{c.value:.4g}")
    return [
        {"name": r["name"], "t1": " / ".join(r["T1"]), "t2": " / ".join(r["T2"]), "source": r["source"]}
        for r in rows.values()
    ]


def strongest_correlation(analysis: Analysis) -> tuple[np.ndarray, np.ndarray]:
    """For each spectrum and quantity that is a single component: index of the component most correlated with it, and
    r.
    """
    correlation = np.asarray(analysis.result.correlation)
    off = correlation - np.eye(correlation.shape[-1])
    off = np.where(np.isfinite(off), off, 0.0)
    partner = np.abs(off).argmax(axis=-1)
    value = np.take_along_axis(off, partner[..., None], axis=-1)[..., 0]
    names = analysis.result.names
    columns = [names.index(n) if n in names else -1 for n in analysis.quantities.names]
    pick = np.array(columns)
    return np.where(pick < 0, -1, partner[:, pick]), np.where(pick < 0, np.nan, value[:, pick])


def first_table(analysis: Analysis) -> list[dict[str, Any]]:
    """The concentration table of the first spectrum, so that the page is readable without JavaScript."""
    q = analysis.quantities
    partner, r = strongest_correlation(analysis)
    percent = q.crlb_percent
    rows = []
    for j, name in enumerate(q.names):
        cells = [_with_sd(q, key, j) for key, *_ in _table_columns(analysis)]
        other = "" if partner[0, j] < 0 else f"{analysis.result.names[partner[0, j]]} ({r[0, j]:+.2f})"
        rows.append(
            {"name": name, "sum": name in SUMS, "cells": cells, "percent": short(percent[0, j]), "partner": other,
             "members": " + ".join(n for n in analysis.result.names if canonical(n) in SUMS.get(name, ()))}
        )  # fmt: skip
    return rows


def _with_sd(q, key: str, j: int) -> str:
    sd = q.crlb if key == "raw_amplitude" else getattr(q, f"{key}_sd")
    return f"{short(getattr(q, key)[0, j])} ± {short(sd[0, j])}"


def _payload(analysis: Analysis, files: Mapping[str, str]) -> dict[str, Any]:
    """Everything the page's script needs."""
    q, quality, curves = analysis.quantities, analysis.quality, analysis.curves
    n = len(analysis.index)
    partner, r = strongest_correlation(analysis)
    columns = _table_columns(analysis)
    spread = {key: q.crlb if key == "raw_amplitude" else getattr(q, f"{key}_sd") for key, *_ in columns}
    # A thousand voxels must stay below 20 MB: eight bits are enough to draw a component of one of many fits.
    bits = 16 if n <= 64 else 8
    correlation = np.asarray(analysis.result.correlation)[curves.rows]
    return {
        "index": analysis.index.tolist(),
        "position": None if analysis.position is None else analysis.position.tolist(),
        "shape": list(analysis.fids.data.shape[:-1]),
        "dims": list(analysis.fids.dims),
        "status": [s.name.lower().replace("_", " ") for s in analysis.status],
        "names": list(curves.names),
        "rows": curves.rows.tolist(),
        "quantityNames": list(q.names),
        "columns": [{"key": k, "title": t, "unit": u} for k, t, u in columns],
        "values": {key: pack_numbers(getattr(q, key)) for key, *_ in columns},
        "sd": {key: pack_numbers(value) for key, value in spread.items()},
        "percent": pack_numbers(q.crlb_percent),
        "partner": partner.tolist() if n <= 64 else pack_numbers(partner),
        "partnerR": pack_numbers(r),
        "peak": quality.peak,
        "quality": {
            k: pack_numbers(getattr(quality, k))
            for k in ("snr_spec", "snr_2sd", "snr_lcm", "snr_matched", "fwhm_hz", "fwhm_ppm", "fqn", "noise_sd")
        },
        "snrBand": [snr_band(float(x)).value for x in quality.snr_spec],
        "fqnBand": [fqn_band(float(x)).value for x in quality.fqn],
        "ppm": pack_numbers(curves.ppm),
        "data": pack_curves(curves.data),
        "fit": pack_curves(curves.fit),
        "baseline": pack_curves(curves.baseline),
        "components": pack_curves(curves.components, bits=bits),
        "correlation": pack_curves(np.where(np.isfinite(correlation), correlation, 0.0), bits=8),
        "basis": _basis(analysis),
        "files": {name: pack_text(text) for name, text in files.items()},
    }


def _basis(analysis: Analysis) -> dict[str, Any]:
    """Basis spectra on the fit window, each divided by its largest value."""
    spectra = np.real(to_spectrum(np.asarray(analysis.basis.fids)))
    ppm = np.asarray(analysis.basis.sampling.ppm)
    inside = (ppm >= analysis.curves.ppm.min()) & (ppm <= analysis.curves.ppm.max())
    shown = spectra[:, inside]
    top = np.abs(shown).max(axis=1, keepdims=True)
    shown = shown / np.where(top > 0, top, 1)
    return {"names": list(analysis.basis.names), "ppm": pack_numbers(ppm[inside]), "curves": pack_curves(shown)}
