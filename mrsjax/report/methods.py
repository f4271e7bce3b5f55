"""What a paper must say: the MRSinMRS table (Lin 2021), a methods paragraph and the references."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from mrsjax.analysis import Analysis
from mrsjax.analysis.pipeline import field_strength
from mrsjax.report.model_words import terms
from mrsjax.report.scan import UNKNOWN, header_of, stated, volume_of_interest

BIBTEX = """\
@article{Lin2021, author = {Lin, Alexander and Andronesi, Ovidiu and Bogner, Wolfgang and others},
  title = {Minimum Reporting Standards for in vivo Magnetic Resonance Spectroscopy (MRSinMRS): Experts' consensus
  recommendations}, journal = {NMR in Biomedicine}, year = {2021}, volume = {34}, number = {5}, pages = {e4484}, doi =
  {10.1002/nbm.4484}}
@article{Near2021, author = {Near, Jamie and Harris, Ashley D. and Juchem, Christoph and others},
  title = {Preprocessing, analysis and quantification in single-voxel magnetic resonance spectroscopy: experts'
  consensus recommendations}, journal = {NMR in Biomedicine}, year = {2021}, volume = {34}, number = {5}, pages =
  {e4257}, doi = {10.1002/nbm.4257}}
@article{Kreis2021, author = {Kreis, Roland and Boer, Vincent and Choi, In-Young and others},
  title = {Terminology and concepts for the characterization of in vivo MR spectroscopy methods and MR spectra:
  Background and experts' consensus recommendations}, journal = {NMR in Biomedicine}, year = {2021}, volume = {34},
  number = {5}, pages = {e4347}, doi = {10.1002/nbm.4347}}
@article{Gasparovic2006, author = {Gasparovic, Charles and Song, Tao and Devier, Deidre and others},
  title = {Use of tissue water as a concentration reference for proton spectroscopic imaging},
  journal = {Magnetic Resonance in Medicine}, year = {2006}, volume = {55}, number = {6}, pages = {1219--1226},
  doi = {10.1002/mrm.20901}}
"""


@dataclasses.dataclass(frozen=True)
class Item:
    """One line of the MRSinMRS table."""

    section: str
    name: str
    value: str


def _number(value: float | None, form: str, scale: float = 1.0) -> str:
    return UNKNOWN if value is None else form.format(scale * value)


def mrsinmrs(analysis: Analysis, run: Mapping[str, Any]) -> list[Item]:
    """The MRSinMRS table, filled with what the file and the analysis say; the rest is marked as not stated, never
    guessed.
    """
    fids, a = analysis.fids, analysis.fids.acquisition
    s, header = fids.sampling, header_of(fids)
    q = analysis.quality
    shape = ", ".join(f"{d}: {n}" for d, n in zip(fids.dims, fids.data.shape, strict=False)) or "single spectrum"
    hz, ppm = np.nanmedian(_some(q.fwhm_hz)), np.nanmedian(_some(q.fwhm_ppm))
    window = f"{q.window.low:.3g} to {q.window.high:.3g} ppm"
    water = np.isfinite(analysis.quantities.water_amplitude).any()
    outputs = "amplitudes, ratios to tCr" + (", mmol/kg of tissue water and mmol/L of tissue" if water else "")
    assumed = "; ".join(analysis.quantities.assumptions) or "none (no water reference)"
    version = run.get("versions", {}).get("mrsjax", "")
    return [
        Item("Hardware", "Field strength", f"{field_strength(fids):.2f} T (from the frequency)"),
        Item(
            "Hardware",
            "Manufacturer and model",
            stated(header, "Manufacturer", "ManufacturersModelName", "ModelName", "scanner", all_of_them=True),
        ),
        Item("Hardware", "RF coils", stated(header, "RxCoil", "ReceiveCoilName", "TxCoil")),
        Item("Acquisition", "Pulse sequence", a.sequence or stated(header, "SequenceName", "ProtocolName", "scan_id")),
        Item("Acquisition", "Volume of interest", volume_of_interest(fids, header)),
        Item("Acquisition", "Echo time", _number(a.echo_time, "{:g} ms", 1e3)),
        Item("Acquisition", "Repetition time", _number(a.repetition_time, "{:g} ms", 1e3)),
        Item("Acquisition", "Nucleus, frequency", f"{s.nucleus}, {1e-6 * float(s.central_frequency):.4f} MHz"),
        Item("Acquisition", "Spectral width, points", f"{1 / float(s.dwell_time):.0f} Hz, {s.n_points}"),
        Item("Acquisition", "Spectra", shape),
        Item("Acquisition", "Averages", stated(header, "NumberOfAverages", "NumberOfTransients", "averages", "rows")),
        Item(
            "Acquisition",
            "Water suppression",
            stated(header, "WaterSuppressionType", "WaterSuppression", "WaterSuppressed"),
        ),
        Item("Acquisition", "Shimming", stated(header, "ShimMethod", "ShimSetting")),
        Item("Data analysis", "Software", f"mrsjax {version}"),
        Item("Data analysis", "Deviations from defaults", deviations(run.get("options", {}))),
        Item("Data analysis", "Output measure", outputs),
        Item("Data analysis", "Quantification references and assumptions", assumed),
        Item(
            "Data analysis",
            "Basis set",
            f"{len(analysis.basis.names)} entries: {', '.join(analysis.basis.names)}; {_origin(analysis)}",
        ),
        Item(
            "Data analysis",
            "Model",
            f"linear combination of {_sum(analysis)}; variable projection, frequency domain, "
            f"{analysis.curves.ppm.min():.2f} to {analysis.curves.ppm.max():.2f} ppm"
            + (f"; estimates by {analysis.method}" if analysis.method else ""),
        ),
        Item(
            "Data quality",
            "SNR",
            f"snr_spec of {q.peak}: median {np.nanmedian(_some(q.snr_spec)):.0f} (noise: {window}, 1 SD)",
        ),
        Item("Data quality", "Line width", f"FWHM of {q.peak}: median {hz:.1f} Hz = {ppm:.3f} ppm"),
        Item("Data quality", "Exclusion criteria", "none applied; every spectrum is listed with its status"),
        Item(
            "Data quality",
            "Goodness of fit",
            f"FQN median {np.nanmedian(_some(q.fqn)):.2f}; CRLB of every estimate in the table",
        ),
        Item("Data quality", "Sample spectrum", "the fit figure of this report"),
    ]


#: Options that name inputs and outputs, which other lines of the report say.
_FILES = ("data", "basis", "water", "tissue", "out", "network")


def deviations(options: Mapping[str, Any]) -> str:
    """Every option of a run that is not at its default, files apart; those of the model by their own names."""
    given = {k: v for k, v in options.items() if k not in (*_FILES, "model") and v not in (None, False)}
    if given.get("peak") == "tNAA":
        del given["peak"]
    given |= {k: v for k, v in (options.get("model") or {}).items() if v is not False}
    return ", ".join(f"{k} = {_plain(v)}" for k, v in given.items()) or "none"


def _plain(value: Any) -> str:
    """A value as it is written in a configuration file; of a path the name."""
    if isinstance(value, str):
        return PurePath(value).name
    return "off" if value is None else str(value)


def _sum(analysis: Analysis) -> str:
    if analysis.model is None:
        return f"{len(analysis.basis.names)} basis spectra"
    *first, last = terms(analysis.model, analysis.basis)
    return f"{', '.join(first)} and {last}" if first else last


def _some(values: np.ndarray) -> np.ndarray:
    """The values, or one NaN when none is finite, so that a median is quiet."""
    return values if np.isfinite(values).any() else np.array([np.inf])


def _origin(analysis: Analysis) -> str:
    o = analysis.basis.origin
    parts = [o.source, o.sequence, None if o.echo_time is None else f"TE {1e3 * o.echo_time:g} ms"]
    return ", ".join(p for p in parts if p) or "origin not stated"


def paragraph(analysis: Analysis, run: Mapping[str, Any]) -> str:
    """A methods paragraph to start from; what the file does not say is marked with [...]."""
    fids, a, q = analysis.fids, analysis.fids.acquisition, analysis.quality
    te = "[TE]" if a.echo_time is None else f"{1e3 * a.echo_time:g} ms"
    tr = "[TR]" if a.repetition_time is None else f"{1e3 * a.repetition_time:g} ms"
    n = len(analysis.index)
    text = (
        f"{n} {'spectrum was' if n == 1 else 'spectra were'} acquired at {field_strength(fids):.1f} T"
        f" ({a.sequence or '[sequence]'}, TE {te}, TR {tr}, {1 / float(fids.sampling.dwell_time):.0f} Hz spectral"
        f" width, {fids.sampling.n_points} points) and analysed with mrsjax"
        f" {run.get('versions', {}).get('mrsjax', '')}. A linear combination of {_sum(analysis)} was fitted between"
        f" {analysis.curves.ppm.min():.1f} and {analysis.curves.ppm.max():.1f} ppm by variable projection with"
        " non-negative amplitudes. Uncertainties are Cramer-Rao lower bounds from the full Fisher information. "
    )
    if analysis.method:
        text += f"Estimates were made by {analysis.method}. "
    if np.isfinite(analysis.quantities.water_amplitude).any():
        text += (
            "Concentrations were scaled to the unsuppressed water signal with corrections for relaxation and tissue"
            " water content (Gasparovic 2006); the constants are listed in the supplement. "
        )
    return (
        text + f"Signal-to-noise ratio (height of {q.peak} over one standard deviation of the noise) was"
        f" {np.nanmedian(_some(q.snr_spec)):.0f}, line width {np.nanmedian(_some(q.fwhm_ppm)):.3f} ppm (FWHM of"
        f" {q.peak}), fit quality number {np.nanmedian(_some(q.fqn)):.2f}{' (medians)' if n > 1 else ''}."
    )
