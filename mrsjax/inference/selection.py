"""Choice between models by an information criterion."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.results import FitResult
from mrsjax.inference.fit import fit
from mrsjax.physics.model import SignalModel

#: Spectra of a file that the choice is made on: evenly spaced ones.
TRIAL = 24


class Choice(NamedTuple):
    """The chosen model, its place in the list, and the criterion of each model (mean over the trial spectra; the smallest was chosen)."""

    model: SignalModel
    index: int
    criterion: Float[np.ndarray, " models"]


def criterion(result: FitResult) -> Float[np.ndarray, " s"]:
    """Akaike's criterion / 2 of each fit: chi^2 / 2 of the residual + effective number of parameters."""
    return np.asarray(result.misfit + result.effective_parameters)


def choose(models: Sequence[SignalModel], fids: Complex[Array | np.ndarray, "s n"]) -> Choice:
    """The model with the smallest criterion over some spectra of a file: one model for all spectra, so that they stay comparable.

    **Raises:** `ValueError` when there is no model to choose from.
    """
    if not models:
        raise ValueError("models: wanted at least one, found none")
    if len(models) == 1:
        return Choice(models[0], 0, np.zeros(1))
    trial = np.unique(np.linspace(0, len(fids) - 1, min(TRIAL, len(fids))).round().astype(int))
    means = []
    for model in models:
        values = criterion(fit(model, np.asarray(fids)[trial]))
        means.append(np.nanmean(values) if np.isfinite(values).any() else np.inf)
    best = int(np.argmin(means))
    return Choice(models[best], best, np.array(means))
