"""Smooth random variation over a head."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key


def smooth_fields(
    key: Key[Array, ""], position: Float[np.ndarray, "*grid 3"], count: int, *, waves: int = 8, period: float = 60.0
) -> Float[Array, "*fields"]:
    """`count` Gaussian-like random fields, mean 0 and standard deviation 1: sums of `waves` cosines of random direction and phase.

    `position` and the shortest `period` in mm; wave numbers are uniform from 0 to 1 / period.
    """
    of_wave, of_phase = jax.random.split(key)
    direction = jax.random.normal(of_wave, (count * waves, 3), jnp.float32)
    direction = direction / jnp.linalg.norm(direction, axis=1, keepdims=True)
    number, phase = jax.random.uniform(of_phase, (2, count * waves, 1), jnp.float32)
    place = jnp.asarray(position.reshape(-1, 3), jnp.float32)
    argument = 2 * math.pi * (number / period * (direction @ place.T) + phase)
    sums = jnp.cos(argument).reshape(count, waves, -1).sum(1) * math.sqrt(2 / waves)
    return sums.reshape(count, *position.shape[:-1])
