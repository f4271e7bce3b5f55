"""Networks applied to data: starting values, a `FitResult`, and how familiar the data are."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from mrsjax.core import FitResult, Sampling
from mrsjax.core.compilation import bound, jit
from mrsjax.inference import fit
from mrsjax.inference.batch import map_rows
from mrsjax.nn.network import Network
from mrsjax.nn.spread import Ensemble
from mrsjax.nn.storage import Saved
from mrsjax.physics import SignalModel, default_model
from mrsjax.physics.options import model_options

#: Fit steps after a network unless asked otherwise.
ITERATIONS = 3


def steps_after(amplitudes: str, iterations: int | None) -> int:
    """Fit steps after a network with these `NetworkSpec.amplitudes`: those asked for, or None for the usual number.

    **Raises:** `ValueError` for a number below 0, or steps after a network that gives the amplitudes itself: they would be lost.
    """
    own = amplitudes == "network"
    if iterations is None:
        return 0 if own else ITERATIONS
    if iterations < 0:
        raise ValueError(f"iterations: wanted 0 or more, found {iterations}")
    if own and iterations:
        raise ValueError(
            f"iterations: this network gives the amplitudes itself (amplitudes: network), no fit follows; wanted none, found {iterations}"
        )
    return iterations


@jit
def _encode(network: Network, fids) -> tuple:
    found = jax.vmap(network.estimate)(fids)
    return found.values, found.amplitudes


@jit
def _encode_each(ensemble: Ensemble, fids) -> tuple:
    def one(fid):
        found = jax.vmap(lambda p: ensemble.member(p).estimate(fid))(ensemble.params)
        return found.values, found.amplitudes

    return jax.vmap(one)(fids)


def encode(network: Network | Ensemble, fids: Complex[Array | np.ndarray, "s n"]) -> tuple:
    """(values of the coarse model's parameters, amplitudes) of each FID by `Network.estimate`; of an ensemble with a second axis, its members."""
    fids = np.asarray(fids)
    finite = np.all(np.isfinite(fids), axis=1)
    clean = np.where(finite[:, None], fids, 1.0).astype(np.complex64)
    program = _encode_each if isinstance(network, Ensemble) else _encode
    return map_rows(bound(program, network), clean)


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
    iterations: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Spectra in, amplitudes with uncertainties out, by a network.

    **Arguments:** `noise_sd`: as in `inference.fit`, for denoised data. `iterations`: of the fit that starts where the network points, each stage; 0: none, exact amplitudes at the network's parameters; None: `ITERATIONS`.
    A network that gives the amplitudes itself gives these, beside the Cramer-Rao bounds at its parameters, without any iterations. An ensemble gives the mean of its members' amplitudes; its
    covariance is the mean of theirs and that between them (`nn.spread`), all else is that of the member that fits best.

    **Returns:** a `FitResult` like that of `inference.fit`; spectra that have not converged say so in their status.

    **Raises:** `ValueError` when the network was not made for these data, or for iterations of one that gives the amplitudes itself.
    """
    saved.check(sampling)
    own = saved.network.spec.amplitudes == "network"
    limit = 1 + steps_after(saved.network.spec.amplitudes, iterations)
    ensemble = saved.whole if isinstance(saved.whole, Ensemble) else None
    values, amplitudes = encode(ensemble or saved.network, fids)
    if ensemble is not None:
        members, fids = amplitudes.shape[1], np.repeat(np.asarray(fids), amplitudes.shape[1], axis=0)
        values, amplitudes = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (values, amplitudes))
    result = fit(fit_model(saved), fids, start=values, noise_sd=noise_sd, max_iterations=limit, progress=progress)
    if own:
        valid = np.isfinite(np.asarray(result.cost))[:, None]
        given = jnp.asarray(np.where(valid, amplitudes, np.nan), result.amplitudes.dtype)
        result = eqx.tree_at(lambda r: r.amplitudes, result, given)
    return result if ensemble is None else _together(result, members)


def _together(result: FitResult, members: int) -> FitResult:
    """One result of those of an ensemble's members, which follow each other spectrum by spectrum."""
    apart = jax.tree.map(lambda x: np.asarray(x).reshape(-1, members, *x.shape[1:]), result)
    cost = np.where(np.isfinite(apart.cost), apart.cost, np.inf)
    rows = np.arange(len(cost)), np.argmin(cost, axis=1)
    best = jax.tree.map(lambda x: jax.device_put(x[rows]), apart)
    mean = apart.amplitudes.mean(axis=1)
    off = apart.amplitudes - mean[:, None]
    covariance = apart.covariance.mean(axis=1) + np.einsum("skm,skn->smn", off, off) / members
    new = jax.device_put(mean), jax.device_put(covariance)
    return eqx.tree_at(lambda r: (r.amplitudes, r.covariance), best, new)
