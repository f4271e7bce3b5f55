"""Small dense linear algebra in pure JAX for batched use.

LAPACK-backed calls under `vmap` can deadlock XLA's CPU thread pool and are slow for many tiny systems on a GPU. Symmetric positive definite systems need
no pivoting: Gauss elimination as a loop of rank-one updates of a whole table is backward stable (unlike Gauss-Jordan's, which loses the
residual in single precision), and compiles to few instructions.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Inexact, Int

#: Rows that one loop of rank-one updates works on; larger tables are taken in halves with a matrix product between them, which is fewer bytes.
PANEL = 48


def _forward(table: Inexact[Array, "n c"]) -> Inexact[Array, "n c"]:
    """Gauss elimination of [a | b] for a symmetric (Hermitian) positive definite a (n, n): [u | v], u upper triangular. A non-positive pivot counts as
    a tiny positive one."""
    n = table.shape[0]
    if n > PANEL:
        half = n // 2
        top = _forward(table[:half])
        rest = _forward(_update(table[half:, half:], top, top[:, half:], half))
        return jnp.concatenate([top, jnp.pad(rest, ((0, 0), (half, 0)))])
    index, tiny = jnp.arange(n), _tiny(table)

    def step(k, table):
        row = lax.dynamic_index_in_dim(table, k, 0, keepdims=False)
        column = lax.dynamic_index_in_dim(table, k, 1, keepdims=False)
        pivot = jnp.maximum(lax.dynamic_index_in_dim(row, k, 0, keepdims=False).real, tiny)
        factor = jnp.where(index > k, column / pivot, 0.0)
        return table - factor[:, None] * row

    return lax.fori_loop(0, n, step, table)


def _tiny(table: Inexact[Array, "n c"]) -> Float[Array, ""]:
    """The smallest pivot."""
    limits = jnp.finfo(table.dtype)
    return limits.eps * jnp.max(jnp.diagonal(table).real) + limits.tiny


def _update(rest, top: Inexact[Array, "n c"], right: Inexact[Array, "n r"], first: int):
    """`rest` after the elimination of the rows `top`, whose columns from `first` on (as many as `rest` has rows) stand above and beside it."""
    above = top[:, first : first + rest.shape[0]]
    pivots = jnp.maximum(jnp.diagonal(top).real, _tiny(top))
    return rest - jnp.matmul((above / pivots[:, None]).conj().T, right, precision=lax.Precision.HIGHEST)


def schur(a: Float[Array, "n n"], b: Float[Array, "n p"], c: Float[Array, "p p"]) -> Float[Array, "p p"]:
    """c - b' a^-1 b for a symmetric positive definite a."""
    n = a.shape[0]
    top = _forward(jnp.concatenate([a, b], axis=1))
    return _update(c, top, top[:, n:], n)


def eliminate(a: Inexact[Array, "n n"], b: Inexact[Array, "n r"]) -> Inexact[Array, "n r"]:
    """X with a X = b for a symmetric (Hermitian) positive definite a."""
    n = a.shape[0]
    table = _forward(jnp.concatenate([a, b], axis=1))
    upper, right = table[:, :n], table[:, n:]
    pivots = jnp.maximum(jnp.diagonal(upper).real, _tiny(a))

    def step(i, x):
        k = n - 1 - i
        known = lax.dynamic_index_in_dim(upper, k, 0, keepdims=False) @ x  # rows below k are solved, row k is still 0
        return x.at[k].set((right[k] - known) / pivots[k])

    return lax.fori_loop(0, n, step, jnp.zeros_like(b))


def log_determinant(a: Float[Array, "n n"]) -> Float[Array, ""]:
    """log det of a symmetric positive definite matrix: the sum of the logarithms of its pivots."""
    scaled, scale = _unit_diagonal(a)
    pivots = jnp.diagonal(_forward(scaled))
    tiny = jnp.finfo(a.dtype).eps
    return jnp.sum(jnp.log(jnp.maximum(pivots, tiny))) - 2 * jnp.sum(jnp.log(scale))


def masked(a: Inexact[Array, "n n"], keep: Bool[Array, " n"]) -> Inexact[Array, "n n"]:
    """`a` with the rows and columns outside `keep` replaced by those of the identity."""
    both = keep[:, None] & keep[None, :]
    return jnp.where(both, a, jnp.eye(a.shape[0], dtype=a.dtype))


def _unit_diagonal(a: Inexact[Array, "n n"]) -> tuple[Inexact[Array, "n n"], Float[Array, " n"]]:
    """s a s with a unit diagonal, and s."""
    scale = lax.rsqrt(jnp.maximum(jnp.diagonal(a).real, jnp.finfo(a.dtype).tiny))
    return a * scale[:, None] * scale[None, :], scale


def solve(a: Inexact[Array, "n n"], b: Inexact[Array, "*shape"], keep: Bool[Array, " n"]) -> Inexact[Array, "*shape"]:
    """x with a x = b on the rows and columns `keep`, 0 elsewhere; a symmetric (Hermitian) positive definite."""
    scaled, scale = _unit_diagonal(a)
    scale = jnp.where(keep, scale, 0.0)[:, None]
    return (eliminate(masked(scaled, keep), b.reshape(len(b), -1) * scale) * scale).reshape(b.shape)


def differentiable_solve(a: Float[Array, "n n"], b: Float[Array, " n"], keep: Bool[Array, " n"]) -> Float[Array, " n"]:
    """`solve` that is differentiable in both modes, linear in b: its derivatives are solves of the same system."""
    return lax.custom_linear_solve(
        lambda x: masked(a, keep) @ x,
        jnp.where(keep, b, 0.0),
        lambda _, b: solve(a, b, keep),
        transpose_solve=lambda _, b: solve(a, b, keep),
        symmetric=True,
    )


def inverse(a: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """Inverse of a symmetric positive definite matrix."""
    scaled, scale = _unit_diagonal(a)
    return eliminate(scaled, jnp.eye(a.shape[0], dtype=a.dtype)) * scale[:, None] * scale[None, :]


@jax.custom_jvp
def nnls(
    gram: Float[Array, "m m"], b: Float[Array, " m"], passive: Bool[Array, " m"]
) -> tuple[Float[Array, " m"], Bool[Array, " m"]]:
    """argmin_{c >= 0} c' gram c / 2 - b' c, started from the passive set of a similar problem; returns c and its passive set.

    Block principal pivoting with Murty's rule as the safeguard against cycles (Portugal, Judice and Vicente 1994; Kim and Park 2011).
    Differentiable in both modes by the implicit function theorem on the passive set: dc = gram^-1 (db - dgram c) there, 0 elsewhere.
    """
    m = gram.shape[0]
    eps = jnp.finfo(gram.dtype).eps
    gram, scale = _unit_diagonal(gram)
    gram = gram + 50 * eps * jnp.eye(m, dtype=gram.dtype)
    b = b * scale
    tolerance = 100 * eps * (jnp.max(jnp.abs(b)) + jnp.finfo(gram.dtype).tiny)
    index = jnp.arange(m, dtype=jnp.int32)

    def step(state):
        passive, wrong, _, best, patience, i = state
        count = jnp.sum(wrong, dtype=jnp.int32)
        better = count < best
        last = wrong & (index == jnp.max(jnp.where(wrong, index, -1)))
        passive = passive ^ jnp.where(better | (patience > 0), wrong, last)
        patience = jnp.where(better, jnp.int32(3), patience - 1)
        c = eliminate(masked(gram, passive), jnp.where(passive, b, 0.0)[:, None])[:, 0]
        dual = gram @ c - b
        wrong = (passive & (c < -tolerance)) | (~passive & (dual < -tolerance))
        return passive, wrong, c, jnp.where(i > 0, jnp.minimum(best, count), best), patience, i + 1

    def unfinished(state: tuple[Array, Array, Array, Array, Array, Int[Array, ""]]):
        return (state[5] == 0) | (jnp.any(state[1]) & (state[5] < 5 * m))

    nothing = jnp.zeros(m, bool)  # the first step changes nothing and solves for the given set
    start = (passive, nothing, jnp.zeros_like(b), jnp.int32(m + 1), jnp.int32(3), jnp.int32(0))
    passive, _, c, *_ = lax.while_loop(unfinished, step, start)
    return jnp.maximum(c, 0.0) * scale, passive


@nnls.defjvp  # pyright: ignore[reportArgumentType]  (the tangent of a Boolean is float0)
def _nnls_jvp(primals, tangents):
    gram, b, passive = primals
    c, found = nnls(gram, b, passive)
    change = tangents[1] - tangents[0] @ c
    moved = differentiable_solve(gram, change, found & (c > 0))
    return (c, found), (moved, np.zeros(found.shape, jax.dtypes.float0))


@jax.custom_jvp
def boxed(
    h: Float[Array, "p p"],
    g: Float[Array, " p"],
    x: Float[Array, " p"],
    low: Float[Array, " p"],
    high: Float[Array, " p"],
) -> Float[Array, " p"]:
    """About argmin_{low <= y <= high} g' (y - x) + (y - x)' h (y - x) / 2, h symmetric positive definite, from an x within the bounds.

    Newton steps on the free part, each as far as the nearest bound, whose parameter then stays there (Nocedal and Wright 2006, 16.7): the quadratic never rises, and what ends on a bound
    is on it exactly. A parameter that came to a bound is not let off again: the next step of the iteration around it does that. Differentiable in both modes by the implicit function
    theorem on the parameters that are not at a bound.
    """

    def step(state):
        y, slope, held, _ = state
        full = solve(h, -slope, ~held)
        bound = jnp.where(full > 0, high, low)
        room = jnp.where(held | (full == 0), jnp.inf, (bound - y) / jnp.where(full == 0, 1.0, full))
        part = jnp.minimum(jnp.min(room), 1.0)
        hit = (room <= part) & (part < 1)
        y = jnp.where(hit, bound, jnp.clip(y + part * full, low, high))
        return y, g + h @ (y - x), held | hit, jnp.any(hit)

    held = ((x <= low) & (g > 0)) | ((x >= high) & (g < 0))
    return lax.while_loop(lambda state: state[3], step, (x, g, held, jnp.array(True)))[0]


@boxed.defjvp
def _boxed_jvp(primals, tangents):
    h, g, x, low, high = primals
    dh, dg, dx, of_low, of_high = tangents
    y = boxed(h, g, x, low, high)
    below, above = y <= low, y >= high
    fixed = jnp.where(below, of_low, jnp.where(above, of_high, 0.0))
    right = -(dg + dh @ (y - x) + h @ (fixed - dx))
    return y, fixed + differentiable_solve(h, right, ~(below | above))
