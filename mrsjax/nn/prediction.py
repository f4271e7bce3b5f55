"""Networks applied to data: starting values, a `FitResult`, and how familiar the data are."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from mrsjax.core import FitResult, Sampling
from mrsjax.inference import fit
from mrsjax.inference.batch import map_rows
from mrsjax.nn.network import Network
from mrsjax.nn.storage import Saved
from mrsjax.physics import SignalModel, default_model
from mrsjax.physics.options import model_options


@eqx.filter_jit
def _encode(network: Network, fids) -> tuple:
    found = jax.vmap(network.encode)(fids)
    return found.values, found.amplitudes


def encode(network: Network, fids: Complex[Array | np.ndarray, "s n"]) -> tuple:
    """(values of the coarse model's parameters, amplitudes) of each FID."""
    fids = np.asarray(fids)
    finite = np.all(np.isfinite(fids), axis=1)
    clean = np.where(finite[:, None], fids, 1.0).astype(np.complex64)
    return map_rows(lambda x: _encode(network, x), clean)


def fit_model(saved: Saved) -> SignalModel:
    """The signal model that the network was trained for, in the session's precision."""
    options = model_options(saved.card["network"]["model"])
    return default_model(saved.basis, saved.sampling, **options)


def predict(
    saved: Saved,
    fids: Complex[Array | np.ndarray, "s n"],
    sampling: Sampling,
    *,
    noise_sd: float | None = None,
    iterations: int = 3,
    progress: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Spectra in, amplitudes with uncertainties out, by a network.

    **Arguments:** `noise_sd`: as in `inference.fit`, for denoised data. `iterations`: of the fit that starts where the network points, each stage; 0: none, exact amplitudes at the network's parameters.
    A network that gives the amplitudes itself gives these, beside the Cramer-Rao bounds at its parameters.

    **Returns:** a `FitResult` like that of `inference.fit`; spectra that have not converged say so in their status.

    **Raises:** `ValueError` when the network was not made for these data.
    """
    saved.check(sampling)
    if iterations < 0:
        raise ValueError(f"iterations: wanted 0 or more, found {iterations}")
    values, amplitudes = encode(saved.network, fids)
    own = saved.network.spec.amplitudes == "network"
    limit = 1 if own else 1 + iterations
    result = fit(fit_model(saved), fids, start=values, noise_sd=noise_sd, max_iterations=limit, progress=progress)
    if own:
        valid = np.isfinite(np.asarray(result.cost))[:, None]
        given = jnp.asarray(np.where(valid, amplitudes, np.nan), result.amplitudes.dtype)
        result = eqx.tree_at(lambda r: r.amplitudes, result, given)
    return result
