"""posterior.csv: quantiles of the draws of `inference.posterior`, for each spectrum and metabolite."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrsjax.analysis import Analysis
from mrsjax.core.metabolites import SUMS, canonical
from mrsjax.inference.posterior import Posterior
from mrsjax.report.tables import where

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)


def posterior_rows(analysis: Analysis, draws: Posterior, *, first: int = 0) -> list[dict[str, Any]]:
    """One row for each spectrum and name of results.csv (sums are summed draw by draw): mean, standard deviation and `QUANTILES` in units of the basis,
    split R-hat (empty for Laplace), effective number of draws, divergences. `draws`: of the analysis' spectra from `first` on.
    """
    names = analysis.quantities.names
    parts = np.array([[_belongs(part, name, draws.names) for part in draws.names] for name in names], dtype=float)
    values = draws.amplitudes @ parts.T
    r_hat, ess = draws.diagnose(values)
    pooled = values.reshape(len(values), -1, len(names))
    quantiles = np.quantile(pooled, QUANTILES, axis=1)
    mean, sd = pooled.mean(axis=1), pooled.std(axis=1)
    return [
        where(analysis, first + i)
        | {"metabolite": name, "mean": float(mean[i, j]), "sd": float(sd[i, j])}
        | {f"q{q:g}": float(quantiles[k, i, j]) for k, q in enumerate(QUANTILES)}
        | {"r_hat": float(r_hat[i, j]), "ess": float(ess[i, j]), "divergent": int(draws.divergent[i])}
        for i in range(len(values))
        for j, name in enumerate(names)
    ]


def _belongs(part: str, name: str, present: tuple[str, ...]) -> bool:
    if name in present:
        return part == name
    return canonical(part) in SUMS.get(name, ())
