"""Test-time adaptation: each spectrum moves its own copy of the network by a few gradient steps of the residual that it leaves."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Complex, Float

from mrsjax.core import Sample
from mrsjax.inference.batch import map_rows
from mrsjax.nn.frozen import partition
from mrsjax.nn.losses import residual
from mrsjax.nn.network import Network


class Adapted(NamedTuple):
    """`values` of the coarse model's parameters where the residual was smallest, and the residual (chi^2 a point) `before` and `after`."""

    values: dict[str, dict[str, Any]]
    before: Float[np.ndarray, " s"]
    after: Float[np.ndarray, " s"]


def adapt(
    network: Network, fids: Complex[Array | np.ndarray, "s n"], *, steps: int = 8, learning_rate: float = 2e-3
) -> Adapted:
    """`steps` of Adam on `losses.residual` for each FID, from the trained weights each time; no truth is needed.

    The best step is kept, the zeroth included: the residual never grows. NaN for data that are not finite. `values` are starting values for `inference.fit(..., start=...)`. Memory: one copy of
    the weights and two moments for each slot of `inference.batch`.
    """
    return Adapted(*map_rows(lambda x: _adapt(network, x, steps, learning_rate), np.asarray(fids).astype(np.complex64)))


@eqx.filter_jit
def _adapt(network: Network, fids: Complex[Array, "b n"], steps: int, learning_rate: float):
    optimiser = optax.adam(learning_rate)
    start, rest = partition(network)

    def one(fid):
        def loss(weights):
            whole = eqx.combine(weights, rest)
            found = whole.estimate(fid)
            return residual(whole, found, Sample(fid, {}, {})), found.values

        def step(carry, _):
            weights, state, best, values = carry
            (value, found), gradient = jax.value_and_grad(loss, has_aux=True)(weights)
            better = value < best
            best, values = jax.tree.map(lambda new, old: jnp.where(better, new, old), (value, found), (best, values))
            with jax.numpy_dtype_promotion("standard"):
                update, state = optimiser.update(gradient, state)
                weights = optax.apply_updates(weights, update)
            return (weights, state, best, values), value

        nothing = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), network.map.start.value)
        carry = start, optimiser.init(start), jnp.full((), jnp.inf, jnp.float32), nothing
        carry, losses = jax.lax.scan(step, carry, length=steps + 1)
        after = jnp.where(jnp.isfinite(losses[0]), carry[2], jnp.nan)
        return carry[3], losses[0], after

    return jax.vmap(one)(fids)
