"""Sensitivities of loops around the head."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex


def loop_sensitivities(
    shape: tuple[int, int, int], count: int, *, height: float = 1.0, distance: float = 1.2, radius: float = 0.5
) -> Complex[Array, "c x y z"]:
    """Transverse field of `count` loops on a circle around the middle transverse plane, by Biot and Savart's law, largest value 1.

    `height`: of the grid along z over its width: loops lie around the middle of a slab. Loops of `radius`, centres at `distance` (both in half fields of view), axes to the middle; the integral is a sum of 128 straight pieces. The receive
    sensitivity is Bx - i By (Hoult 2000; conductivity is left out, a modelling choice).
    """
    axes = [(np.arange(n) - (n - 1) / 2) / (n / 2) for n in shape]
    axes[2] = axes[2] * height
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    turn = 2 * math.pi * np.arange(129) / 128
    out = np.empty((count, *shape), complex)
    for c in range(count):
        angle = 2 * math.pi * c / count
        outward, along = (
            np.array([math.cos(angle), math.sin(angle), 0]),
            np.array([-math.sin(angle), math.cos(angle), 0]),
        )
        wire = distance * outward + radius * (
            np.cos(turn)[:, None] * along + np.sin(turn)[:, None] * np.array([0, 0, 1.0])
        )
        middle, step = 0.5 * (wire[1:] + wire[:-1]), np.diff(wire, axis=0)
        to = points[..., None, :] - middle
        near = np.sum(to * to, axis=-1) ** -1.5
        field = np.stack(
            [np.sum((step[:, i] * to[..., j] - step[:, j] * to[..., i]) * near, axis=-1) for i, j in ((1, 2), (2, 0))],
            axis=-1,
        )
        out[c] = field[..., 0] - 1j * field[..., 1]
    return jnp.asarray((out / np.abs(out).max()).astype(np.complex64))
