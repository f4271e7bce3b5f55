"""Full Fisher information at the end of a fit: amplitudes, non-linear parameters and baseline together."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from mrsjax.inference.linalg import inverse, masked, schur
from mrsjax.inference.varpro import Problem, Tree, gram_matrix, rows_of, smooth, stacked
from mrsjax.physics.model import SignalModel


def covariance(
    model: SignalModel, tree: Tree, problem: Problem, theta: Float[Array, " p"], amplitudes: Float[Array, " m"]
) -> tuple[Float[Array, "m m"], Float[Array, " p"], Float[Array, ""]]:
    """Covariance of all amplitudes and standard deviations of the non-linear parameters, in units of the noise; and the
    effective number of parameters, tr F^-1 (F - prior precisions), of those that are not at zero or at a bound.

        F = [A J]' W [A J] + prior precisions,   covariance = F^-1

    W projects out the penalised baseline (its prior included), A holds every amplitude, those at zero too, and J = d(c A)/d theta. Parameters at a
    bound are taken as known. With wide priors this is the Cramer-Rao bound; with informative ones its Bayesian form (van Trees).
    """
    values = tree.unravel(theta)
    design, fids = model.design(values)
    a, j = stacked(design), stacked(rows_of(model.jacobian(values, amplitudes, fids)))
    pa, pj = smooth(model, problem, a), smooth(model, problem, j)
    gram = gram_matrix(problem, a, pa)
    cross = a @ j.T - pa @ pj.T
    free = (theta > tree.lower) & (theta < tree.upper)
    inner = inverse(masked(schur(gram, cross, j @ j.T - pj @ pj.T) + jnp.diag(problem.weight), free))
    known = inverse(gram)  # covariance of the amplitudes were the rest known
    back = known @ jnp.where(free[None, :], cross, 0.0)
    cov = known + back @ inner @ back.T
    sd = jnp.where(free, jnp.sqrt(jnp.maximum(jnp.diagonal(inner), 0.0)), 0.0)
    seen = jnp.sum(amplitudes > 0) - jnp.sum(cov * problem.precision)
    return cov, sd, seen + jnp.sum(jnp.where(free, 1.0 - problem.weight * jnp.diagonal(inner), 0.0))
