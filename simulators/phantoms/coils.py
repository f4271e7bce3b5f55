"""Sensitivities of loops around the head."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex


def loop_sensitivities(
    shape: tuple[int, int], count: int, *, distance: float = 1.2, radius: float = 0.5
) -> Complex[Array, "c x y"]:
    """Transverse field of `count` loops on a circle around a transverse plane, by Biot and Savart's law, largest value 1 in the plane.

    Loops of `radius`, centres at `distance` (both in half fields of view), axes to the middle; the integral is a sum of 128 straight pieces. The receive
    sensitivity is Bx - i By (Hoult 2000; conductivity is left out, a modelling choice).
    """
    axes = [(np.arange(n) - (n - 1) / 2) / (n / 2) for n in shape]
    points = np.stack([*np.meshgrid(*axes, indexing="ij"), np.zeros(shape)], axis=-1)
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
        field = np.sum(np.cross(step, to) / np.linalg.norm(to, axis=-1, keepdims=True) ** 3, axis=-2)
        out[c] = field[..., 0] - 1j * field[..., 1]
    return jnp.asarray((out / np.abs(out).max()).astype(np.complex64))
