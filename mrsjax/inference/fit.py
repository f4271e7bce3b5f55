"""`fit`: spectra in, amplitudes with uncertainties out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Complex, Float

from mrsjax.core.compilation import jit
from mrsjax.core.metabolites import is_nuisance
from mrsjax.core.parameters import field
from mrsjax.core.results import FitResult, Status
from mrsjax.inference import batch, fisher, noise, shortening, starting
from mrsjax.inference.ahead import compile_ahead
from mrsjax.inference.linalg import inverse
from mrsjax.inference.varpro import Point, Problem, State, Tree, linear_solution, single
from mrsjax.physics.decimation import decimated, halved
from mrsjax.physics.model import SignalModel, Values

#: Predicted decrease of chi^2 / 2 at which the first and the second stage stop.
TOLERANCES = (0.5, 0.1)
MAX_ITERATIONS = (30, 60)
#: Amplitude over its standard deviation below which a component's own shift and width are held at the group's.
DETECTION = 3.0
#: Spectra whose states are in memory together (about 0.1 MB each).
CHUNK = 4096


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


class _Prepared(NamedTuple):
    problems: Problem
    half: Problem  # of the first half of the FIDs
    energy: Float[Array, " s"]  # of the data in the window, that of the noise is 1 a point
    late_energy: Float[Array, " s"]  # of the second half of the FIDs
    noise: Float[Array, " s"]
    valid: Array


def fit(
    model: SignalModel,
    fids: Complex[Array | np.ndarray, "s n"],
    *,
    start: Values | None = None,
    noise_sd: float | None = None,
    tolerance: float = TOLERANCES[1],
    max_iterations: int = MAX_ITERATIONS[1],
    progress: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Fit spectra by variable projection with Levenberg-Marquardt.

    **Arguments:**

    - `model`: e.g. of `physics.default_model`.
    - `fids`: (spectra, points), on the model's sampling; any scale.
    - `start`: where to begin, e.g. from a network: values of the parameters of `model.coarse()`, leading axis the spectra, in place of the
      correlation with a typical spectrum.
    - `noise_sd`: standard deviation of the real part of each point's noise, for spectra that do not show it any more (denoised ones); measured in each by default.
    - `tolerance`: predicted decrease of chi^2 / 2 at which a spectrum has converged.
    - `max_iterations`: of each stage, the evaluation of its starting point counted; 1 gives the exact amplitudes at `start`.
    - `progress`: called as `progress(done, total)` as spectra finish.

    **Returns:** a `FitResult` with a `Status` for each spectrum. Spectra that hold NaN, infinities, zeros or a constant get NaN numbers and
    `Status.INVALID_DATA`; no spectrum stops the others.

    **Raises:** `ValueError` when the shape does not fit the model.
    """
    fids = np.asarray(fids)
    if fids.ndim != 2 or fids.shape[1] != model.sampling.n_points or not np.iscomplexobj(fids):
        raise ValueError(
            f"fids: wanted complex (spectra, {model.sampling.n_points}), found {fids.dtype} of shape {fids.shape}; use fids[None] for one spectrum"
        )
    total = len(fids)
    parts = []
    for first in range(0, total, CHUNK):
        chunk = fids[first : first + CHUNK]

        def report(done, _, first=first):
            if progress is not None:
                progress(first + done, total)

        given = None if start is None else jax.tree.map(lambda x, first=first: x[first : first + CHUNK], start)
        parts.append(_fit_chunk(model, chunk, given, noise_sd, tolerance, max_iterations, report))
        report(len(chunk), None)
    return parts[0] if len(parts) == 1 else jax.tree.map(lambda *x: jnp.concatenate(x), *parts)


def _fit_chunk(
    model: SignalModel,
    fids: Complex[np.ndarray, "s n"],
    start: Values | None,
    noise_sd,
    tolerance,
    max_iterations,
    report,
) -> FitResult:
    dtype = jnp.result_type(complex)
    coarse = model.coarse()
    finite = np.all(np.isfinite(fids), axis=1, keepdims=False)
    varying = np.array([np.ptp(np.abs(f)) > 0 for f in np.where(finite[:, None], fids, 0.0)])
    scale = np.max(np.abs(np.where(finite[:, None], fids, 0.0)), axis=1)
    scale = np.where(varying & (scale > 0), scale, 1.0)
    clean = np.where((finite & varying)[:, None], fids, 0.0) / scale[:, None]
    blocks = noise.noise_blocks(model.sampling)
    clean = clean.astype(dtype)
    if start is None:
        rough = single((coarse, clean, jnp.asarray(_singlet_band(coarse))))
        theta = batch.map_rows(lambda x: _correlated(rough[0], x, rough[2]), rough[1])
    else:
        theta = np.asarray(jax.vmap(lambda v: ravel_pytree(v)[0])(start), jnp.result_type(float))
    half, points = halved(model), model.window[1] - model.window[0]
    known = np.nan * scale if noise_sd is None else noise_sd / scale
    prepared = batch.map_rows(lambda x: _prepare(coarse, half, *x, blocks), (clean, theta, known))
    active = finite & varying & prepared.valid
    signal, late = (np.maximum(x, 0.0) for x in (prepared.energy - points, prepared.late_energy - points / 2))
    early = shortening.first_half_is_enough(half, signal[active], late[active])
    part, problems = (half, prepared.half) if early else (model, prepared.problems)
    shared, short = part.coarse(), decimated(part)
    compile_ahead(part, model, problems, _between, _summary)
    limit = min(MAX_ITERATIONS[0], max_iterations)
    first = batch.minimise(short.coarse(), problems, theta, active, tolerance=TOLERANCES[0], max_iterations=limit)
    rows = (problems, first.at)
    problems, second, excess = batch.map_rows(lambda x: _between(shared, part, *x), rows)
    run = partial(batch.minimise, tolerance=tolerance, max_iterations=max_iterations)
    last = run(short, problems, second, active, progress=report)
    data = prepared.problems.data / excess[:, None]
    problems = eqx.tree_at(lambda p: p.data, problems, data)
    # where the short model's error would be seen, the whole model has the last word
    strong = active & shortening.decimation_is_seen(model, signal, tolerance)
    if strong.any() and max_iterations > 1:
        last = _replaced(last, strong, run(model, problems, np.asarray(last.at.theta), strong))
    summary = lambda model: batch.map_rows(lambda x: _summary(model, *x), (problems, last.at))  # noqa: E731
    end = summary(decimated(model))
    end = _replaced(end, strong, summary(model)) if strong.any() else end
    return _result(model, problems, last, end, prepared.noise * scale, excess, active, max_iterations, tolerance)


def _replaced(old, rows: Bool[np.ndarray, " s"], new):
    """`old` with some of its rows from `new`."""
    return jax.tree.map(lambda n, o: np.where(rows.reshape(-1, *[1] * (o.ndim - 1)), n, o), new, old)


def _singlet_band(model: SignalModel) -> Float[np.ndarray, " n"]:
    """1 where the large singlets are: the correlation for the starting values uses these frequencies only."""
    ppm = np.asarray(model.sampling.ppm)
    return ((ppm > 1.8) & (ppm < 4.1)).astype(float)


@jit
def _correlated(coarse: SignalModel, fids, band) -> Float[Array, "s p"]:
    """The first stage's starting points from the data alone."""
    proto = starting.prototype(coarse)
    shift, phase = jax.vmap(lambda f: starting.correlate(coarse, proto, f, band))(fids)
    start = coarse.start()

    def place(shift, phase):
        values = {group: dict(v) for group, v in start.items()}
        for group in coarse.groups:
            values[group.name]["shift"] = shift
        values["phase"]["phase_zero"] = phase
        return ravel_pytree(values)[0]

    return jax.vmap(place)(shift, phase)


@jit
def _prepare(coarse: SignalModel, half: SignalModel, fids, theta, known, blocks) -> _Prepared:
    """Data in units of the noise: `known`, or measured where that is NaN."""
    sd = jnp.where(jnp.isnan(known), noise.noise_sds(fids, blocks), known)
    valid = jnp.isfinite(sd) & (sd > 0) & jnp.all(jnp.isfinite(theta), axis=1)
    sd = jnp.where(valid, sd, 1.0)
    m = len(coarse.names)
    stiffness = jnp.broadcast_to(coarse.baseline.log_stiffness, sd.shape)
    weight = jnp.broadcast_to(1.0 / Tree(coarse).sd ** 2, theta.shape)
    make = lambda data: Problem(data / sd[:, None], stiffness, jnp.zeros((len(sd), m, m), sd.dtype), weight)  # noqa: E731
    n = half.sampling.n_points
    late = coarse.crop(jnp.where(jnp.arange(fids.shape[1]) < n, 0.0, fids))
    energy = lambda x: jnp.sum(jnp.abs(x) ** 2, axis=1) / (2 * sd**2)  # noqa: E731
    whole = coarse.crop(fids)
    return _Prepared(make(whole), make(half.crop(fids[:, :n])), energy(whole), energy(late), sd, valid)


@jit
def _between(
    coarse: SignalModel, model: SignalModel, problems: Problem, at: Point
) -> tuple[Problem, Float[Array, "s p"], Float[Array, " s"]]:
    """The second stage's problems and starting points from the end of the first."""
    tree, start = Tree(coarse), model.start()

    def move(theta):
        found = tree.unravel(theta)
        values = {g: {k: found.get(g, {}).get(k, v) for k, v in entries.items()} for g, entries in start.items()}
        for group in model.groups:
            values[group.name] |= group.lineshape.refine(found[group.name])
        return ravel_pytree(values)[0]

    def precision(linear):
        total = jnp.zeros_like(linear.gram)
        for prior in model.ratios:
            smallest = jnp.sqrt(jnp.sum(prior.scale**2 / jnp.maximum(jnp.diagonal(linear.gram), 1e-30)))
            total = total + prior.precision(linear.amplitudes, smallest)
        return total

    def weight(linear):
        seen = linear.amplitudes * jnp.sqrt(1.0 / jnp.maximum(jnp.diagonal(inverse(linear.gram)), 1e-30))
        doubt = (1.0 + (DETECTION / jnp.maximum(seen, 0.03)) ** 2) ** 2
        sd = field(model.parameters(), "sd")
        first = 0
        for group in model.groups:
            own = doubt[first : first + len(group.names)]
            first += len(group.names)
            for name in sd[group.name]:
                if name.startswith("own_"):
                    sd[group.name][name] = sd[group.name][name] / jnp.sqrt(own)
        return 1.0 / ravel_pytree(sd)[0] ** 2

    # What the first stage cannot explain counts as noise in the second, else the priors mean nothing on real spectra.
    # Its amplitudes and Gram matrix keep their meaning: both sides are rescaled.
    excess = jnp.maximum(1.0, _excess(model, at.linear.cost))
    linear = at.linear
    linear = eqx.tree_at(lambda x: x.gram, linear, linear.gram / excess[:, None, None] ** 2)
    problems = Problem(
        problems.data / excess[:, None],
        problems.log_stiffness,
        jax.vmap(precision)(linear) * excess[:, None, None] ** 2,
        jax.vmap(weight)(linear),
    )
    return problems, jax.vmap(move)(at.theta), excess


def _excess(model: SignalModel, cost: Float[Array, " s"]) -> Float[Array, " s"]:
    """Residual over noise: square root of chi^2 for each degree of freedom, real and imaginary parts counted."""
    points = 2 * (model.window[1] - model.window[0])
    taken = 2 * jnp.sum(model.baseline.shrinkage(model.baseline.log_stiffness)) + len(model.names)
    return jnp.sqrt(2.0 * cost / jnp.maximum(points - taken, 1.0))


def _result(model, problems, state: State, end, noise_sd, excess, active, max_iterations, tolerance) -> FitResult:
    theta = state.at.theta.astype(problems.weight.dtype)
    linear, covariance, values, deviations, dimension, effective, misfit, left = end
    unit = noise_sd * excess  # of the problems
    scale = unit[:, None]
    # the covariance is for the residual that is left, never for less than the noise
    covariance = covariance * np.maximum(1.0 / excess, left)[:, None, None] ** 2
    misfit = misfit * excess**2
    status = _status(model, state, linear.amplitudes, values, covariance, active, max_iterations, tolerance)
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


@jit
def _summary(model: SignalModel, problem: Problem, at: Point):
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
    return linear, covariance, unravel(theta), unravel(sd), dimension, effective, misfit, _excess(model, misfit)


def _status(model, state: State, amplitudes, values, covariance, active, max_iterations, tolerance) -> np.ndarray:
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
