"""Derivatives through the fit: of the estimates with respect to the data and to the constants of the model.

At the optimum u = (theta, c) the gradient of the cost vanishes, g(u; x) = 0, so that du/dx = -H^-1 dg/dx (implicit function theorem) with H the
exact Hessian. `differentiable_fit` is one Newton step u - H^-1 g(u; x) with u and H held fixed: its value is the optimum, its derivative is the implicit
one, in forward and in reverse mode, for any x that the cost depends on.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float

from mrsjax.core.results import FitResult
from mrsjax.inference.linalg import differentiable_solve, solve
from mrsjax.inference.varpro import Problem, Tree, smooth, stacked
from mrsjax.physics.model import SignalModel

#: Decrease of chi^2 / 2 by one more step below which a point is the optimum: a hundredth of a standard deviation of one parameter is 5e-5.
SETTLED = 1e-4
#: The same, below which no step is taken any more: 1e-5 of a standard deviation.
EXACT = 1e-10
#: Fractions of the Hessian's diagonal added to it.
DAMPINGS = (0.0, 1e-3, 1e-1, 10.0)


class Estimate(NamedTuple):
    """Amplitudes (m,), in units of the basis, and the tree of non-linear parameters of one spectrum."""

    amplitudes: Float[Array, " m"]
    values: dict


def cost(
    model: SignalModel, problem: Problem, theta: Float[Array, " p"], amplitudes: Float[Array, " m"]
) -> Float[Array, ""]:
    """Penalised chi^2 / 2 of one spectrum at given parameters and amplitudes, the baseline at its best.

        |z - c A(theta)|_W^2 / 2 + c' P c / 2 + |(theta - mean) weight^1/2|^2 / 2

    All in units of the noise; see `inference.varpro`.
    """
    tree = Tree(model)
    rest = stacked((problem.data - model.spectrum(tree.unravel(theta), amplitudes))[None])
    chi2 = jnp.sum(rest**2) - jnp.sum(smooth(model, problem, rest) ** 2)
    prior = amplitudes @ (problem.precision @ amplitudes) + jnp.sum(problem.weight * (theta - tree.mean) ** 2)
    return 0.5 * (chi2 + prior)


def differentiable_fit(
    model: SignalModel, fid: Complex[Array, " n"], result: FitResult, index: int, *, newton_steps: int = 4
) -> Estimate:
    """The estimates of a finished fit as a differentiable function of `model` and `fid`.

    **Arguments:** `result`, `index`: the fit to differentiate through, made with (the values of) this model and FID. `newton_steps`: damped, projected
    Newton steps with the exact Hessian that first polish the optimum, since the fit stops at a statistical tolerance.

    Amplitudes at zero and parameters at a bound stay there: their derivative is 0. Held, as if they were constants: the level of the noise and of what the
    first stage left unexplained, and the spread of ratio priors. Second derivatives are not those of the fit.

    Values and derivatives are NaN where the steps do not end at an optimum (another step would lower chi^2 / 2 by more than `SETTLED`), or nothing was fitted.
    """
    tree = Tree(model)
    state = jax.tree.map(lambda x: lax.stop_gradient(x[index]), result.state)
    noise = state.unit
    # what the model says of stiffness and widths of priors has its derivative; the values are those that the fit used
    stiffness = model.baseline.log_stiffness
    stiffness = state.log_stiffness + stiffness - lax.stop_gradient(stiffness)
    sd = jnp.where(jnp.isfinite(tree.sd), tree.sd, 1.0)
    weight = state.weight * (lax.stop_gradient(sd) / sd) ** 2
    problem = Problem(model.crop(fid) / noise, stiffness, state.precision, weight)
    p = state.theta.shape[0]
    amplitudes = jnp.zeros_like(state.amplitudes)
    lower = jnp.concatenate([tree.lower, amplitudes]).astype(state.theta.dtype)
    upper = jnp.concatenate([tree.upper, amplitudes + jnp.inf]).astype(state.theta.dtype)

    held, at, lower, upper = jax.tree.map(lax.stop_gradient, (model, problem, lower, upper))
    start = jnp.clip(jnp.concatenate([state.theta, state.amplitudes]), lower, upper)
    u, hessian, free, left = lax.stop_gradient(_polish(held, at, lower, upper, start, newton_steps))
    u = u - differentiable_solve(hessian, _gradient(u, model, problem), free)
    u = u * jnp.where(left < SETTLED, 1.0, jnp.nan)
    return Estimate(u[p:] * noise, tree.unravel(u[:p]))


def _objective(u, model, problem):
    p = problem.weight.shape[0]
    return cost(model, problem, u[:p], u[p:])


@eqx.filter_jit
def _gradient(u, model, problem):
    return jax.grad(_objective)(u, model, problem)


@eqx.filter_jit
def _polish(model, problem, lower, upper, u, steps: int):
    """Where at most `steps` Newton steps lead, the Hessian there, which unknowns are free, and the decrease of the cost that one more step foretells.

    Of each step several dampings are tried and the lowest cost is taken, the old point among them: a Hessian that is not positive far from the optimum
    leads nowhere worse.
    """

    def curved(u):
        """Gradient and Hessian, whose columns are tangents of the one gradient."""
        gradient, tangent = jax.linearize(jax.grad(lambda x: _objective(x, model, problem)), u)
        return gradient, lax.map(tangent, jnp.eye(len(u), dtype=u.dtype))

    def step(carry):
        k, best, *_ = carry
        u, (gradient, hessian) = best, curved(best)
        free = ~(((u <= lower) & (gradient >= 0)) | ((u >= upper) & (gradient <= 0)))
        scale = jnp.abs(jnp.diagonal(hessian))

        def moved(damping):
            return jnp.clip(u - solve(hessian + damping * jnp.diag(scale), gradient, free), lower, upper)

        tried = jnp.concatenate([u[None], jax.vmap(moved)(jnp.array(DAMPINGS, u.dtype))])
        costs = jax.vmap(lambda x: _objective(x, model, problem))(tried)
        left = 0.5 * jnp.abs(jnp.where(free, gradient, 0.0) @ (u - tried[1]))
        return k + 1, tried[jnp.argmin(jnp.where(jnp.isfinite(costs), costs, jnp.inf))], u, hessian, free, left

    p = len(u)
    blank = jnp.zeros((p, p), u.dtype), jnp.zeros(p, bool), jnp.array(jnp.inf, u.dtype)
    more = lambda carry: (carry[0] <= steps) & ~(carry[-1] < EXACT)  # noqa: E731
    return lax.while_loop(more, step, (0, u, u, *blank))[2:]
