"""`shim`: field and channel maps of a voxel in, currents with a prediction out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mrsjax.acquisition.shimming.coils import FREQUENCY, Coils
from mrsjax.acquisition.shimming.objectives import MeanSquare, Objective
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
from mrsjax.acquisition.shimming.spectral import Line, line, volume_kept

Solver = LeastSquares | SequentialQuadratic | Descent


class ShimResult(eqx.Module):
    """Currents and what they do.

    - `currents` (k,) in `units`, channels `names`; the channel "frequency" (Hz) is the field that a change of the carrier has to take away: the
      carrier moves by minus its value.
    - `value`, `value_before`: the objective with and without them.
    - `field`, `field_before` (r,): Hz at the region's points. `line`, `line_before`: of a singlet (`spectral.Line`).
    - `kept`, `kept_before`: fraction of the voxel within 12 Hz of the line's maximum.
    - `status`: a `ShimStatus`; `iterations`; `at_limit` (k,): channels at a limit of their own; `spread` (starts,): values of all starts.
    """

    currents: Float[Array, " k"]
    value: Float[Array, ""]
    value_before: Float[Array, ""]
    field: Float[Array, " r"]
    field_before: Float[Array, " r"]
    line: Line
    line_before: Line
    kept: Float[Array, ""]
    kept_before: Float[Array, ""]
    status: Array
    iterations: Array
    at_limit: Array
    spread: Float[Array, " starts"]
    names: tuple[str, ...] = eqx.field(static=True)
    units: tuple[str, ...] = eqx.field(static=True)

    @property
    def sd(self) -> float:
        """Standard deviation of the field over the points, Hz (points count alike)."""
        return float(jnp.std(self.field))


def limits_of(
    coils: Coils, limit: Mapping[str, float | tuple[float, float]] | None = None, total: float | None = None
) -> Limits:
    """Limits by channel name: a number is +-, a pair lower and upper; channels without one are free. `total`: of the sum of magnitudes of all channels
    but the frequency.

    **Raises:** `ValueError` for an unknown name, or a range that does not hold 0.
    """
    lower, upper = np.full(len(coils.names), -math.inf), np.full(len(coils.names), math.inf)
    for name, value in (limit or {}).items():
        if name not in coils.names:
            raise ValueError(f"limit: {name} is no channel of {', '.join(coils.names)}")
        low, high = value if isinstance(value, tuple) else (-abs(value), abs(value))
        if not low <= 0 <= high or low == high:
            raise ValueError(f"limit: {name}: wanted a range that holds 0, found {low} to {high}")
        lower[coils.names.index(name)], upper[coils.names.index(name)] = low, high
    if total is not None and not total > 0:
        raise ValueError(f"total limit: wanted a positive number, found {total}")
    counted = jnp.asarray([n != FREQUENCY[0] for n in coils.names])
    return Limits(jnp.asarray(lower), jnp.asarray(upper), None if total is None else jnp.asarray(float(total)), counted)


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
    """Optimises the currents of one voxel.

    **Arguments:**

    - `region`: of `region` or `region_of_mask`, made with the same `coils`.
    - `objective`: what to make small; None: `MeanSquare`.
    - `limits`: of `limits_of`; None: free.
    - `solver`: None: `LeastSquares` for `MeanSquare`, else `SequentialQuadratic`.
    - `starts`: how many starting points a gradient method gets: the least-squares solution, a robust one (Huber norm of 5 Hz), no current, and random
      ones whose field differs from the least-squares one by `spread` Hz (root mean square over the voxel). The best end is kept.

    **Raises:** `ValueError` when `LeastSquares` is asked to solve another objective, or region and coils do not fit.
    """
    objective = MeanSquare() if objective is None else objective
    limits = limits_of(coils) if limits is None else limits
    if region.maps.shape[1] != len(coils.names):
        raise ValueError(f"region: wanted maps of {len(coils.names)} channels, found {region.maps.shape[1]}")
    if solver is None:
        solver = LeastSquares() if isinstance(objective, MeanSquare) else SequentialQuadratic()
    if isinstance(solver, LeastSquares) and not isinstance(objective, MeanSquare):
        raise ValueError("solver: LeastSquares minimises MeanSquare only; give SequentialQuadratic() or Descent(...)")
    if isinstance(solver, LeastSquares):
        found, values = _one(region, limits, solver), None
    else:
        found, values = _many(objective, region, _starts(region, limits, starts, spread, seed), limits, solver)
    return _describe(objective, region, found, found.value[None] if values is None else values, limits, coils)


_one = eqx.filter_jit(least_squares)


@eqx.filter_jit
def _many(objective, region, starts, limits, solver) -> tuple[Found, Float[Array, " starts"]]:
    ends = jax.vmap(lambda s: minimise(objective, region, s, limits, solver))(starts)
    best = jnp.argmin(jnp.where(jnp.isfinite(ends.value), ends.value, jnp.inf))
    return jax.tree.map(lambda x: x[best], ends), ends.value


def _starts(region: Region, limits: Limits, n: int, spread: float, seed: int) -> Float[Array, "n k"]:
    base = np.asarray(_one(region, limits, LeastSquares()).currents)
    gram = np.asarray(normal_equations(region)[0])
    scale = 1.0 / np.sqrt(np.diag(gram))
    values, vectors = np.linalg.eigh(gram * scale[:, None] * scale)
    rng = np.random.default_rng(seed)
    # directions that hardly change the field would ask for huge currents
    strength = np.where(values > 1e-4 * values.max(), 1.0 / np.sqrt(np.maximum(values, 1e-30)), 0.0)
    count = max(int((strength > 0).sum()), 1)
    draws = rng.normal(size=(max(n - 3, 0), len(base))) * strength * spread / math.sqrt(count)
    robust = _robust(region, limits, base) if n > 1 else base
    rows = np.stack([base, robust, 0 * base, *(base + scale * (vectors @ d) for d in draws)])[:n]
    rows = np.clip(rows, np.asarray(limits.lower), np.asarray(limits.upper))
    if limits.total is not None:
        counted = np.asarray(limits.counted)
        sums = np.abs(rows[:, counted]).sum(axis=1, keepdims=True)
        rows[:, counted] *= np.minimum(1.0, float(limits.total) / np.maximum(sums, 1e-30))
    return jnp.asarray(rows)


def _robust(
    region: Region, limits: Limits, base: Float[np.ndarray, " k"], width: float = 5.0
) -> Float[np.ndarray, " k"]:
    """Currents of the smallest Huber norm of `width` Hz by reweighted least squares: near the narrow core of a field with far-off parts, where spectral
    objectives have their better minima.
    """
    for _ in range(30):
        size = np.abs(np.asarray(region.predicted(jnp.asarray(base))))
        weight = region.weight * jnp.asarray(width / np.maximum(size, width))
        base = np.asarray(_one(eqx.tree_at(lambda r: r.weight, region, weight), limits, LeastSquares()).currents)
    return base


@eqx.filter_jit
def _describe(objective, region: Region, found: Found, values, limits: Limits, coils: Coils) -> ShimResult:
    zero = jnp.zeros_like(found.currents)
    field = region.predicted(found.currents)
    after, before = (line(f, region.weight) for f in (field, region.field))
    slack = 1e-6 * jnp.maximum(1.0, jnp.abs(found.currents))
    return ShimResult(
        found.currents,
        found.value,
        objective(region, zero),
        field,
        region.field,
        after,
        before,
        volume_kept(region, field, after.peak),
        volume_kept(region, region.field, before.peak),
        found.status,
        found.iterations,
        (found.currents <= limits.lower + slack) | (found.currents >= limits.upper - slack),
        values,
        coils.names,
        coils.units,
    )


def shim_each(
    regions: Region,
    coils: Coils,
    objective: Objective | None = None,
    *,
    limits: Limits | None = None,
    solver: Solver | None = None,
) -> Found:
    """Dynamic shimming: one set of currents for each region of a batch (`region.stack`), slices or voxels of an MRSI, in one vmapped program.

    Gradient methods start at each region's least-squares solution. Returns `Found` with a leading axis; `currents` and `status` for each region.
    """  # fmt: skip
    objective = MeanSquare() if objective is None else objective
    limits = limits_of(coils) if limits is None else limits
    if solver is None:
        solver = LeastSquares() if isinstance(objective, MeanSquare) else SequentialQuadratic()
    return _each(regions, objective, limits, solver)


@eqx.filter_jit
def _each(regions, objective, limits, solver) -> Found:
    def one(region):
        base = least_squares(region, limits, LeastSquares() if not isinstance(solver, LeastSquares) else solver)
        if isinstance(solver, LeastSquares):
            return base
        return minimise(objective, region, base.currents, limits, solver)

    return jax.vmap(one)(regions)


def in_words(result: ShimResult) -> str:
    """One sentence: linewidth, volume, status."""
    status = ShimStatus(int(result.status)).name.lower().replace("_", " ")
    return (
        f"linewidth {float(result.line_before.fwhm):.1f} -> {float(result.line.fwhm):.1f} Hz, "
        f"field SD {float(jnp.std(result.field_before)):.1f} -> {result.sd:.1f} Hz, "
        f"volume kept {float(result.kept_before):.0%} -> {float(result.kept):.0%}; {status}"
    )
