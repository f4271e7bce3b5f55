"""Small dense linear algebra in pure JAX for batched use.

LAPACK-backed calls under `vmap` can deadlock XLA's CPU thread pool and are slow for many tiny systems on a GPU. The factorisation and the
triangular solves here go over panels of `WIDTH` columns: a few unrolled steps inside a panel, one matrix product for the rest.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

WIDTH = 8


def _padded(a: Float[Array, "n n"]) -> Float[Array, "q q"]:
    """`a` continued by an identity to a multiple of WIDTH."""
    n = a.shape[0]
    extra = -n % WIDTH
    if extra == 0:
        return a
    return jnp.pad(a, ((0, extra), (0, extra))) + jnp.diag(
        jnp.where(jnp.arange(n + extra) < n, 0.0, 1.0).astype(a.dtype)
    )


def cholesky(a: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """Lower factor L of a symmetric positive definite a = L L'. A non-positive pivot is replaced by a tiny positive one."""
    n = a.shape[0]
    a = _padded(a)
    size = a.shape[0]
    index = jnp.arange(size)
    tiny = jnp.finfo(a.dtype).eps * jnp.max(jnp.diagonal(a)) + jnp.finfo(a.dtype).tiny

    def panel(i, carry):
        rest, low = carry
        first = i * WIDTH
        block = lax.dynamic_slice_in_dim(rest, first, WIDTH, axis=1)
        columns = []
        for j in range(WIDTH):
            column = block[:, j]
            for done in columns:
                column = column - done * lax.dynamic_index_in_dim(done, first + j, keepdims=False)
            pivot = jnp.maximum(lax.dynamic_index_in_dim(column, first + j, keepdims=False), tiny)
            columns.append(jnp.where(index >= first + j, column * lax.rsqrt(pivot), 0.0))
        block = jnp.stack(columns, axis=1)
        low = lax.dynamic_update_slice_in_dim(low, block, first, axis=1)
        return rest - jnp.matmul(block, block.T, precision=lax.Precision.HIGHEST), low

    low = lax.fori_loop(0, size // WIDTH, panel, (a, jnp.zeros_like(a)))[1]
    return low[:n, :n]


def solve_lower(low: Float[Array, "n n"], b: Float[Array, "n r"]) -> Float[Array, "n r"]:
    """x with L x = b."""
    return _solve(low, b, lower=True)


def solve_upper(low: Float[Array, "n n"], b: Float[Array, "n r"]) -> Float[Array, "n r"]:
    """x with L' x = b."""
    return _solve(low, b, lower=False)


def _solve(low, b, *, lower: bool):
    n = low.shape[0]
    low = _padded(low)
    size = low.shape[0]
    b = jnp.pad(b, ((0, size - n), (0, 0)))
    order = range(WIDTH) if lower else range(WIDTH - 1, -1, -1)

    def panel(i, carry):
        rest, x = carry
        first = i * WIDTH if lower else size - WIDTH - i * WIDTH
        block = lax.dynamic_slice_in_dim(rest, first, WIDTH, axis=0)
        corner = lax.dynamic_slice(low, (first, first), (WIDTH, WIDTH))
        rows: dict[int, Array] = {}
        for j in order:
            row = block[j]
            for k, done in rows.items():
                row = row - (corner[j, k] if lower else corner[k, j]) * done
            rows[j] = row / corner[j, j]
        block = jnp.stack([rows[j] for j in range(WIDTH)])
        x = lax.dynamic_update_slice_in_dim(x, block, first, axis=0)
        if lower:
            factor = lax.dynamic_slice_in_dim(low, first, WIDTH, axis=1)
        else:
            factor = lax.dynamic_slice_in_dim(low, first, WIDTH, axis=0).T
        return rest - jnp.matmul(factor, block, precision=lax.Precision.HIGHEST), x

    return lax.fori_loop(0, size // WIDTH, panel, (b, jnp.zeros_like(b)))[1][:n]


def masked(a: Float[Array, "n n"], keep: Bool[Array, " n"]) -> Float[Array, "n n"]:
    """`a` with the rows and columns outside `keep` replaced by those of the identity."""
    both = keep[:, None] & keep[None, :]
    return jnp.where(both, a, jnp.eye(a.shape[0], dtype=a.dtype))


def _unit_diagonal(a: Float[Array, "n n"]) -> tuple[Float[Array, "n n"], Float[Array, " n"]]:
    """s a s with a unit diagonal, and s."""
    scale = lax.rsqrt(jnp.maximum(jnp.diagonal(a), jnp.finfo(a.dtype).tiny))
    return a * scale[:, None] * scale[None, :], scale


def solve(a: Float[Array, "n n"], b: Float[Array, " n"], keep: Bool[Array, " n"]) -> Float[Array, " n"]:
    """x with a x = b on the rows and columns `keep`, 0 elsewhere."""
    scaled, scale = _unit_diagonal(a)
    low = cholesky(masked(scaled, keep))
    right = jnp.where(keep, b * scale, 0.0)[:, None]
    return solve_upper(low, solve_lower(low, right))[:, 0] * jnp.where(keep, scale, 0.0)


def inverse(a: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """Inverse of a symmetric positive definite matrix."""
    scaled, scale = _unit_diagonal(a)
    inv_low = solve_lower(cholesky(scaled), jnp.eye(a.shape[0], dtype=a.dtype))
    return jnp.matmul(inv_low.T, inv_low, precision=lax.Precision.HIGHEST) * scale[:, None] * scale[None, :]


def nnls(
    gram: Float[Array, "m m"], b: Float[Array, " m"], passive: Bool[Array, " m"]
) -> tuple[Float[Array, " m"], Bool[Array, " m"]]:
    """argmin_{c >= 0} c' gram c / 2 - b' c, started from the passive set of a similar problem; returns c and its passive set.

    Block principal pivoting with Murty's rule as the safeguard against cycles (Portugal, Judice and Vicente 1994; Kim and Park 2011).
    """
    m = gram.shape[0]
    eps = jnp.finfo(gram.dtype).eps
    gram, scale = _unit_diagonal(gram)
    gram = gram + 50 * eps * jnp.eye(m, dtype=gram.dtype)
    b = b * scale
    tolerance = 100 * eps * (jnp.max(jnp.abs(b)) + jnp.finfo(gram.dtype).tiny)
    index = jnp.arange(m, dtype=jnp.int32)

    def solved(passive):
        low = cholesky(masked(gram, passive))
        c = solve_upper(low, solve_lower(low, jnp.where(passive, b, 0.0)[:, None]))[:, 0]
        dual = gram @ c - b
        return c, (passive & (c < -tolerance)) | (~passive & (dual < -tolerance))

    def step(state):
        passive, wrong, _, best, patience, i = state
        count = jnp.sum(wrong, dtype=jnp.int32)
        better = count < best
        last = wrong & (index == jnp.max(jnp.where(wrong, index, -1)))
        passive = passive ^ jnp.where(better | (patience > 0), wrong, last)
        c, wrong = solved(passive)
        patience = jnp.where(better, jnp.int32(3), patience - 1)
        return passive, wrong, c, jnp.minimum(best, count), patience, i + 1

    def unfinished(state: tuple[Array, Array, Array, Array, Array, Int[Array, ""]]):
        return jnp.any(state[1]) & (state[5] < 5 * m)

    c, wrong = solved(passive)
    start = (passive, wrong, c, jnp.int32(m + 1), jnp.int32(3), jnp.int32(0))
    passive, _, c, *_ = lax.while_loop(unfinished, step, start)
    return jnp.maximum(c, 0.0) * scale, passive
