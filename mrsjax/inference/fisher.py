"""Full Fisher information at the end of a fit: amplitudes, non-linear parameters and baseline together."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from mrsjax.inference.linalg import inverse, masked, schur
from mrsjax.inference.varpro import Point, Problem, Tree


def covariance(
    tree: Tree, problem: Problem, at: Point
) -> tuple[Float[Array, "m m"], Float[Array, " p"], Float[Array, ""]]:
    """Covariance of all amplitudes and standard deviations of the non-linear parameters, in units of the noise; and the
    effective number of parameters, tr F^-1 (F - prior precisions), of those that are not at zero or at a bound.

        F = [A J]' W [A J] + prior precisions,   covariance = F^-1

    W projects out the penalised baseline (its prior included), A holds every amplitude, those at zero too, and J = d(c A)/d theta. Parameters at a
    bound are taken as known. With wide priors this is the Cramer-Rao bound; with informative ones its Bayesian form (van Trees). The parts of F are those
    of the fit's last accepted point: no model is evaluated here.
    """
    free = (at.theta > tree.lower) & (at.theta < tree.upper)
    known = inverse(at.linear.gram)  # covariance of the amplitudes were the rest known
    back = known @ jnp.where(free[None, :], at.cross, 0.0)
    inner = inverse(masked(schur(at.linear.gram, at.cross, at.information), free))
    cov = known + back @ inner @ back.T
    sd = jnp.where(free, jnp.sqrt(jnp.maximum(jnp.diagonal(inner), 0.0)), 0.0)
    seen = jnp.sum(at.linear.amplitudes > 0) - jnp.sum(cov * problem.precision)
    return cov, sd, seen + jnp.sum(jnp.where(free, 1.0 - problem.weight * jnp.diagonal(inner), 0.0))
