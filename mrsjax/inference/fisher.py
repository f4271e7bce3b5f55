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
    effective number of parameters, tr F^-1 (F - prior precisions), of those that are not at zero or at a bound.

        F = [A J]' W [A J] / level^2 + prior precisions,   covariance = F^-1

    `level`: noise in units of the problems. W projects out the penalised baseline (its prior included), A holds every amplitude, those at zero too, and
    J = d(c A)/d theta. Parameters at a bound are taken as known. With wide priors this is the Cramer-Rao bound; with informative ones its Bayesian form (van
    Trees). The parts of F are those of the fit's last accepted point: no model is evaluated here.
    """
    rows = (problem.precision, problem.weight, at, level)
    parts = []
    for first in range(0, len(level), BLOCK):
        block = jax.tree.map(lambda x, first=first: np.asarray(x[first : first + BLOCK]), rows)
        parts.append(_covariance(np.asarray(tree.lower), np.asarray(tree.upper), *block))
    covariances, deviations, effective = (np.concatenate(x) for x in zip(*parts, strict=True))
    return covariances, deviations, effective


def _covariance(lower, upper, p, w, at: Point, level):
    prior = w[:, :, None] * np.eye(w.shape[1])
    variance = level[:, None, None] ** 2
    gram = (at.linear.gram - p) / variance + p
    information = (at.information - prior) / variance + prior
    cross = at.cross / variance
    free = (at.theta > lower) & (at.theta < upper)
    known = inverse(gram)  # covariance of the amplitudes were the rest known
    left = known @ cross
    inner = inverse(_masked(information - cross.swapaxes(1, 2) @ left, free))
    back = np.where(free[:, None, :], left, 0.0)
    cov = known + back @ inner @ back.swapaxes(1, 2)
    variances = np.where(free, np.maximum(np.diagonal(inner, axis1=1, axis2=2), 0.0), 0.0)
    seen = np.sum(at.linear.amplitudes > 0, axis=1) - np.sum(cov * p, axis=(1, 2))
    return cov, np.sqrt(variances), seen + np.sum(np.where(free, 1.0 - w * variances, 0.0), axis=1)


def inverse(a: Float[np.ndarray, "s n n"]) -> Float[np.ndarray, "s n n"]:
    """Inverses of symmetric positive definite matrices."""
    scale = 1 / np.sqrt(np.maximum(np.diagonal(a, axis1=1, axis2=2), np.finfo(np.float32).tiny))
    both = scale[:, :, None] * scale[:, None, :]
    return np.linalg.inv(a * both + RIDGE * np.eye(a.shape[1])) * both


def _masked(a: Float[np.ndarray, "s n n"], keep: Bool[np.ndarray, "s n"]) -> Float[np.ndarray, "s n n"]:
    """Rows and columns outside `keep` replaced by those of the identity."""
    return np.where(keep[:, :, None] & keep[:, None, :], a, np.eye(a.shape[1]))
