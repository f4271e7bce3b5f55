"""What is reported of fits: amplitudes solved once more, covariance, status."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from mrsjax.core.compilation import jit
from mrsjax.core.metabolites import is_nuisance
from mrsjax.core.parameters import from_rows
from mrsjax.core.results import FitResult, Status
from mrsjax.inference import fisher
from mrsjax.inference.stages import excess_of
from mrsjax.inference.varpro import Linear, Point, Problem, State, Tree, linear_solution, single
from mrsjax.physics.model import SignalModel

#: `starting.Match.elsewhere` above which the spectrum is not where the fit looked: at most 0.99 on spectra shifted by up to 15 Hz (synthetic, measured and artificial ones), mostly 3 to 10 on ones
#: shifted by 40 and more. Choline alone would match creatine's place 1.8 times better than its own.
FARTHER = 2.0


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
def summary(model: SignalModel, problem: Problem, at: Point) -> Linear:
    """The linear problem at the end of each fit, on all points and in the precision of the session."""
    tree = Tree(model)

    def one(problem, at):
        theta = at.theta.astype(problem.weight.dtype)
        return linear_solution(model, problem, model.design(tree.unravel(theta))[0], at.linear.passive)[0]

    return jax.vmap(one)(problem, at)


@np.errstate(invalid="ignore", over="ignore", divide="ignore")  # spectra that were not fitted hold NaN
def result_of(
    model, problems, state: State, linear: Linear, noise_sd, excess, active, elsewhere, max_iterations, tolerance
):
    """The `FitResult`: `noise_sd` that of the data, `excess` how much larger the problems' unit is, `elsewhere`: `starting.Match`."""
    theta, parameters = np.asarray(state.at.theta, problems.weight.dtype), model.parameters()
    explained, prior = (
        np.einsum("sm,smn,sn->s", linear.amplitudes, x, linear.amplitudes) for x in (linear.gram, problems.precision)
    )
    misfit = linear.cost - 0.5 * prior
    # the uncertainty is for the residual that is left, never for less than the noise
    level = np.maximum(1.0 / excess, excess_of(model, misfit))
    covariance, deviations, effective = fisher.covariance(single(Tree(model)), problems, state.at, level)
    shrinkage = model.baseline.shrinkage(np.asarray(model.baseline.log_stiffness))
    unit = noise_sd * excess  # of the problems
    scale = unit[:, None]
    kept: Any = theta, linear.amplitudes, unit, problems.log_stiffness, problems.precision, problems.weight
    status = status_of(model, state, (explained - prior) / level**2, active, elsewhere, max_iterations, tolerance)
    good = status != Status.INVALID_DATA
    # `device_put`, not `jnp.asarray`, which compiles a program for each shape
    blank = lambda x: jax.device_put(np.where(good.reshape(-1, *[1] * (x.ndim - 1)), x, np.nan))  # noqa: E731
    flat = lambda tree: {f"{g}.{n}": blank(v) for g, entries in tree.items() for n, v in entries.items()}  # noqa: E731
    return FitResult(
        amplitudes=blank(linear.amplitudes * scale),
        covariance=blank(covariance * scale[:, :, None] ** 2),
        parameters=flat(from_rows(parameters, theta)),
        parameters_sd=flat(from_rows(parameters, deviations)),
        noise_sd=blank(noise_sd),
        baseline_ed=blank(np.full(len(theta), shrinkage.sum() / float(model.baseline.span_ppm))),
        misfit=blank(misfit * excess**2),
        effective_parameters=blank(effective + 2 * shrinkage.sum()),
        status=jax.device_put(status),
        iterations=jax.device_put(state.iterations),
        cost=blank(linear.cost),
        state=jax.device_put(FitState(*kept)),
        names=model.names,
        metabolites=tuple(n for n in model.names if not is_nuisance(n)),
        units={f"{g}.{n}": p.unit for g, entries in parameters.items() for n, p in entries.items()},
    )


def status_of(model, state: State, explained, active, elsewhere, max_iterations, tolerance) -> np.ndarray:
    """`explained`: chi^2 that the amplitudes explain. Of noise it is about half their number, and up to 10 more, as the shift is the best of a search."""
    theta, m = from_rows(model.parameters(), np.asarray(state.at.theta)), len(model.names)
    shift, limit = theta[model.groups[0].name]["shift"], model.groups[0].shift_limit
    status = np.full(len(shift), Status.CONVERGED, dtype=np.int32)
    status[elsewhere > FARTHER] = Status.AT_BOUND
    status[explained < m + 5 * np.sqrt(2 * m) + 10] = Status.NO_SIGNAL
    status[np.abs(shift) >= limit] = Status.AT_BOUND
    status[state.rejected > 8] = Status.NO_PROGRESS
    unsettled = np.abs(state.decrement) * (1 + state.damping) >= tolerance  # about what an undamped step would promise
    status[unsettled & (state.iterations >= max_iterations)] = Status.MAX_ITERATIONS
    status[~active | ~np.isfinite(state.at.linear.cost)] = Status.INVALID_DATA
    return status
