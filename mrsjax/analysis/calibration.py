"""Whether posteriors mean what they say: ranks, coverage, and how well an alarm tells two populations apart.

The rank of the truth among the draws of its posterior is uniform when the posteriors are right (simulation-based calibration, Talts et al. 2018).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

#: Nominal shares at which coverage is reported.
LEVELS = np.arange(1, 21) / 21


def ranks(
    draws: Float[np.ndarray, "s d q"],
    truth: Float[np.ndarray, "s q"],
    weights: Float[np.ndarray, "s d"] | None = None,
) -> Float[np.ndarray, "s q"]:
    """Share of the (weighted) draws below the truth, in (0, 1); NaN where the weights are."""
    count = draws.shape[1]
    weights = np.full(draws.shape[:2], 1.0 / count) if weights is None else weights
    below = np.einsum("sd,sdq->sq", weights, draws < truth[:, None])
    return (count * below + 0.5) / (count + 1.0)


def gaussian_ranks(
    mean: Float[np.ndarray, "s q"], sd: Float[np.ndarray, "s q"], truth: Float[np.ndarray, "s q"]
) -> Float[np.ndarray, "s q"]:
    """The same for Gaussian posteriors: their distribution function at the truth."""
    return stats.norm.cdf((truth - mean) / sd)


def coverage(ranks: Float[np.ndarray, "s q"], levels: Float[np.ndarray, " l"] = LEVELS) -> Float[np.ndarray, "l q"]:
    """Share of the truths inside the central intervals of nominal `levels`; a posterior without ranks (NaN) covers nothing."""
    return np.mean(np.abs(2 * ranks[None] - 1) <= np.asarray(levels)[:, None, None], axis=1)


class Uniformity(NamedTuple):
    """chi^2 of the histogram of ranks against a flat one, and its probability under calibration, for each quantity."""

    chi2: Float[np.ndarray, " q"]
    probability: Float[np.ndarray, " q"]


def uniformity(ranks: Float[np.ndarray, "s q"], *, bins: int = 10) -> Uniformity:
    """Pearson's test of the ranks (expected count a bin should be 5 or more).

    **Raises:** `ValueError` for ranks that are NaN: leaving them out would hide the posteriors that failed.
    """
    if missing := int(np.isnan(ranks).any(axis=1).sum()):
        raise ValueError(f"ranks: wanted numbers, found NaN for {missing} of {len(ranks)} posteriors")
    counts = np.stack([np.histogram(r, bins=bins, range=(0, 1))[0] for r in ranks.T])
    found = stats.chisquare(counts, axis=1)
    return Uniformity(np.asarray(found.statistic), np.asarray(found.pvalue))


class Roc(NamedTuple):
    """False and true alarms for every threshold, and the area under the curve (0.5: no better than chance)."""

    false: Float[np.ndarray, " k"]
    true: Float[np.ndarray, " k"]
    area: float


def roc(usual: Float[np.ndarray, " a"], unusual: Float[np.ndarray, " b"]) -> Roc:
    """Receiver operating characteristic of an alarm that is larger for what is `unusual`; the area counts ties as one half. NaN alarms before all else."""
    usual, unusual = (np.where(np.isnan(x), np.inf, x) for x in (usual, unusual))
    threshold = np.unique(np.concatenate([usual, unusual]))[::-1]
    rate = lambda x: np.concatenate([[0.0], np.mean(x[None] >= threshold[:, None], axis=1)])  # noqa: E731
    false, true = rate(usual), rate(unusual)
    return Roc(false, true, float(np.trapezoid(true, false)))
