"""exp(i x) by polynomials: XLA makes one loop of them and of what uses them, and no table or call is in it."""

import math

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float

#: Minimax polynomials in x^2 of cos x and sin(x) / x on |x| <= pi/4: relative errors 3.3e-8 and 3.2e-9.
_COSINE = (0.999999967, -0.499998424, 0.0416544196, -0.00135794041)
_SINE = (0.999999997, -0.166666502, 0.00833201645, -0.00019501822)


def quarter(x: Float[Array, "*s"]) -> tuple[Float[Array, "*s"], Float[Array, "*s"]]:
    """cos x and sin x for |x| <= pi/4."""
    square = x * x
    fourth = square * square
    of_cosine, of_sine = (tuple(x.dtype.type(c) for c in p) for p in (_COSINE, _SINE))
    even = lambda p: (p[0] + p[1] * square) + (p[2] + p[3] * square) * fourth  # noqa: E731
    return even(of_cosine), x * even(of_sine)


def cis_turns(turns: Float[Array, "*s"]) -> Complex[Array, "*s"]:
    """exp(2 pi i turns), absolute error 1e-7 beside the rounding of `turns`."""
    left = turns - jnp.round(turns)
    quadrant = jnp.round(4 * left)
    cosine, sine = quarter((left - 0.25 * quadrant) * turns.dtype.type(2 * math.pi))
    number = quadrant.astype(jnp.int32)  # -2 .. 2
    swap = (number & 1) == 1
    x, y = jnp.where(swap, sine, cosine), jnp.where(swap, cosine, sine)
    return lax.complex(jnp.where((number + 1) & 2 == 2, -x, x), jnp.where(number & 2 == 2, -y, y))
