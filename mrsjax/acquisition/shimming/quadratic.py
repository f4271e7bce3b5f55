"""Small convex quadratic programs in pure JAX, so that bounded least squares runs under `jit` and `vmap`."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from mrsjax.inference.linalg import eliminate


class Limits(NamedTuple):
    """Limits of the currents: `lower`, `upper` for each channel (infinite: none), `total` of the sum of magnitudes (None: none), which counts the
    channels of `counted`.
    """

    lower: Float[Array, " k"]
    upper: Float[Array, " k"]
    total: Float[Array, ""] | None
    counted: Bool[Array, " k"]


class Minimum(NamedTuple):
    """Minimiser of a quadratic program, duality gap relative to the scale of the objective, the gap at which it stops, iterations."""

    x: Float[Array, " k"]
    gap: Float[Array, ""]
    stop: Float[Array, ""]
    iterations: Int[Array, ""]


def bounded_quadratic(gram: Float[Array, "k k"], b: Float[Array, " k"], limits: Limits) -> Minimum:
    """argmin x' gram x / 2 - b' x within limits, gram symmetric positive definite.

    A total limit sum |x| <= L is written with t >= |x|, sum t <= L. Primal-dual interior point with Mehrotra's predictor and corrector on
    unknowns scaled to a unit diagonal; stops at a relative gap of 1e-12 (64 eps in single precision) or after 60 steps. Two equal limits hold an unknown.
    """
    k = b.shape[0]
    scale = lax.rsqrt(jnp.maximum(jnp.diagonal(gram), jnp.finfo(gram.dtype).tiny))
    g = gram * scale[:, None] * scale
    size = jnp.maximum(jnp.max(jnp.abs(b * scale)), jnp.finfo(gram.dtype).tiny)  # the unknowns are of this size
    b = b * scale / size
    bounds = [x / (scale * size) for x in (limits.upper, -limits.lower)]
    eye, zero = jnp.eye(k, dtype=g.dtype), jnp.zeros((k, k), g.dtype)
    rows, right = jnp.concatenate([eye, -eye]), jnp.concatenate(bounds)
    if limits.total is not None:
        g = jnp.block([[g, zero], [zero, zero]])
        b = jnp.concatenate([b, jnp.zeros(k, g.dtype)])
        counted = jnp.where(limits.counted, scale, 0.0)
        sums = jnp.concatenate([jnp.zeros(k, g.dtype), counted])[None] * size
        largest = jnp.concatenate([zero, eye], axis=1)  # keeps t bounded where it does not count
        rows = jnp.concatenate(
            [jnp.pad(rows, ((0, 0), (0, k))), jnp.block([[eye, -eye], [-eye, -eye]]), sums / limits.total, largest]
        )
        right = jnp.concatenate([right, jnp.zeros(2 * k, g.dtype), jnp.ones(1, g.dtype), jnp.full(k, 1e3, g.dtype)])
    absent = ~jnp.isfinite(right)
    rows, right = jnp.where(absent[:, None], 0.0, rows), jnp.where(absent, 1.0, right)
    x, gap, stop, iterations = _interior_point(g, b, rows, right)
    x = x[:k] * scale * size
    return Minimum(jnp.clip(x, limits.lower, limits.upper), gap, stop, iterations)


def _interior_point(g, b, rows, right):
    """min x'gx/2 - b'x subject to rows x <= right, from x = 0."""
    m = len(right)
    eps = jnp.finfo(g.dtype).eps
    stop = jnp.asarray(max(1e-12, 64 * float(eps)), g.dtype)
    # channels that are alike in a region (Z in one axial slice) leave g singular: of all solutions a small one
    g = g + jnp.maximum(1e-11, 8 * eps) * jnp.eye(len(b), dtype=g.dtype)

    def residuals(x, s, z):
        return g @ x - b + z @ rows, rows @ x + s - right

    def reach(v, dv):
        return jnp.minimum(1.0, 0.99 * jnp.min(jnp.where(dv < 0, -v / dv, jnp.inf)))

    def step(state):
        x, s, z, _, i = state
        dual, primal = residuals(x, s, z)
        ratio = z / s
        inverse = eliminate(g + (rows.T * ratio) @ rows, jnp.eye(len(b), dtype=g.dtype))

        def direction(target):
            dx = inverse @ (-dual + rows.T @ (target / s - ratio * primal))
            ds = -primal - rows @ dx
            return dx, ds, -(target + z * ds) / s

        _, ds, dz = direction(s * z)
        mu = s @ z / m
        after = (s + reach(s, ds) * ds) @ (z + reach(z, dz) * dz) / m
        dx, ds, dz = direction(s * z + ds * dz - (after / mu) ** 3 * mu)
        length = jnp.minimum(reach(s, ds), reach(z, dz))
        x, s, z = x + length * dx, s + length * ds, z + length * dz
        dual, primal = residuals(x, s, z)
        gap = s @ z / m + jnp.max(jnp.abs(dual)) ** 2 + jnp.max(jnp.abs(primal))
        return x, s, z, gap, i + 1

    one = jnp.ones(m, g.dtype)
    start = (jnp.zeros_like(b), jnp.maximum(right, one), one, jnp.asarray(jnp.inf, g.dtype), jnp.int32(0))
    x, _, _, gap, i = lax.while_loop(lambda v: (v[3] > stop) & (v[4] < 60), step, start)
    return x, gap, stop, i
