"""The curves of a fit: what the figures of a report show."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.compilation import bound, jit
from mrsjax.core.results import FitResult
from mrsjax.inference import batch
from mrsjax.inference.varpro import Tree, stacked
from mrsjax.physics.model import SignalModel


class Curves(NamedTuple):
    """Fitted spectra, one or a stack (leading axis s), on the fit window, phased with the fitted phase (so that lines are absorptive in the real part).

    `ppm` (k,) ascending; `data`, `fit` (baseline included), `baseline`, `residual` (k,) and `components` (m, k) complex, in the unit of the data
    (core.fourier scaling); `noise_sd` of the real part.
    """

    ppm: Float[np.ndarray, " k"]
    data: Complex[np.ndarray, "*s k"]
    fit: Complex[np.ndarray, "*s k"]
    baseline: Complex[np.ndarray, "*s k"]
    residual: Complex[np.ndarray, "*s k"]
    components: Complex[np.ndarray, "*s m k"]
    noise_sd: Float[np.ndarray, "*s"]

    def one(self, index: int) -> "Curves":
        """Spectrum `index` of a stack."""
        return Curves(self.ppm, *(x[index] for x in self[1:]))


def evaluate(model: SignalModel, result: FitResult, fids: Complex[Array | np.ndarray, "s n"], index: int) -> Curves:
    """The curves of spectrum `index` of a fit of `fids` with `model`.

    **Raises:** `IndexError` when there is no such spectrum. A spectrum with invalid data gives NaN.
    """
    if not 0 <= index < len(result.status):
        raise IndexError(f"index: wanted 0 to {len(result.status) - 1}, found {index}")
    return _stack(model, result, fids, np.array([index])).one(0)


def evaluate_all(model: SignalModel, result: FitResult, fids: Complex[Array | np.ndarray, "s n"]) -> Curves:
    """The curves of all spectra of a fit, each array with a leading axis s (but for `ppm`)."""
    return _stack(model, result, fids, np.arange(len(result.status)))


def _stack(model, result, fids, index) -> Curves:
    state = result.state
    rows = (np.asarray(x)[index] for x in (state.theta, result.amplitudes, state.log_stiffness, fids))
    data, components, baseline = batch.map_rows(bound(_curves, model), *rows)
    fit = components.sum(axis=1) + baseline
    noise = np.asarray(result.noise_sd)[index]
    return Curves(np.asarray(model.ppm), data, fit, baseline, data - fit, components, noise)


@jit
def _curves(model, theta, amplitudes, log_stiffness, fids):
    return jax.vmap(partial(_one, model))(theta, amplitudes, log_stiffness, fids)


def _one(model, theta, amplitudes, log_stiffness, fid):
    values = Tree(model).unravel(theta)
    unphase = jnp.conj(model.phase(values["phase"], model.frequency, model.pivot))
    design, _ = model.design(values)
    data = model.crop(fid)
    columns = model.baseline.columns
    shrink = model.baseline.shrinkage(log_stiffness)
    rest = stacked((data - amplitudes @ design)[None]).reshape(2, -1)
    smooth = columns @ (shrink[:, None] * (columns.T @ rest.T))
    baseline = smooth[:, 0] + 1j * smooth[:, 1]
    return data * unphase, amplitudes[:, None] * design * unphase, baseline * unphase
