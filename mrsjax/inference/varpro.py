"""Variable projection for one spectrum: amplitudes and baseline are eliminated exactly, the rest is a small Levenberg-Marquardt problem.

With the data z in units of the noise, the baseline's smoother H (physics.baseline) and W = 1 - H, the objective is

    cost(theta) = min_{c >= 0} |z - c A(theta)|_W^2 / 2 + c' P c / 2 + |(theta - mean) / sd|^2 / 2

The Jacobian is Kaufman's: d(c A)/d theta at fixed c, projected off the baseline. A step moves parameters and amplitudes together, none beyond its bounds (`linalg.boxed`); where it ends
the amplitudes are solved exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Complex, Float, Int

from mrsjax.core.parameters import field
from mrsjax.inference.linalg import boxed, nnls
from mrsjax.physics.model import SignalModel

#: Of the diagonal of the information. With less, steps that gain little oscillate for long before the damping is felt.
LEAST_DAMPING = 1e-2


class Problem(eqx.Module):
    """One spectrum to fit: data in the window in units of the noise, and what may differ between spectra of a batch."""

    data: Complex[Array, " k"]
    log_stiffness: Float[Array, ""]
    precision: Float[Array, "m m"]  # P, prior precision of the amplitudes
    weight: Float[Array, " p"]  # prior precision of theta


class Linear(eqx.Module):
    """The linear problem at one point: amplitudes and what the Jacobian needs."""

    cost: Float[Array, ""]
    amplitudes: Float[Array, " m"]
    passive: Bool[Array, " m"]
    gram: Float[Array, "m m"]


class Parts(NamedTuple):
    """Design and residual, real and imaginary parts stacked, and their smooth parts."""

    a: Float[Array, "m 2k"]
    pa: Float[Array, "m 2j"]
    rest: Float[Array, " 2k"]
    smooth_rest: Float[Array, " 2j"]


class Point(eqx.Module):
    """An accepted point of the iteration with its quadratic model."""

    theta: Float[Array, " p"]
    linear: Linear
    gradient: Float[Array, " p"]
    information: Float[Array, "p p"]  # J W J' + prior precision of theta: Fisher information at known amplitudes
    cross: Float[Array, "m p"]  # A W J'


class Tree(eqx.Module):
    """The flat view of a model's parameter tree: bounds, priors and the way back to names."""

    lower: Float[Array, " p"]
    upper: Float[Array, " p"]
    mean: Float[Array, " p"]
    sd: Float[Array, " p"]
    start: Float[Array, " p"]
    unravel: Any = eqx.field(static=True)

    def __init__(self, model: SignalModel):
        tree = model.parameters()
        flat = lambda name: ravel_pytree(field(tree, name))[0]  # noqa: E731
        self.lower, self.upper, self.mean, self.sd = map(flat, ("lower", "upper", "mean", "sd"))
        self.start, self.unravel = ravel_pytree(field(tree, "start"))


def single(tree):
    """Floating leaves in single precision; known ones are converted by NumPy, which has nothing to compile."""
    to = {np.dtype("float64"): np.float32, np.dtype("complex128"): np.complex64}

    def cast(x):
        if not hasattr(x, "dtype") or x.dtype not in to:
            return x
        known = isinstance(x, jax.Array) and not isinstance(x, jax.core.Tracer)
        return jnp.asarray(np.asarray(x).astype(to[x.dtype])) if known else x.astype(to[x.dtype])

    return jax.tree.map(cast, tree)


def stacked(rows: Complex[Array, "r k"]) -> Float[Array, "r 2k"]:
    """Real and imaginary parts side by side."""
    return jnp.concatenate([rows.real, rows.imag], axis=-1)


def smooth(model: SignalModel, problem: Problem, rows: Float[Array, "r 2k"]) -> Float[Array, "r 2j"]:
    """Coefficients in the baseline's columns, weighted so that <x, H y> = smooth(x) . smooth(y)."""
    root = jnp.sqrt(model.baseline.shrinkage(problem.log_stiffness))
    parts = rows.reshape(rows.shape[0], 2, -1) @ model.baseline.columns
    return (parts * root).reshape(rows.shape[0], -1)


def gram_matrix(problem: Problem, a: Float[Array, "m 2k"], pa: Float[Array, "m 2j"]) -> Float[Array, "m m"]:
    """A W A' + P, with what rounding can make of the difference (a part of A A') added to its diagonal.

    A component that is all but a baseline (a broad line at the edge of the window) leaves nothing else than rounding of W A', and
    the matrix would not be positive definite.
    """
    total = a @ a.T
    rounding = 50 * jnp.finfo(a.dtype).eps * jnp.diagonal(total)
    return total - pa @ pa.T + problem.precision + jnp.diag(rounding)


def linear_solution(model: SignalModel, problem: Problem, design: Complex[Array, "m k"], passive: Bool[Array, " m"]):
    """Non-negative amplitudes for a design; returns `Linear` (without the prior of theta) and `Parts`."""
    a = stacked(design)
    z = stacked(problem.data[None])
    pa, pz = smooth(model, problem, a), smooth(model, problem, z)
    gram = gram_matrix(problem, a, pa)
    b = a @ z[0] - pa @ pz[0]
    c, passive = nnls(gram, b, passive)
    rest = z - c @ a
    smooth_rest = smooth(model, problem, rest)
    cost = 0.5 * (jnp.sum(rest**2) - jnp.sum(smooth_rest**2) + c @ (problem.precision @ c))
    return Linear(cost, c, passive, gram), Parts(a, pa, rest[0], smooth_rest[0])


def point(
    model: SignalModel, tree: Tree, problem: Problem, theta: Float[Array, " p"], passive: Bool[Array, " m"]
) -> Point:
    """Cost, gradient and the parts of the Gauss-Newton curvature at theta, amplitudes and baseline eliminated."""
    values = tree.unravel(theta)
    design, fids = model.design(values)
    linear, at = linear_solution(model, problem, design, passive)
    j = stacked(rows_of(model.jacobian(values, linear.amplitudes, fids)))
    pj = smooth(model, problem, j)
    cross = at.a @ j.T - at.pa @ pj.T
    weight = problem.weight
    information = j @ j.T - pj @ pj.T + jnp.diag(weight)
    gradient = weight * (theta - tree.mean) - (j @ at.rest - pj @ at.smooth_rest)
    cost = linear.cost + 0.5 * jnp.sum(weight * (theta - tree.mean) ** 2)
    linear = eqx.tree_at(lambda x: x.cost, linear, cost)
    return Point(theta, linear, gradient, information, cross)


class State(eqx.Module):
    """The iteration of one spectrum."""

    at: Point
    next: Float[Array, " p"]  # where the next step leads, exactly on the bounds where it ends there
    passive: Bool[Array, " m"]  # amplitudes that are not expected to be zero there
    decrement: Float[Array, ""]  # predicted decrease of the cost by it
    damping: Float[Array, ""]
    iterations: Int[Array, ""]  # evaluations of the model
    rejected: Int[Array, ""]  # in a row
    idle: Int[Array, ""]  # in a row: trials that changed the cost by less than the tolerance, or than can be computed


def rounding(problem: Problem, cost: Float[Array, ""]) -> Float[Array, ""]:
    """Error of a cost by the arithmetic: eps |z| |residual|."""
    energy = jnp.sum(problem.data.real**2 + problem.data.imag**2)
    return jnp.finfo(cost.dtype).eps * jnp.sqrt(energy * cost)


def settled(problem: Problem, state: State, tolerance: Float[Array, ""]) -> Bool[Array, ""]:
    """The next step would lower chi^2 / 2 by less than `tolerance`, or than can be computed."""
    small = state.decrement < jnp.maximum(tolerance, rounding(problem, state.at.linear.cost))
    # a damped step says little of what is left, unless several have changed next to nothing
    return small & ((state.damping < 2 * LEAST_DAMPING) | (state.idle > 2))


def stuck(state: State) -> Bool[Array, ""]:
    """No better point was found in many trials."""
    return state.rejected > 8


class Trial(NamedTuple):
    """Where a step leads, which amplitudes are not zero there, and the decrease of the cost, as the quadratic model foretells."""

    theta: Float[Array, " p"]
    passive: Bool[Array, " m"]
    decrement: Float[Array, ""]


def trial(tree: Tree, at: Point, damping: Float[Array, ""]) -> Trial:
    """A damped Gauss-Newton step of parameters and amplitudes together, all within their bounds. Differentiable in theta."""
    m, linear = len(at.linear.amplitudes), at.linear
    h = jnp.block([[linear.gram, at.cross], [at.cross.T, at.information]])
    away = linear.passive & (linear.amplitudes > 0)
    x = jnp.concatenate([linear.amplitudes, at.theta])
    low, high = (jnp.concatenate([jnp.full(m, c, x.dtype), b]) for c, b in ((0.0, tree.lower), (jnp.inf, tree.upper)))
    slope = jnp.concatenate([jnp.zeros(m, x.dtype), at.gradient])
    damped = h + damping * jnp.diag(jnp.concatenate([jnp.zeros(m, x.dtype), jnp.diagonal(at.information)]))
    # amplitudes at zero are held there: the evaluation at the end decides anew
    end = boxed(damped, slope.at[:m].set(jnp.where(away, 0.0, 1.0)), x, low, high)
    move = end - x
    return Trial(end[m:], end[:m] > 0, -(slope @ move + 0.5 * move @ (h @ move)))


def step(model: SignalModel, tree: Tree, problem: Problem, state: State, tolerance: Float[Array, ""]) -> State:
    """One trial step, accepted when the cost falls; then where the next one leads."""
    at = state.at
    new = point(model, tree, problem, state.next, state.passive)
    gained = at.linear.cost - new.linear.cost
    gain = gained / jnp.maximum(state.decrement, jnp.finfo(state.decrement.dtype).tiny)
    # at the noise floor of the arithmetic any step is as good as another
    floor = rounding(problem, at.linear.cost)
    fine = state.decrement < floor
    accept = jnp.isfinite(new.linear.cost) & ((gain > 1e-4) | fine)
    chosen = jax.tree.map(lambda n, o: jnp.where(accept, n, o), new, at)
    damping = jnp.where(
        accept, state.damping * jnp.maximum(0.1, 1 - (2 * jnp.clip(gain, 0.0, 1.0) - 1) ** 3), state.damping * 8.0
    )
    damping = jnp.clip(damping, LEAST_DAMPING, 1e9)
    rejected = jnp.where(accept, 0, state.rejected + 1)
    following = trial(tree, chosen, damping)
    idle = jnp.where(jnp.abs(gained) < jnp.maximum(tolerance, floor), state.idle + 1, 0)
    return State(chosen, *following, damping, state.iterations + 1, rejected, idle)


def rows_of(tree) -> Complex[Array, "p k"]:
    """Leaves of a Jacobian tree, last axis kept, in the order of `ravel_pytree`."""
    leaves = jax.tree.leaves(tree)
    return jnp.concatenate([leaf.reshape(-1, leaf.shape[-1]) for leaf in leaves])
