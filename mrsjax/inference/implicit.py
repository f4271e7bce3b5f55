"""Derivatives through the fit: of the estimates with respect to the data and to every constant of the model.

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
    design, _ = model.design(tree.unravel(theta))
    rest = stacked((problem.data - amplitudes @ design)[None])
    chi2 = jnp.sum(rest**2) - jnp.sum(smooth(model, problem, rest) ** 2)
    prior = amplitudes @ (problem.precision @ amplitudes) + jnp.sum(problem.weight * (theta - tree.mean) ** 2)
    return 0.5 * (chi2 + prior)


def differentiable_fit(
    model: SignalModel, fid: Complex[Array, " n"], result: FitResult, index: int, *, newton_steps: int = 2
) -> Estimate:
    """The estimates of a finished fit as a differentiable function of `model` and `fid`.

    **Arguments:** `result`, `index`: the fit to differentiate through, made with (the values of) this model and FID. `newton_steps`: exact
    Newton steps that first polish the optimum (the fit stops at a statistical tolerance).

    Amplitudes at zero and parameters at a bound stay there: their derivative is 0. Second derivatives are not those of the fit.
    """
    tree = Tree(model)
    state = jax.tree.map(lambda x: lax.stop_gradient(x[index]), result.state)
    noise = state.unit
    problem = Problem(model.crop(fid) / noise, state.log_stiffness, state.precision, state.weight)
    p = state.theta.shape[0]
    u = jnp.concatenate([state.theta, state.amplitudes])
    inside = (state.theta > tree.lower) & (state.theta < tree.upper)
    free = lax.stop_gradient(jnp.concatenate([inside, state.amplitudes > 0]))

    fixed_model, fixed_problem = jax.tree.map(lax.stop_gradient, (model, problem))
    u, hessian = lax.stop_gradient(_polish(fixed_model, fixed_problem, u, free, newton_steps))
    u = u - differentiable_solve(hessian, _gradient(u, model, problem), free)
    return Estimate(u[p:] * noise, tree.unravel(u[:p]))


def _objective(u, model, problem):
    p = problem.weight.shape[0]
    return cost(model, problem, u[:p], u[p:])


@eqx.filter_jit
def _gradient(u, model, problem):
    return jax.grad(_objective)(u, model, problem)


@eqx.filter_jit
def _polish(model, problem, u, free, steps: int):
    """`steps` exact Newton steps, and the Hessian where they end."""

    def step(_, carry):
        u, hessian = carry
        u = u - solve(hessian, jax.grad(_objective)(u, model, problem), free)
        return u, jax.hessian(_objective)(u, model, problem)

    return lax.fori_loop(0, steps, step, (u, jax.hessian(_objective)(u, model, problem)))
