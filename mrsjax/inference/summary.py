"""What is reported of fits: amplitudes solved once more, covariance, status."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mrsjax.core.compilation import jit
from mrsjax.core.metabolites import is_nuisance
from mrsjax.core.results import FitResult, Status
from mrsjax.inference import fisher
from mrsjax.inference.stages import excess_of
from mrsjax.inference.varpro import Point, Problem, State, Tree, linear_solution, single
from mrsjax.physics.model import SignalModel


class FitState(eqx.Module):
    """What is kept of a fit for `evaluate`, the posterior and implicit differentiation: the optimum in internal units."""

    theta: Float[Array, "s p"]
    amplitudes: Float[Array, "s m"]  # in `unit`s
    unit: Float[
        Array, " s"
    ]  # noise of the problem: that of the data, or the first stage's residual where that is larger
    log_stiffness: Float[Array, " s"]
    precision: Float[Array, "s m m"]
    weight: Float[Array, "s p"]


@jit
def summary(model: SignalModel, problem: Problem, at: Point):
    """What a result says of each spectrum: amplitudes, their covariance, parameters and their standard deviations as trees, effective
    dimensions of baseline and parameters, misfit without the priors and its excess over the noise. The amplitudes are solved for again, on all points
    and in the precision of the session."""
    tree = Tree(model)

    def one(problem, at):
        theta = at.theta.astype(problem.weight.dtype)
        linear, _ = linear_solution(model, problem, model.design(tree.unravel(theta))[0], at.linear.passive)
        spread = fisher.covariance(single(tree), single(problem), at)
        return linear, theta, *jax.tree.map(lambda x: x.astype(theta.dtype), spread)

    linear, theta, covariance, sd, effective = jax.vmap(one)(problem, at)
    unravel = jax.vmap(tree.unravel)
    prior = jnp.einsum("sm,smn,sn->s", linear.amplitudes, problem.precision, linear.amplitudes)
    misfit = linear.cost - 0.5 * prior
    dimension = model.baseline.effective_dimension(problem.log_stiffness)
    effective = effective + 2 * jnp.sum(model.baseline.shrinkage(problem.log_stiffness), axis=-1)
    return linear, covariance, unravel(theta), unravel(sd), dimension, effective, misfit, excess_of(model, misfit)


def result_of(model, problems, state: State, end, noise_sd, excess, active, max_iterations, tolerance) -> FitResult:
    theta = state.at.theta.astype(problems.weight.dtype)
    linear, covariance, values, deviations, dimension, effective, misfit, left = end
    unit = noise_sd * excess  # of the problems
    scale = unit[:, None]
    # the covariance is for the residual that is left, never for less than the noise
    covariance = covariance * np.maximum(1.0 / excess, left)[:, None, None] ** 2
    misfit = misfit * excess**2
    status = status_of(model, state, linear.amplitudes, values, covariance, active, max_iterations, tolerance)
    good = status != Status.INVALID_DATA
    # `device_put`, not `jnp.asarray`, which compiles a program for each shape
    blank = lambda x: jax.device_put(np.where(good.reshape(-1, *[1] * (x.ndim - 1)), x, np.nan))  # noqa: E731
    flat = lambda tree: {f"{g}.{n}": blank(v) for g, entries in tree.items() for n, v in entries.items()}  # noqa: E731
    return FitResult(
        amplitudes=blank(linear.amplitudes * scale),
        covariance=blank(covariance * scale[:, :, None] ** 2),
        parameters=flat(values),
        parameters_sd=flat(deviations),
        noise_sd=blank(noise_sd),
        baseline_ed=blank(dimension),
        misfit=blank(misfit),
        effective_parameters=blank(effective),
        status=jax.device_put(status),
        iterations=jax.device_put(state.iterations),
        cost=blank(linear.cost),
        state=jax.device_put(
            FitState(theta, linear.amplitudes, unit, problems.log_stiffness, problems.precision, problems.weight),
        ),
        names=model.names,
        metabolites=tuple(n for n in model.names if not is_nuisance(n)),
        units={f"{g}.{n}": p.unit for g, entries in model.parameters().items() for n, p in entries.items()},
    )


def status_of(model, state: State, amplitudes, values, covariance, active, max_iterations, tolerance) -> np.ndarray:
    shift, limit = values[model.groups[0].name]["shift"], model.groups[0].shift_limit
    total = amplitudes.sum(axis=1)
    spread = np.sqrt(np.maximum(covariance.sum(axis=(1, 2)), 0.0))
    status = np.full(len(shift), Status.CONVERGED, dtype=np.int32)
    status[total < 3 * spread] = Status.NO_SIGNAL
    status[np.abs(shift) >= limit] = Status.AT_BOUND
    status[state.rejected > 8] = Status.NO_PROGRESS
    unsettled = state.decrement >= tolerance
    status[unsettled & (state.iterations >= max_iterations)] = Status.MAX_ITERATIONS
    status[~active | ~np.isfinite(state.at.linear.cost)] = Status.INVALID_DATA
    return status
