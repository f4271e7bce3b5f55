"""How the currents are found: exact bounded least squares, and gradient methods for every other objective."""

from __future__ import annotations

import enum
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float, Int

from mrsjax.acquisition.shimming.objectives import MeanSquare, Objective
from mrsjax.acquisition.shimming.quadratic import Limits, bounded_quadratic
from mrsjax.acquisition.shimming.region import Region


class ShimStatus(enum.IntEnum):
    """How an optimisation ended."""

    CONVERGED = 0
    MAX_ITERATIONS = 1
    NO_PROGRESS = 2  # no smaller value along the last direction: a kink of the objective, or rounding
    INVALID = 3  # not a finite number: the field, the maps or the objective


class Found(NamedTuple):
    """Currents, the objective's value there, `ShimStatus`, iterations."""

    currents: Float[Array, " k"]
    value: Float[Array, ""]
    status: Int[Array, ""]
    iterations: Int[Array, ""]


class LeastSquares(eqx.Module):
    """The exact minimum of `MeanSquare` (+ ridge sum current^2) within the limits, by an interior-point method."""

    ridge: float = eqx.field(static=True, default=0.0)


class SequentialQuadratic(eqx.Module):
    """Quasi-Newton for any differentiable objective within limits: each step minimises a quadratic model (damped BFGS, begun with the least-squares
    matrix) exactly within the limits, then halves its way back until the objective falls.

    Stops when the model promises less than `tolerance` of the value. optax and optimistix have no method for a limit on a sum of currents, and this one
    solves the bounded quadratic problem that exact least squares needs anyway.
    """

    max_iterations: int = eqx.field(static=True, default=60)
    tolerance: float = eqx.field(static=True, default=1e-6)


class Descent(eqx.Module):
    """An optax optimiser with projection onto the limits: for objectives with noisy or kinked gradients.

    The currents are scaled so that each channel alone makes the same field (1 Hz, root mean square) over the voxel. Converged: the last fifth of the
    steps made the lowest value smaller by less than `tolerance` of it.
    """

    optimiser: optax.GradientTransformation = eqx.field(static=True)
    steps: int = eqx.field(static=True, default=300)
    tolerance: float = eqx.field(static=True, default=1e-4)


def normal_equations(region: Region, ridge: float = 0.0) -> tuple[Float[Array, "k k"], Float[Array, " k"]]:
    """Matrix and right-hand side of least squares: M' W M + ridge, -M' W field."""
    weighted = region.weight[:, None] * region.maps
    return region.maps.T @ weighted + ridge * jnp.eye(region.maps.shape[1]), -weighted.T @ region.field


def least_squares(region: Region, limits: Limits, solver: LeastSquares) -> Found:
    """Exact least squares of one region; `vmap` over regions from outside."""
    gram, right = normal_equations(region, solver.ridge)
    end = bounded_quadratic(gram, right, limits)
    value = MeanSquare()(region, end.x)
    good = jnp.all(jnp.isfinite(end.x)) & jnp.isfinite(value)
    settled = jnp.where(end.gap <= end.stop, ShimStatus.CONVERGED, ShimStatus.MAX_ITERATIONS)
    return Found(end.x, value, jnp.where(good, settled, ShimStatus.INVALID), end.iterations)


def sequential_quadratic(
    objective: Objective, region: Region, start: Float[Array, " k"], limits: Limits, solver: SequentialQuadratic
) -> Found:
    """A local minimum from a start; `vmap` over starts and regions from outside."""
    gram, _ = normal_equations(region)
    scale = lax.rsqrt(jnp.maximum(jnp.diagonal(gram), jnp.finfo(gram.dtype).tiny))
    model = gram * scale[:, None] * scale
    model = model + 1e-6 * jnp.eye(len(scale), dtype=gram.dtype)
    scaled = Limits(limits.lower / scale, limits.upper / scale, limits.total, limits.counted)

    def value_of(x):
        return objective(region, x * scale)

    evaluate = jax.value_and_grad(value_of)

    def target(b, g, x):
        # the total counts currents, not scaled unknowns: solve in currents
        unscale = 1.0 / scale
        matrix = b * unscale[:, None] * unscale
        return bounded_quadratic(matrix, (b @ x - g) * unscale, limits).x / scale

    def step(state):
        # value and gradient stand in the program once: of a bound through the signal model each copy compiles for seconds
        x, last_x, last_g, b, _, _, i = state
        f, g = evaluate(x)
        # the matrix of least squares, scaled so that a full first step is of the size that the gradient and the value suggest
        curvature = 2.0 * jnp.maximum(f, 1e-12) / jnp.maximum(region.weight @ region.predicted(x * scale) ** 2, 1e-12)
        b = jnp.where(i == 0, model * curvature, _damped_bfgs(b, x - last_x, g - last_g))
        move = target(b, g, x) - x
        slope = g @ move
        promised = -(slope + 0.5 * move @ (b @ move))

        def shorter(s):
            length = 0.4 * s[0]
            return length, value_of(x + length * move), s[2] + 1

        def too_long(s):
            return ~(s[1] <= f + 1e-4 * s[0] * jnp.minimum(slope, 0.0)) & (s[2] < 20)

        length, new, _ = lax.while_loop(
            too_long, shorter, (jnp.full_like(f, 2.5), jnp.full_like(f, jnp.inf), jnp.int32(0))
        )
        failed = ~(new <= f)
        f_new = jnp.where(failed, f, new)
        small = promised <= solver.tolerance * jnp.abs(f)
        status = jnp.where(small, ShimStatus.CONVERGED, jnp.where(failed, ShimStatus.NO_PROGRESS, -1))
        status = jnp.where(jnp.isfinite(f_new), status, ShimStatus.INVALID).astype(jnp.int32)
        return jnp.where(failed, x, x + length * move), x, g, b, f_new, status, i + 1

    x = jnp.clip(start / scale, scaled.lower, scaled.upper)
    state = (x, x, jnp.zeros_like(x), model, jnp.zeros_like(region.field[0]), jnp.int32(-1), jnp.int32(0))
    x, _, _, _, f, status, i = lax.while_loop(lambda s: (s[5] < 0) & (s[6] < solver.max_iterations), step, state)
    return Found(x * scale, f, jnp.where(status < 0, ShimStatus.MAX_ITERATIONS, status), i)


def _damped_bfgs(b, s, y):
    """Powell's damped update: stays positive definite."""
    bs = b @ s
    sbs = s @ bs
    sy = s @ y
    theta = jnp.where(sy >= 0.2 * sbs, 1.0, 0.8 * sbs / jnp.where(sbs - sy == 0, 1.0, sbs - sy))
    r = theta * y + (1 - theta) * bs
    sr = s @ r
    ok = (sbs > 0) & (sr > 0)
    safe = lambda x: jnp.where(ok, x, 1.0)  # noqa: E731
    updated = b - jnp.outer(bs, bs) / safe(sbs) + jnp.outer(r, r) / safe(sr)
    return jnp.where(ok, updated, b)


def descent(objective: Objective, region: Region, start: Float[Array, " k"], limits: Limits, solver: Descent) -> Found:
    """Projected gradient steps of an optax optimiser; returns the best point seen."""
    gram, _ = normal_equations(region)
    scale = lax.rsqrt(jnp.maximum(jnp.diagonal(gram), jnp.finfo(gram.dtype).tiny))

    def project(x):
        """The nearest point within the limits: soft thresholds of the counted channels, then the bounds."""

        def within(threshold):
            cut = jnp.where(limits.counted, threshold * scale, 0.0)
            return jnp.clip(
                jnp.sign(x) * jnp.maximum(jnp.abs(x) - cut, 0.0), limits.lower / scale, limits.upper / scale
            )

        total = limits.total
        if total is None:
            return within(0.0)

        def halve(_, ends):
            low, high = ends
            middle = 0.5 * (low + high)
            over = jnp.sum(jnp.where(limits.counted, jnp.abs(within(middle) * scale), 0.0)) > total
            return jnp.where(over, middle, low), jnp.where(over, high, middle)

        inside = jnp.sum(jnp.where(limits.counted, jnp.abs(within(0.0) * scale), 0.0)) <= total
        high = jnp.max(jnp.abs(x) / scale)
        _, high = lax.fori_loop(0, 60, halve, (jnp.zeros_like(high), high))
        return within(jnp.where(inside, 0.0, high))

    evaluate = jax.value_and_grad(lambda x: objective(region, x * scale))

    def step(carry, _):
        x, state, best, lowest = carry
        value, gradient = evaluate(x)
        better = value < lowest
        best, lowest = jnp.where(better, x, best), jnp.where(better, value, lowest)
        with jax.numpy_dtype_promotion("standard"):
            update, state = solver.optimiser.update(gradient, state, x)
        return (project(x + update), state, best, lowest), lowest

    x = project(start / scale)
    carry = (x, solver.optimiser.init(x), x, jnp.asarray(jnp.inf, x.dtype))
    (_, _, best, lowest), course = lax.scan(step, carry, None, length=solver.steps)
    settled = course[4 * solver.steps // 5] - lowest <= solver.tolerance * jnp.abs(lowest)
    status = jnp.where(settled, ShimStatus.CONVERGED, ShimStatus.MAX_ITERATIONS)
    status = jnp.where(jnp.isfinite(lowest), status, ShimStatus.INVALID)
    return Found(best * scale, lowest, status, jnp.int32(solver.steps))


def minimise(
    objective: Objective,
    region: Region,
    start: Float[Array, " k"],
    limits: Limits,
    solver: SequentialQuadratic | Descent,
) -> Found:
    """A gradient method by the type of its configuration."""
    run = sequential_quadratic if isinstance(solver, SequentialQuadratic) else descent
    return run(objective, region, start, limits, solver)  # pyright: ignore[reportArgumentType]
