"""The curves of a fit: what the figures of a report show."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.results import FitResult
from mrsjax.inference.varpro import Tree, stacked
from mrsjax.physics.model import SignalModel


class Curves(NamedTuple):
    """One fitted spectrum on the fit window, phased with the fitted phase (so that lines are absorptive in the real part).

    `ppm` (k,) ascending; `data`, `fit` (baseline included), `baseline`, `residual` (k,) and `components` (m, k) complex, in the unit of the data
    (core.fourier scaling); `noise_sd` of the real part.
    """

    ppm: Float[np.ndarray, " k"]
    data: Complex[np.ndarray, " k"]
    fit: Complex[np.ndarray, " k"]
    baseline: Complex[np.ndarray, " k"]
    residual: Complex[np.ndarray, " k"]
    components: Complex[np.ndarray, "m k"]
    noise_sd: float


def evaluate(model: SignalModel, result: FitResult, fids: Complex[Array | np.ndarray, "s n"], index: int) -> Curves:
    """The curves of spectrum `index` of a fit of `fids` with `model`.

    **Raises:** `IndexError` when there is no such spectrum. A spectrum with invalid data gives NaN.
    """
    if not 0 <= index < len(result.status):
        raise IndexError(f"index: wanted 0 to {len(result.status) - 1}, found {index}")
    state = jax.tree.map(lambda x: x[index], result.state)
    fid = jnp.asarray(fids[index], jnp.result_type(complex))
    data, components, baseline = _curves(model, state.theta, result.amplitudes[index], state.log_stiffness, fid)
    fit = components.sum(axis=0) + baseline
    data, fit, baseline, components = (np.asarray(x) for x in (data, fit, baseline, components))
    return Curves(np.asarray(model.ppm), data, fit, baseline, data - fit, components, float(result.noise_sd[index]))


@eqx.filter_jit
def _curves(model, theta, amplitudes, log_stiffness, fid):
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
