"""Choice between models by an information criterion."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.results import FitResult, Status
from mrsjax.inference.fit import fit
from mrsjax.physics.model import SignalModel

#: Spectra of a file that the choice is made on: evenly spaced ones.
TRIAL = 24


class Choice(NamedTuple):
    """The chosen model, its place in the list, and the criterion of each model (mean over the trial spectra; the smallest was chosen)."""

    model: SignalModel
    index: int
    criterion: Float[np.ndarray, " models"]


def criteria(models: Sequence[SignalModel], results: Sequence[FitResult]) -> Float[np.ndarray, "models s"]:
    """Akaike's criterion / 2 of each fit, misfit / variance + effective number of parameters (QAIC: Burnham and Anderson 2002, section 2.5).

    The variance is that of the residual over that of the noise in the best of the models, not below 1: on measured spectra every model leaves more
    than noise, and by the noise alone the most flexible model would always be taken.
    """
    misfits = np.array([r.misfit for r in results])
    parameters = np.array([r.effective_parameters for r in results])
    points = np.array([[2 * (m.window[1] - m.window[0])] for m in models])
    variance = 2 * misfits / np.maximum(points - parameters, 1.0)
    return misfits / np.maximum(variance.min(axis=0), 1.0) + parameters


def choose(
    models: Sequence[SignalModel], fids: Complex[Array | np.ndarray, "s n"], *, noise_sd: float | None = None
) -> Choice:
    """The model with the smallest criterion over some spectra of a file: one model for all spectra, so that they stay comparable. Spectra whose fit
    converged with each of the models decide (all that were fitted, where there are none). `noise_sd`: as in `fit`.

    **Raises:** `ValueError` when there is no model to choose from.
    """
    if not models:
        raise ValueError("models: wanted at least one, found none")
    if len(models) == 1:
        return Choice(models[0], 0, np.zeros(1))
    trial = np.unique(np.linspace(0, len(fids) - 1, min(TRIAL, len(fids))).round().astype(int))
    results = [fit(model, np.asarray(fids)[trial], noise_sd=noise_sd) for model in models]
    values, status = criteria(models, results), np.array([r.status for r in results])
    fitted = np.isfinite(values).all(axis=0)
    sound = fitted & (status == Status.CONVERGED).all(axis=0)
    means = np.full(len(models), np.inf)
    if fitted.any():
        means = values[:, sound if sound.any() else fitted].mean(axis=1)
    best = int(np.argmin(means))
    return Choice(models[best], best, means)
