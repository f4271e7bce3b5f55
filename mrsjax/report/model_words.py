"""The terms of a fitted model in words, read off the model itself."""

from __future__ import annotations

import numpy as np

from mrsjax.core import BasisSet
from mrsjax.physics import SignalModel
from mrsjax.physics.baseline import Baseline


def terms(model: SignalModel, basis: BasisSet) -> list[str]:
    """What is added up in the fit, as noun phrases: basis spectra first, then macromolecules, lipids, corrections, baseline."""
    out = [f"{sum(n in basis.names for n in model.groups[0].names)} metabolite basis spectra"]
    if "-CrCH2" in model.groups[0].names:
        out.append("a correction of the CH2 singlet of creatine")
    for group in model.groups[1:]:
        if group.own.gauss_sd is None:  # only our own lines have widths of their own
            out.append(f"the basis' {', '.join(group.names)}")
        else:
            out.append("lipid lines" if group.name == "lipids" else "parametric macromolecules")
    return out + _baseline(model.baseline)


def _baseline(baseline: Baseline) -> list[str]:
    """A penalty marks the spline; without one the powers of frequency that lie in the span give the order of a polynomial; what is left are tails of water."""
    columns, penalised = np.asarray(baseline.columns, float), np.asarray(baseline.roughness) > 0
    powers = np.linspace(-1, 1, len(columns))[:, None] ** np.arange(columns.shape[1] + 1)
    powers /= np.linalg.norm(powers, axis=0)
    within = np.linalg.norm(powers - columns @ (columns.T @ powers), axis=0) < 1e-4
    order = int(np.argmin(within)) - 1
    out = []
    if penalised.any():
        order = 1  # constant and slope carry no penalty
        out = ["a penalised spline baseline"]
    elif order >= 0:
        out = [f"a polynomial baseline of order {order}"]
    if np.sum(~penalised) > order + 1:
        out.append("tails of the residual water")
    return out
