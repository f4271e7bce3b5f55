"""The likelihood of the non-linear parameters alone, amplitudes and baseline integrated out.

With a flat prior on amplitudes of either sign, G = A W A' + P and c = G^-1 A W z (z, W, P: `inference.varpro`),

    log p(z | theta) = (c' G c - z' W z - log det G) / 2 + constant,      c | theta, z ~ N(c, G^-1)
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from mrsjax.inference.linalg import inverse, log_determinant
from mrsjax.inference.varpro import Problem, gram_matrix, smooth, stacked
from mrsjax.physics.model import SignalModel, Values


class Marginal(NamedTuple):
    """`log_likelihood` of the non-linear parameters, up to a constant; mean and variance of the amplitudes given them, in units of the problem's noise."""

    log_likelihood: Float[Array, ""]
    mean: Float[Array, " m"]
    variance: Float[Array, " m"]


def marginal(model: SignalModel, problem: Problem, values: Values) -> Marginal:
    """The `Marginal` of one spectrum at `values`. Unlike the fit, amplitudes may be negative: the integral over c >= 0 has no closed form."""
    a, z = stacked(model.design(values)[0]), stacked(problem.data[None])
    pa, pz = smooth(model, problem, a), smooth(model, problem, z)
    gram = gram_matrix(problem, a, pa)
    spread = inverse(gram)
    b = a @ z[0] - pa @ pz[0]
    c = spread @ b
    chi2 = jnp.sum(z**2) - jnp.sum(pz**2) - b @ c
    return Marginal(-0.5 * (chi2 + log_determinant(gram)), c, jnp.diagonal(spread))
