"""How far a network is from certain: variance heads, Monte Carlo dropout and ensembles, in one currency.

With M predictions of mean mu_k and standard deviation s_k (0 without a variance head), in units of the outputs,

    aleatoric^2 = mean_k s_k^2          epistemic^2 = var_k mu_k          total^2 = their sum

(Kendall and Gal 2017; Lakshminarayanan et al. 2017): the moments of the mixture of the M Gaussians.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key

from mrsjax.core import BasisSet, Sample, Sampling
from mrsjax.nn.frozen import Frozen
from mrsjax.nn.network import Network, NetworkSpec, Prediction, build


class Spread(NamedTuple):
    """Mean and standard deviations of the unbounded outputs `(..., r)` (`Prediction.outputs`): of predicted parameters, then of amplitudes where the network gives them."""

    mean: Float[Array, "*s r"]
    aleatoric: Float[Array, "*s r"]
    epistemic: Float[Array, "*s r"]

    @property
    def total(self) -> Float[Array, "*s r"]:
        """Standard deviation of the mixture."""
        return jnp.sqrt(self.aleatoric**2 + self.epistemic**2)


def mixture(outputs: Float[Array, "k r"], log_sd: Float[Array, "k r"] | None) -> Spread:
    """Moments of k predictions; `log_sd` None: no variance head."""
    variance = jnp.zeros(outputs.shape[1:]) if log_sd is None else jnp.mean(jnp.exp(2 * log_sd), axis=0)
    return Spread(jnp.mean(outputs, axis=0), jnp.sqrt(variance), jnp.std(outputs, axis=0))


class Ensemble(eqx.Module):
    """M networks that differ in their starting weights, trained by `train` as one module with the loss `each(loss)`.

    **Arguments:** `network`: of `calibrate`; the members begin from the seeds `spec.seed`, + 1, ... `basis`, `sampling`: as given to `calibrate`.
    """

    network: Network  # what the members share; its encoder is a member's, and is not trained
    params: Any  # of the encoders, leading axis the members

    def __init__(self, network: Network, basis: BasisSet, sampling: Sampling, count: int):
        if count < 2:
            raise ValueError(f"count: wanted at least 2 members, found {count}")
        spec = network.spec
        seeds = [dataclasses.replace(spec, seed=spec.seed + k) for k in range(count)]
        made = [build(s, basis, sampling).encoder.params for s in seeds]
        self.params = jax.tree.map(lambda *x: jnp.stack(x), *made)
        self.network = eqx.tree_at(lambda n: n.encoder.params, network, Frozen(network.encoder.params))

    @property
    def spec(self) -> NetworkSpec:
        """What builds each member, but for its seed."""
        return self.network.spec

    def member(self, params: Any) -> Network:
        """The network with these weights."""
        return eqx.tree_at(lambda n: n.encoder.params, self.network, params)


def each(loss: Callable[[Network, Sample, Any], Any]) -> Callable[[Ensemble, Sample, Any], Any]:
    """The mean of a loss over the members of an ensemble, each with a dropout key of its own."""

    def mean(ensemble, sample, key):
        def one(params, k):
            drop = None if key is None else jax.random.fold_in(key, k)
            return loss(ensemble.member(params), sample, drop)

        count = jax.tree.leaves(ensemble.params)[0].shape[0]
        return jnp.mean(jax.vmap(one)(ensemble.params, jnp.arange(count)))

    return mean


@eqx.filter_jit
def of_ensemble(ensemble: Ensemble, fids: Complex[Array, "s n"]) -> Spread:
    """`Spread` of an ensemble for each FID."""

    def one(fid):
        found = jax.vmap(lambda p: _outputs(ensemble.member(p).encode(fid)))(ensemble.params)
        return mixture(*found)

    return jax.vmap(one)(fids)


@eqx.filter_jit
def of_dropout(network: Network, fids: Complex[Array, "s n"], *, draws: int, key: Key[Array, ""]) -> Spread:
    """`Spread` of `draws` passes with dropout (Gal and Ghahramani 2016) for each FID; an encoder without dropout has no epistemic part."""

    def one(fid, key):
        found = jax.vmap(lambda k: _outputs(network.encode(fid, key=k)))(jax.random.split(key, draws))
        return mixture(*found)

    return jax.vmap(one)(fids, jax.random.split(key, len(fids)))


def _outputs(prediction: Prediction):
    return prediction.outputs, prediction.log_sd
