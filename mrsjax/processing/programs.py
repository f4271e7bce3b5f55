"""Compiled steps that are kept: the next data of the same shape, sampling and options compile nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.tree_util import Partial

Transform = Callable[[Callable], Callable]

#: Voxels that are worked on together by `in_batches`.
BATCH = 16


class _Known:
    """Values that a program is made for, equal where their content is; trees, whose leaves are arrays or hashable."""

    def __init__(self, *values: Any):
        self.values = values
        leaves, structure = jax.tree.flatten(values)
        content = [(x.dtype.str, x.shape, np.asarray(x).tobytes()) if hasattr(x, "dtype") else x for x in leaves]
        self.key = structure, tuple(content)

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        return self.key == other.key


def program(function: Callable, *known: Any, over: Transform | None = None, **options: Any) -> Callable:
    """`jit` of x -> function(*x, *known, **options), one for equal `known` and `options`; `over` maps it over its arguments first (`jax.vmap`, `in_turn`).

    `function` and `over` belong to a module (a lambda would be another function at each call), or `function` is a `jax.tree_util.Partial` of one. What is
    known may decide shapes and be read by NumPy.
    """
    if isinstance(function, Partial):
        return program(_called, function, over=over)
    return _compiled(function, over, _Known(known, options), jax.config.jax_enable_x64)  # pyright: ignore[reportAttributeAccessIssue]


def _called(*arguments):
    """The last argument, a function, of the others."""
    return arguments[-1](*arguments[:-1])


@functools.lru_cache(maxsize=128)
def _compiled(function: Callable, over: Transform | None, known: _Known, double: bool) -> Callable:
    values, options = known.values
    step = lambda *x: function(*x, *values, **options)  # noqa: E731
    return jax.jit(step if over is None else over(step))


def with_same(step: Callable) -> Callable:
    """Mapped over the first argument; the second is the same for all."""
    return jax.vmap(step, in_axes=(0, None))


def in_turn(step: Callable) -> Callable:
    """One after the other: for steps whose memory is large."""
    return lambda x: jax.lax.map(step, x)


def in_batches(step: Callable) -> Callable:
    """A few at a time."""
    return lambda x: jax.lax.map(step, x, batch_size=BATCH)
