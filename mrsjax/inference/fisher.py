"""Full Fisher information at the end of a fit: amplitudes, non-linear parameters and baseline together.

In NumPy, all spectra at once and in double precision: LAPACK outside of XLA is the fastest here, and nothing is compiled.
"""

import jax
import numpy as np
from jaxtyping import Bool, Float

from mrsjax.inference.varpro import Point, Problem, Tree

#: Added to the unit diagonal of matrices made in single precision, whose rounding could leave them indefinite.
RIDGE = 5e-7
#: Spectra whose matrices are in memory together (about 0.3 MB each).
BLOCK = 256


def covariance(
    tree: Tree, problem: Problem, at: Point, level: Float[np.ndarray, " s"]
) -> tuple[Float[np.ndarray, "s m m"], Float[np.ndarray, "s p"], Float[np.ndarray, " s"]]:
    """Covariance of all amplitudes and standard deviations of the non-linear parameters, in units of the problems; and the
    effective number of parameters, tr H^-1 F, of those that are not at zero or at a bound.

        F = [A J]' W [A J],   H = F + P,   covariance = H^-1 (level^2 F + P V P) H^-1

    of the estimate that minimises the fit's objective, whose precisions of the priors are P, where noise has the standard deviation `level` (in units of the problems) and truth the prior
    variances V that the model states (ratio priors: V = P^-1). Without priors it is level^2 F^-1, the Cramer-Rao bound; with level 1 and P = V^-1 its Bayesian form (van Trees 1968); both bounds are
    smaller where the fit gives its priors more weight than they state (`stages.between`), as it then is not the best estimate. W projects out the penalised baseline (its prior included), A
    holds every amplitude, those at zero too, and J = d(c A)/d theta. Parameters at a bound are taken as known. The parts of H are those of the fit's last accepted point: no model is evaluated here.
    """
    rows = (problem.precision, problem.weight, at, level)
    fixed = np.asarray(tree.lower), np.asarray(tree.upper), np.where(np.isfinite(tree.sd), tree.sd, 0.0) ** 2
    parts = []
    for first in range(0, len(level), BLOCK):
        block = jax.tree.map(lambda x, first=first: np.asarray(x[first : first + BLOCK]), rows)
        parts.append(_covariance(*fixed, *block))
    covariances, deviations, effective = (np.concatenate(x) for x in zip(*parts, strict=True))
    return covariances, deviations, effective


def _covariance(lower, upper, variance, p, w, at: Point, level):
    theta, gram, cross, information = map(np.asarray, (at.theta, at.linear.gram, at.cross, at.information))
    free = (theta > lower) & (theta < upper)
    known = inverse(gram)  # covariance of the amplitudes were the rest known
    left = known @ cross
    inner = inverse(_masked(information - cross.swapaxes(1, 2) @ left, free))
    inner = np.where(free[:, :, None] & free[:, None, :], inner, 0.0)
    both = left @ inner
    outer = known + both @ left.swapaxes(1, 2)  # H^-1 is [[outer, -both], [-both', inner]]
    # level^2 F + P V P = level^2 H + what is left, in blocks: of amplitudes (1 - level^2) p, of parameters a diagonal
    noise, rest = level[:, None] ** 2, w**2 * variance - level[:, None] ** 2 * w
    cov = noise[:, :, None] * outer + (1 - noise)[:, :, None] * (outer @ p @ outer)
    cov += (both * rest[:, None, :]) @ both.swapaxes(1, 2)
    variances = noise * np.diagonal(inner, axis1=1, axis2=2) + (1 - noise) * np.sum(both * (p @ both), axis=1)
    variances += np.sum(inner**2 * rest[:, None, :], axis=2)
    taken = np.sum(outer * p, axis=(1, 2)) + np.sum(w * np.diagonal(inner, axis1=1, axis2=2), axis=1)
    seen = np.sum(at.linear.amplitudes > 0, axis=1) + np.sum(free, axis=1)
    return cov, np.sqrt(np.maximum(variances, 0.0)), seen - taken


def inverse(a: Float[np.ndarray, "s n n"]) -> Float[np.ndarray, "s n n"]:
    """Inverses of symmetric positive definite matrices."""
    scale = 1 / np.sqrt(np.maximum(np.diagonal(a, axis1=1, axis2=2), np.finfo(np.float32).tiny))
    both = scale[:, :, None] * scale[:, None, :]
    return np.linalg.inv(a * both + RIDGE * np.eye(a.shape[1])) * both


def _masked(a: Float[np.ndarray, "s n n"], keep: Bool[np.ndarray, "s n"]) -> Float[np.ndarray, "s n n"]:
    """Rows and columns outside `keep` replaced by those of the identity."""
    return np.where(keep[:, :, None] & keep[:, None, :], a, np.eye(a.shape[1]))
