"""Neural posteriors: a conditional flow behind a network's variance head, re-weighted by the exact likelihood.

A network with `variance: true` gives mean mu and standard deviation s of its outputs u; the flow (rational-quadratic spline couplings, Durkan et al. 2019, of
flowjax) is conditioned on both and transforms what the Gaussian head leaves, e = (u - mu) / s:

    q(u | z) = q_flow(e | mu, log s) / prod s          trained by -log q at the true parameters

Draws are weighted by w = p(z | theta) p(theta) |dtheta / du| / q(u | z), amplitudes integrated out (`inference.marginal`). 1 / sum w^2 of normalised weights is the
effective number of draws: a posterior that the network does not know, and data that it has not seen, leave few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from mrsjax.core import Sample
from mrsjax.inference.batch import map_rows
from mrsjax.inference.marginal import marginal
from mrsjax.nn.frozen import Frozen
from mrsjax.nn.network import Network, Prediction


class NeuralPosterior(eqx.Module):
    """A network and the flow behind it; trained by `train` with the loss `negative_log_density`.

    **Arguments:** `network`: of `calibrate`, with `variance: true` and at least two predicted parameters. `layers`, `width`, `knots`: of the flow.

    **Raises:** `ValueError` for another network, `ImportError` naming the extra when flowjax is missing.
    """

    network: Network
    params: Any
    rest: Frozen[Any]

    def __init__(self, network: Network, *, key: Key[Array, ""], layers: int = 4, width: int = 32, knots: int = 8):
        try:
            import paramax
            from flowjax.bijections import RationalQuadraticSpline
            from flowjax.distributions import Normal
            from flowjax.flows import coupling_flow
        except ImportError:
            raise ImportError("flows need flowjax: pip install 'mrsjax[flows]'") from None
        p = len(network.map.names)
        if not network.spec.variance or network.spec.amplitudes == "network" or p < 2:
            raise ValueError(
                "network: wanted variance: true, at least two predicted parameters and amplitudes that are solved for"
            )
        with jax.enable_x64(False):
            flow = coupling_flow(
                key,
                base_dist=Normal(jnp.zeros(p, jnp.float32)),
                transformer=RationalQuadraticSpline(knots=knots, interval=6),
                cond_dim=2 * p,
                flow_layers=layers,
                nn_width=width,
            )
        self.network = network
        # what flowjax holds fixed must escape the optimiser's weight decay too
        fixed = lambda x: isinstance(x, paramax.NonTrainable)  # noqa: E731
        self.params, rest = eqx.partition(flow, eqx.is_inexact_array, is_leaf=fixed)
        self.rest = Frozen(rest)

    def flow(self):
        """The distribution of e, conditional on (mu, log s)."""
        import paramax

        return paramax.unwrap(eqx.combine(self.params, self.rest.value))


def negative_log_density(posterior: NeuralPosterior, sample: Sample, key: Any) -> Float[Array, ""]:
    """-log q of the true parameters, for each of them."""
    found = posterior.network.encode(sample.data, key=key)
    truth = posterior.network.map.outputs(sample.truth["vector"].astype(found.outputs.dtype))
    return -_log_q(posterior.flow(), found, truth) / len(truth)


def _condition(found: Prediction):
    assert found.log_sd is not None
    return jnp.concatenate([found.outputs, found.log_sd]), found.outputs, found.log_sd


def _log_q(flow, found: Prediction, u):
    condition, mean, log_sd = _condition(found)
    return flow.log_prob((u - mean) * jnp.exp(-log_sd), condition) - jnp.sum(log_sd)


class Draws(NamedTuple):
    """Draws of the posterior of each FID.

    - `vectors` (s, d, p): predicted parameters; `weights` (s, d): exact over approximate density, normalised to sum 1; NaN, as are the amplitudes, where no
      draw has a finite one (all are outside the prior).
    - `efficiency` (s,): effective number of draws as a part of all; small: not to be trusted; 0 without weights.
    - `amplitudes`, `amplitudes_sd` (s, m): mean and standard deviation under the weights, in units of the basis.
    """

    vectors: Float[Array | np.ndarray, "s d p"]
    weights: Float[Array | np.ndarray, "s d"]
    efficiency: Float[Array | np.ndarray, " s"]
    amplitudes: Float[Array | np.ndarray, "s m"]
    amplitudes_sd: Float[Array | np.ndarray, "s m"]


def sample(
    posterior: NeuralPosterior,
    fids: Complex[Array | np.ndarray, "s n"],
    log_prior: Callable[[Float[Array, " p"]], Float[Array, ""]],
    *,
    draws: int,
    key: Key[Array, ""],
) -> Draws:
    """Draws from q with their exact weights, in the slots of `inference.batch`, a draw of each at a time.

    **Arguments:** `log_prior`: of the predicted parameters (SI units), that of the training data. Parameters that the network does not predict are at their start.
    """
    seeds = np.asarray(jax.random.key_data(jax.random.split(key, len(fids))))
    return map_rows(lambda x: _sample(posterior, x[0], x[1], log_prior, draws), (np.asarray(fids), seeds))


@eqx.filter_jit
def _sample(posterior: NeuralPosterior, fids, seeds, log_prior, draws: int) -> Draws:
    network, flow = posterior.network, posterior.flow()

    def one(fid, seed):
        key = jax.random.wrap_key_data(seed)
        found = network.encode(fid)
        condition, mean, log_sd = _condition(found)
        e, log_q = flow.sample_and_log_prob(key, (draws,), condition)
        u, log_q = mean + e * jnp.exp(log_sd), log_q - jnp.sum(log_sd)

        def exact(u):
            vector, slope = jax.jvp(network.map.vector, (u,), (jnp.ones_like(u),))
            at = marginal(network.model, found.problem, network.map.tree(vector))
            density = at.log_likelihood + log_prior(vector) + jnp.sum(jnp.log(slope))
            return vector, density, at.mean, at.variance

        vectors, density, c, variance = jax.lax.map(exact, u)
        log_w = density - log_q
        finite = jnp.isfinite(log_w)
        w = jax.nn.softmax(jnp.where(finite, log_w, -jnp.inf))  # NaN where none is finite
        efficiency = jnp.where(jnp.any(finite), 1.0 / (draws * jnp.sum(w**2)), 0.0)
        centre = w @ c
        sd = jnp.sqrt(w @ (variance + (c - centre) ** 2))
        return Draws(vectors, w, efficiency, found.noise * centre, found.noise * sd)

    return jax.vmap(one)(fids, seeds)
