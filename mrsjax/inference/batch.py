"""The executor: many small fits through one compiled program, converged ones making room for the next.

Every program works on a fixed number of slots, whatever the number of spectra, so that one compilation serves all. The states wait in host memory; each
round takes rows that are not finished, advances them by a step and puts them back: a slow spectrum holds back nobody.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from mrsjax.core.compilation import bound, jit
from mrsjax.inference import varpro
from mrsjax.inference.varpro import Linear, Point, Problem, State, Tree, single
from mrsjax.physics.model import SignalModel


def slots() -> int:
    """Spectra that are worked on together: what fills a second-level cache (CPU) or the chip (accelerators)."""
    return 8 if jax.default_backend() == "cpu" else 4096


#: Host memory (bytes) for the data and states of the spectra that are fitted together.
MEMORY = 1e9


def chunk(model: SignalModel) -> int:
    """Spectra whose signals and matrices (amplitudes and parameters) fill `MEMORY`, by what a fit was measured to hold of each."""
    m, p = len(model.names), len(Tree(model).start)
    points, window = model.sampling.n_points, model.window[1] - model.window[0]
    each = 16 * (2 * points + 6 * window) + 40 * (m**2 + p**2 + m * p)
    return max(1, int(MEMORY // each))


def _take(tree, rows):
    return jax.tree.map(lambda x: x[rows], tree)


def map_rows(function: Callable, *rows, size: int | None = None):
    """`function(*slot rows)` over all rows of trees of arrays (leading axis: spectra), slot by slot; results on the host.

    `function` is jitted by the caller and sees `size` (None: `slots()`) rows at every call; the last slots repeat the last row.
    """
    total, size = len(jax.tree.leaves(rows)[0]), slots() if size is None else size
    parts = []
    for first in range(0, total, size):
        index = np.minimum(np.arange(first, first + size), total - 1)
        part = jax.tree.map(np.asarray, function(*_take(rows, index)))
        parts.append(_take(part, slice(0, min(size, total - first))))
    return jax.tree.map(lambda *x: np.concatenate(x), *parts)


def begin(tree: Tree, theta: Float[np.ndarray, "s p"], passive: Bool[np.ndarray, "s m"]) -> State:
    """States before the first step, on the host: points of infinite cost, so that the first step evaluates theta itself. `passive`: amplitudes that are
    not expected to be zero."""
    m = passive.shape[1]
    (s, p), dtype = theta.shape, theta.dtype
    theta = np.clip(theta, np.asarray(tree.lower), np.asarray(tree.upper))
    infinite = np.full(s, np.inf, dtype)
    eye = lambda n: np.tile(np.eye(n, dtype=dtype), (s, 1, 1))  # noqa: E731
    zeros, count = np.zeros((s, p), dtype), np.zeros(s, np.int32)
    parts: Any = infinite, np.zeros((s, m), dtype), passive.copy(), eye(m)
    parts = theta, Linear(*parts), zeros, eye(p), np.zeros((s, m, p), dtype)
    damping = np.full(s, varpro.LEAST_DAMPING, dtype)
    parts = Point(*parts), theta.copy(), passive.copy(), np.zeros(s, dtype), damping, count, count.copy(), count.copy()
    return State(*parts)


@jit
def advance(model: SignalModel, problem: Problem, state: State, tolerance, limit) -> tuple[State, Bool[Array, " b"]]:
    """One step of each slot, and which are finished after it; these take the last step, which is too small to be evaluated."""

    def one(problem, state):
        state = varpro.step(model, single(Tree(model)), problem, state, tolerance)
        settled = varpro.settled(problem, state, tolerance)
        theta = jnp.where(settled & (limit > 1), state.next, state.at.theta)
        state = eqx.tree_at(lambda s: s.at.theta, state, theta)
        return state, settled | varpro.stuck(state) | (state.iterations >= limit)

    return jax.vmap(one)(problem, state)


def minimise(
    model: SignalModel,
    problems: Problem,
    theta: Float[np.ndarray, "s p"],
    active: Bool[np.ndarray, " s"],
    *,
    passive: Bool[np.ndarray, "s m"] | None = None,
    tolerance: float,
    max_iterations: int,
    progress: Callable[[int, int], None] | None = None,
) -> State:
    """Fit all spectra from the starting points `theta`; rows that are not `active` are left alone. Arrays live on the host.

    The iteration is in single precision, whatever that of the arguments: half the time, and its rounding is far below the noise. What is reported is
    evaluated at its end point in the precision of the session.

    `passive`: where to begin with the non-negative amplitudes. `tolerance`: predicted decrease of chi^2 / 2 at which a spectrum is finished. `progress(done, total)` is called after each round.
    """
    size = slots()
    model, problems, theta = single((model, problems, theta))
    passive = np.ones((len(theta), len(model.names)), bool) if passive is None else passive
    states = begin(single(Tree(model)), theta, passive)
    waiting = np.flatnonzero(active)
    total = len(waiting)
    stop_at, step = (np.float32(tolerance), np.int32(max_iterations)), bound(advance, model)
    while len(waiting):
        rows = np.resize(waiting[:size], size)  # the last slots repeat the first rows
        state, stop = step(_take(problems, rows), _take(states, rows), *stop_at)
        for everything, part in zip(jax.tree.leaves(states), jax.tree.leaves(state), strict=True):
            everything[rows] = part
        waiting = waiting[~np.isin(waiting, rows[np.asarray(stop)])]
        if progress is not None:
            progress(total - len(waiting), total)
    return states
