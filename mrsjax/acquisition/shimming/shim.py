"""`shim`: field and channel maps of a voxel in, currents with a prediction out; many voxels in one program."""

from __future__ import annotations

import math
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Key

from mrsjax.acquisition.shimming.coils import FREQUENCY, Coils
from mrsjax.acquisition.shimming.objectives import MeanSquare, Objective
from mrsjax.acquisition.shimming.prediction import Prediction, predict
from mrsjax.acquisition.shimming.quadratic import Limits
from mrsjax.acquisition.shimming.region import Region
from mrsjax.acquisition.shimming.solvers import (
    Descent,
    Found,
    LeastSquares,
    SequentialQuadratic,
    ShimStatus,
    least_squares,
    minimise,
    normal_equations,
)
from mrsjax.inference.linalg import eliminate

Solver = LeastSquares | SequentialQuadratic | Descent


class ShimResult(eqx.Module):
    """Currents and what they do; of a batch with a leading axis over regions.

    - `currents` (k,) in `units`, channels `names`; the channel "frequency" (Hz) is the field that a change of the carrier has to take away: the
      carrier moves by minus its value.
    - `value`, `value_before`: the objective with and without them, on the points that it was optimised on.
    - `before`, `after`: field, line, volume kept (`Prediction`) without and with them, on the same points or on those of `on`.
    - `status`: a `ShimStatus`; `iterations`; `at_limit` (k,): channels at a limit of their own; `total_at_limit`: the sum at its limit; `spread`
      (starts,): values of all starts.
    """

    currents: Float[Array, "*b k"]
    value: Float[Array, "*b"]
    value_before: Float[Array, "*b"]
    before: Prediction
    after: Prediction
    status: Array
    iterations: Array
    at_limit: Array
    total_at_limit: Array
    spread: Float[Array, "*b starts"]
    names: tuple[str, ...] = eqx.field(static=True)
    units: tuple[str, ...] = eqx.field(static=True)

    def on(self, region: Region) -> ShimResult:
        """The same currents judged on another region, of as many voxels: finer points of the same ones, which the optimiser has not seen."""
        call = _predicted if self.currents.ndim == 1 else _predicted_each
        made = call(region, jnp.zeros_like(self.currents)), call(region, self.currents)
        return eqx.tree_at(lambda r: (r.before, r.after), self, made)


_predicted = eqx.filter_jit(predict)
_predicted_each = eqx.filter_jit(jax.vmap(predict))


def limits_of(
    coils: Coils, limit: Mapping[str, float | tuple[float, float]] | None = None, total: float | None = None
) -> Limits:
    """Limits by channel name: a number is +-, a pair lower and upper, 0 holds the channel; channels without one are free. `total`: of the sum of
    magnitudes of all channels but the frequency. Currents are changes: a limit of the hardware less the present current is meant.

    **Raises:** `ValueError` for an unknown name, a range that does not hold 0, or a total of channels in different units.
    """
    lower, upper = np.full(len(coils.names), -math.inf), np.full(len(coils.names), math.inf)
    for name, value in (limit or {}).items():
        if name not in coils.names:
            raise ValueError(f"limit: {name} is no channel of {', '.join(coils.names)}")
        low, high = value if isinstance(value, tuple) else (-abs(value), abs(value))
        if not low <= 0 <= high:
            raise ValueError(f"limit: {name}: wanted a range that holds 0, found {low} to {high}")
        lower[coils.names.index(name)], upper[coils.names.index(name)] = low, high
    if total is not None and not total > 0:
        raise ValueError(f"total limit: wanted a positive number, found {total}")
    counted = [n != FREQUENCY[0] for n in coils.names]
    units = dict.fromkeys(u for u, c in zip(coils.units, counted, strict=True) if c)
    if total is not None and len(units) > 1:
        raise ValueError(f"total limit: wanted channels of one unit, found {', '.join(units)}: their sum means nothing")
    return Limits(
        jnp.asarray(lower),
        jnp.asarray(upper),
        None if total is None else jnp.asarray(float(total)),
        jnp.asarray(counted),
    )


def shim(
    region: Region,
    coils: Coils,
    objective: Objective | None = None,
    *,
    limits: Limits | None = None,
    solver: Solver | None = None,
    starts: int = 4,
    spread: float = 8.0,
    seed: int = 0,
) -> ShimResult:
    """Optimises the currents of one voxel, or those of each region of a batch: dynamic shimming of slices or of the voxels of an MRSI, in one program
    vmapped over regions and starts.

    **Arguments:**

    - `region`: of `region` or `region_of_mask`, made with the same `coils`; or several of them by `region.stack`: the `ShimResult` has a leading axis then.
    - `objective`: what to make small; None: `MeanSquare`.
    - `limits`: of `limits_of`; None: free.
    - `solver`: None: `LeastSquares` for `MeanSquare`, else `SequentialQuadratic`.
    - `starts`: how many starting points a gradient method gets: the least-squares solution, a robust one (Huber norm of 5 Hz), no current, and random
      ones whose field differs from the least-squares one by `spread` Hz (root mean square over the voxel). The best end is kept.

    **Raises:** `ValueError` when `LeastSquares` is asked to solve another objective, or region and coils do not fit.
    """
    alone = region.maps.ndim == 2
    regions = jax.tree.map(lambda x: jnp.asarray(x)[None], region) if alone else region
    objective = MeanSquare() if objective is None else objective
    limits = limits_of(coils) if limits is None else limits
    if regions.maps.ndim != 3 or regions.maps.shape[2] != len(coils.names):
        raise ValueError(
            f"region: wanted maps of {len(coils.names)} channels, found {regions.maps.shape[-1]} (shape {regions.maps.shape})"
        )
    if solver is None:
        solver = LeastSquares() if isinstance(objective, MeanSquare) else SequentialQuadratic()
    if isinstance(solver, LeastSquares):
        if not isinstance(objective, MeanSquare):
            raise ValueError(
                "solver: LeastSquares minimises MeanSquare only; give SequentialQuadratic() or Descent(...)"
            )
        found = _exact(regions, limits, solver)
        values = found.value[:, None]
    else:
        begin = _begin(regions, limits, starts, spread, jax.random.key(seed))
        found, values = _best(objective, regions, begin, limits, solver)
    result = _describe(objective, regions, found, values, limits, (coils.names, coils.units))
    return jax.tree.map(lambda x: x[0], result) if alone else result


@eqx.filter_jit
def _exact(regions: Region, limits: Limits, solver: LeastSquares) -> Found:
    return jax.vmap(lambda r: least_squares(r, limits, solver))(regions)


@eqx.filter_jit
def _best(objective, regions: Region, begin, limits: Limits, solver) -> tuple[Found, Float[Array, "b starts"]]:
    def one(region, starts):
        ends = jax.vmap(lambda s: minimise(objective, region, s, limits, solver))(starts)
        best = jnp.argmin(jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf))
        return jax.tree.map(lambda x: x[best], ends), ends.value

    return jax.vmap(one)(regions, begin)


@eqx.filter_jit
def _begin(regions: Region, limits: Limits, n: int, spread: float, key: Key[Array, ""]) -> Float[Array, "b n k"]:
    return jax.vmap(lambda region: starts_of(region, limits, n, spread, key))(regions)


def starts_of(
    region: Region, limits: Limits, n: int, spread: float, key: Key[Array, ""], *, width: float = 5.0
) -> Float[Array, "n k"]:
    """The first n of: least squares; the smallest Huber norm of `width` Hz, by 30 times reweighted least squares: near the narrow core of a field with
    far-off parts, where spectral objectives have their better minima; no current; least squares plus the shim of a white noise field, scaled to
    `spread` Hz over the voxel.
    """

    def reweighted(weight, _):
        currents = least_squares(eqx.tree_at(lambda r: r.weight, region, weight), limits, LeastSquares()).currents
        return region.weight * width / jnp.maximum(jnp.abs(region.predicted(currents)), width), currents

    _, course = lax.scan(reweighted, region.weight, None, length=31 if n > 1 else 1)
    gram, _ = normal_equations(region)
    scale = lax.rsqrt(jnp.maximum(jnp.diagonal(gram), jnp.finfo(gram.dtype).tiny))
    # directions that hardly change the field would ask for huge currents
    matrix = gram * scale[:, None] * scale + 1e-4 * jnp.eye(len(scale), dtype=gram.dtype)
    noise = jax.random.normal(key, (len(region.field), max(n - 3, 0)), gram.dtype)
    drawn = scale[:, None] * eliminate(
        matrix, scale[:, None] * (region.maps.T @ (jnp.sqrt(region.weight)[:, None] * noise))
    )
    reach = jnp.sqrt(region.weight @ (region.maps @ drawn) ** 2)
    rows = jnp.concatenate(
        [jnp.stack([course[0], course[-1], jnp.zeros_like(course[0])]), course[0] + (drawn * spread / reach).T]
    )[:n]
    rows = jnp.clip(rows, limits.lower, limits.upper)
    if limits.total is None:
        return rows
    sums = jnp.sum(jnp.where(limits.counted, jnp.abs(rows), 0.0), axis=1, keepdims=True)
    return jnp.where(limits.counted, rows * jnp.minimum(1.0, limits.total / jnp.maximum(sums, 1e-30)), rows)


@eqx.filter_jit
def _describe(objective, regions: Region, found: Found, values, limits: Limits, channels) -> ShimResult:
    def one(region, found, values):
        zero = jnp.zeros_like(found.currents)
        slack = max(1e-6, 256 * float(jnp.finfo(found.currents.dtype).eps))
        low, high = (jnp.where(jnp.isfinite(x), slack * jnp.abs(x), 0.0) for x in (limits.lower, limits.upper))
        total = jnp.sum(jnp.where(limits.counted, jnp.abs(found.currents), 0.0))
        return ShimResult(
            found.currents,
            found.value,
            objective(region, zero),
            predict(region, zero),
            predict(region, found.currents),
            found.status,
            found.iterations,
            (found.currents <= limits.lower + low) | (found.currents >= limits.upper - high),
            jnp.asarray(False) if limits.total is None else total >= (1.0 - slack) * limits.total,
            values,
            *channels,
        )

    return jax.vmap(one)(regions, found, values)


def in_words(result: ShimResult) -> str:
    """One sentence of one voxel: linewidth, field, volume, status."""
    status = ShimStatus(int(result.status)).name.lower().replace("_", " ")
    before, after = result.before, result.after
    return (
        f"linewidth {float(before.line.fwhm):.1f} -> {float(after.line.fwhm):.1f} Hz, "
        f"field SD {float(before.sd):.1f} -> {float(after.sd):.1f} Hz, "
        f"volume kept {float(before.kept):.0%} -> {float(after.kept):.0%}; {status}"
    )
