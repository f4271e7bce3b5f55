"""Non-linear parameters of a model: a tree of `Parameter`, one for each named quantity, instead of a flat vector with offsets."""

import math
from typing import Any, cast

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float


class Parameter(eqx.Module):
    """Start, bounds and Gaussian prior of one quantity (scalar or array).

    **Arguments:** `start`; `lower`, `upper` (bounds, may be infinite); `mean`, `sd` of the prior (`sd = inf`: none); `unit`.
    All broadcast to the shape of `start`.

    **Raises:** `ValueError` when start lies outside the bounds or sd is not positive.
    """

    start: Float[Array, "*shape"]
    lower: Float[Array, "*shape"]
    upper: Float[Array, "*shape"]
    mean: Float[Array, "*shape"]
    sd: Float[Array, "*shape"]
    unit: str = eqx.field(static=True)

    def __init__(
        self,
        start: ArrayLike,
        *,
        unit: str,
        lower: ArrayLike = -math.inf,
        upper: ArrayLike = math.inf,
        mean: ArrayLike = 0.0,
        sd: ArrayLike = math.inf,
    ):
        known = not any(isinstance(x, jax.core.Tracer) for x in (start, lower, upper, mean, sd))
        if known:
            if not (np.all(np.asarray(start) >= lower) and np.all(np.asarray(start) <= upper)):
                raise ValueError(f"start: wanted a value in [{lower}, {upper}] {unit}, found {start}")
            if not np.all(np.asarray(sd) > 0):
                raise ValueError(f"sd: wanted a positive standard deviation, found {sd}")
        dtype, shape = jnp.result_type(float), np.shape(start)
        numbers = np if known else jnp  # no program for each shape where nothing is traced
        fixed = [numbers.broadcast_to(numbers.asarray(x, dtype), shape) for x in (start, lower, upper, mean, sd)]
        self.start, self.lower, self.upper, self.mean, self.sd = cast(Any, fixed)
        self.unit = unit


def from_rows(tree, rows: Float[np.ndarray, "s p"]):
    """Values for a tree of `Parameter`, leaves (s, *shape), from rows of numbers in the order of its leaves."""
    starts, structure = jax.tree.flatten(field(tree, "start"))
    parts = np.split(np.asarray(rows), np.cumsum([np.size(x) for x in starts])[:-1], axis=1)
    shaped = (part.reshape(len(rows), *np.shape(x)) for part, x in zip(parts, starts, strict=True))
    return jax.tree.unflatten(structure, shaped)


def to_rows(values, like, s: int) -> Float[np.ndarray, "s p"]:
    """Rows of numbers from a tree of values, the same for all `s` rows where they have the shapes of `like`, or with a leading axis s."""
    shapes = [np.shape(x) for x in jax.tree.leaves(like)]
    parts = [np.broadcast_to(x, (s, *shape)) for x, shape in zip(jax.tree.leaves(values), shapes, strict=True)]
    return np.concatenate([part.reshape(s, -1) for part in parts], axis=1)


def field(tree, name: str):
    """The same tree with each `Parameter` replaced by its attribute `name` (start, lower, upper, mean, sd or unit)."""
    return jax.tree.map(lambda p: getattr(p, name), tree, is_leaf=lambda x: isinstance(x, Parameter))
