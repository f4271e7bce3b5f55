"""The one-step estimator: from a start that is good already, one Gauss-Newton step of all parameters and amplitudes together.

From a start whose error is of the order of the statistical one, a single step of scoring has the efficiency of the whole fit (Le Cam 1956). With J = d(c_0 A) / d theta
at the start theta_0, c_0 = argmin |z - c A|_W, in the terms of `inference.varpro`:

    minimise over d and c >= 0:   |z - c A - d J|_W^2 / 2 + c' P c / 2 + |(theta_0 + d - mean) / sd|^2 / 2

Components are evaluated once, and their sum once more at the end, which shows what the step has left.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from mrsjax.core.compilation import bound, jit
from mrsjax.core.parameters import to_rows
from mrsjax.core.results import FitResult
from mrsjax.inference import batch, noise
from mrsjax.inference.fit import TOLERANCES, checked, checked_start, cleaned
from mrsjax.inference.linalg import nnls, solve
from mrsjax.inference.stages import freedom, refined
from mrsjax.inference.summary import result_of
from mrsjax.inference.varpro import Linear, Point, Problem, State, Tree, gram_matrix, rows_of, single, smooth, stacked
from mrsjax.physics.decimation import decimated
from mrsjax.physics.model import SignalModel, Values


class Reduced(NamedTuple):
    """The problem of the amplitudes alone, matrix c = right, and the best step of the parameters beside them."""

    matrix: Float[Array, "m m"]
    right: Float[Array, " m"]
    by_amplitude: Float[Array, "p m"]
    alone: Float[Array, " p"]

    def move(self, c: Float[Array, " m"]) -> Float[Array, " p"]:
        """d for the amplitudes c."""
        return self.alone - self.by_amplitude @ c


class Quadratic(NamedTuple):
    """chi^2 as a quadratic form of amplitudes c and step d: products of A, J and the data z under W."""

    gram: Float[Array, "m m"]  # A W A' (+ P)
    cross: Float[Array, "m p"]  # A W J'
    information: Float[Array, "p p"]  # J W J'
    b: Float[Array, " m"]  # A W z
    slope: Float[Array, " p"]  # J W z

    def divided(self, unit: Float[Array, ""]) -> Quadratic:
        """The same in units of `unit` noises: J grows with the amplitudes."""
        return Quadratic(self.gram, self.cross / unit, self.information / unit**2, self.b / unit, self.slope / unit**2)

    def reduced(self, weight, pull, fixed: Float[Array, " p"], held: Bool[Array, " p"]) -> Reduced:
        """Parameters eliminated. `weight`, `pull`: precision of their priors, and derivative at the start; those that are `held` make the step `fixed`."""
        fixed = jnp.where(held, fixed, 0.0)
        b = self.b - self.cross @ fixed
        slope = self.slope - self.information @ fixed - pull
        both = jnp.concatenate([self.cross.T, slope[:, None]], axis=1)
        inner = self.information + jnp.diag(weight)
        solved = solve(inner, both, ~held)
        left, alone = solved[:, :-1], solved[:, -1]
        return Reduced(self.gram - self.cross @ left, b - self.cross @ alone, left, alone + fixed)


def one_step(
    model: SignalModel,
    fids: Complex[Array | np.ndarray, "s n"],
    start: Values,
    *,
    noise_sd: float | None = None,
) -> FitResult:
    """Amplitudes with uncertainties from one evaluation of the model, in single precision and on its short form (physics.decimation).

    **Arguments:** `model`, `fids`, `noise_sd`: as in `inference.fit`. `start`: values of `model.coarse()`, leading axis the spectra, e.g. of `nn.prediction.encode`; what
    components have of their own starts at nothing.

    **Returns:** a `FitResult` as of `fit`. A spectrum is `CONVERGED` when chi^2 / 2 at the end is what the quadratic model foretold, give or take 0.5; else it
    is `MAX_ITERATIONS`, and `fit(..., start=start)` goes on.

    **Raises:** `ValueError` as `fit`.
    """
    fids = checked(model, fids, noise_sd)
    start = refined(model, checked_start(start, model.coarse(), len(fids)))
    fids, scale, usable = cleaned(fids)
    known = ((np.nan if noise_sd is None else noise_sd) / scale).astype(np.float32)
    theta = to_rows(start, model.start(), len(fids)).astype(np.float32)
    blocks = single(noise.noise_blocks(model.sampling))
    step = bound(_stepped, *single((decimated(model), model)), blocks, freedom(model))
    problem, state, sd, excess = batch.map_rows(step, fids.astype(np.complex64), theta, known)
    usable &= np.isfinite(sd) & (sd > 0)
    return result_of(
        model, problem, state, state.at.linear, sd * scale, excess, usable, np.zeros(len(fids)), 1, TOLERANCES[0]
    )


@jit
def _stepped(short: SignalModel, model: SignalModel, blocks, freedom: float, fids, theta, known):
    """Problem and `State` at the end, noise, and unit of the problem over it (`stages.between`). The state's decrement is by how much chi^2 / 2 is above what was
    foretold."""
    tree, m, zero = Tree(short), len(short.names), jnp.int32(0)
    everything = jnp.ones(m, bool)

    def one(fid, theta, known):
        sd = jnp.where(jnp.isnan(known), noise.noise_sd(fid, blocks), known)
        theta, weight = jnp.clip(theta, tree.lower, tree.upper), 1.0 / tree.sd**2
        problem = Problem(model.crop(fid) / sd, short.baseline.log_stiffness, jnp.zeros((m, m), theta.dtype), weight)
        values = tree.unravel(theta)
        design, fids = short.design(values)
        a, z = stacked(design), stacked(problem.data[None])
        pa, pz = smooth(short, problem, a), smooth(short, problem, z)
        gram, b = gram_matrix(problem, a, pa), a @ z[0] - pa @ pz[0]
        c = solve(gram, b, everything)  # of either sign: what matters is the signal that they add up to
        j = stacked(rows_of(short.jacobian(values, c, fids)))
        pj = smooth(short, problem, j)
        cross, information, slope = a @ j.T - pa @ pj.T, j @ j.T - pj @ pj.T, j @ z[0] - pj @ pz[0]
        at = Quadratic(gram, cross, information, b, slope)

        def misfit(rest):
            return 0.5 * (jnp.sum(rest**2) - jnp.sum(smooth(short, problem, rest) ** 2))

        pull, nothing = weight * (theta - tree.mean), jnp.zeros(theta.shape, bool)
        free = at.reduced(weight, pull, jnp.zeros_like(theta), nothing)
        c = solve(free.matrix, free.right, everything)
        move = free.move(c)
        excess = jnp.maximum(1.0, jnp.sqrt(2.0 * misfit(z - c @ a - move @ j) / freedom))
        at, problem = (
            at.divided(excess),
            Problem(problem.data / excess, problem.log_stiffness, problem.precision, weight),
        )
        for prior in short.ratios:
            spread = prior.scale / jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 1e-30))
            more = problem.precision + prior.precision(c / excess, jnp.linalg.norm(spread))
            problem = Problem(problem.data, problem.log_stiffness, more, weight)
        at = at._replace(gram=gram + problem.precision)
        fixed = jnp.clip(move, tree.lower - theta, tree.upper - theta)
        held = at.reduced(weight, pull, fixed, fixed != move)
        c, passive = nnls(held.matrix, held.right, c > 0)
        end = jnp.clip(theta + held.move(c), tree.lower, tree.upper)
        foretold = misfit(z / excess - c @ a - (end - theta) @ j / excess)
        cost = misfit(stacked((problem.data - short.spectrum(tree.unravel(end), c))[None]))
        linear = Linear(cost + 0.5 * c @ (problem.precision @ c), c, passive, at.gram)
        point = Point(end, linear, jnp.zeros_like(end), at.information + jnp.diag(weight), at.cross)
        left = cost - foretold
        return problem, State(point, end, passive, left, jnp.zeros_like(left), zero + 1, zero, zero), sd, excess

    return jax.vmap(one)(fids, theta, known)
