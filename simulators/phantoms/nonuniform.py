"""Spiral and rosette k-space by a non-uniform FFT.

jax-finufft (`pip install "mrsjax[nufft]"`): maintained by FINUFFT's institute, wheels for the CPU, one custom call under jit and vmap, differentiable. One thread, so that sums have one order. Phase encoding
along z stays Cartesian (a stack). The evolution of the signal while one trajectory is read is left out, as after the usual correction of the sampling times.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

#: Requested accuracy of the transforms in single precision.
ACCURACY = 1e-5


class Trajectory(eqx.Module):
    """In-plane k-space positions `k` (j, 2), cycles per field of view, and the weights `density` (j,) of the image, sum_j w_j s_j exp(2 pi i k_j . v)."""

    k: Float[Array, "j 2"]
    density: Float[Array, " j"]


def spiral(matrix: tuple[int, int], *, shots: int = 8, oversampling: float = 2.0) -> Trajectory:
    """Archimedean spirals out from k = 0, `shots` of them turned against each other (Adalsteinsson 1998), neighbouring turns 3/4 cycle per field of view apart.

    `oversampling`: mean number of points along the path per cycle per field of view. The weights are the areas that the points stand for, proportional to their radius.
    """
    edge = min(matrix) / 2
    turns = edge / shots / 0.75
    points = int(np.ceil(oversampling * np.pi * edge * turns))
    part = (np.arange(points) + 0.5) / points
    turn = 2 * np.pi * (turns * part + np.arange(shots)[:, None] / shots)
    return _trajectory(edge * part * np.exp(1j * turn), part, edge)


def rosette(matrix: tuple[int, int], *, shots: int | None = None, oversampling: float = 3.0) -> Trajectory:
    """Circles through k = 0, k(u) = kmax sin(pi u) exp(i pi u), 0 < u < 1, `shots` of them turned against each other (Schirda 2009).

    `shots`: by default pi m / 2, rounded up: one cycle per field of view between neighbours at the edge. Weights: areas, proportional to |sin(2 pi u)|.
    """
    edge = min(matrix) / 2
    shots = shots or int(np.ceil(np.pi * min(matrix) / 2))
    points = int(np.ceil(oversampling * np.pi * edge))
    u = (np.arange(points) + 0.5) / points
    turn = np.pi * u + 2 * np.pi * np.arange(shots)[:, None] / shots
    return _trajectory(edge * np.sin(np.pi * u) * np.exp(1j * turn), np.abs(np.sin(2 * np.pi * u)), edge)


def _trajectory(path: np.ndarray, area: np.ndarray, edge: float) -> Trajectory:
    """The points of all shots; the areas add up to that of the disc."""
    k = np.stack([np.real(path).ravel(), np.imag(path).ravel()], axis=-1)
    area = np.broadcast_to(area, path.shape).ravel()
    return Trajectory(jnp.asarray(k, jnp.float32), jnp.asarray(area * np.pi * edge**2 / area.sum(), jnp.float32))


def sampled_along(image: Complex[Array, "*n x y"], trajectory: Trajectory) -> Complex[Array, "*n j"]:
    """The object's k-space on a trajectory, in the normalisation of `kspace.sampled`. x and y even.

    **Raises:** `ValueError` when jax-finufft is not installed.
    """
    n = image.shape[-2:]
    turn = [2 * np.pi * trajectory.k[:, i] / n[i] for i in (0, 1)]
    flat = image.reshape(-1, *n)
    half = jnp.exp(-0.5j * (turn[0] + turn[1]))  # voxel centres lie half a voxel beside the transform's grid
    library = _finufft()
    found = (
        library.nufft2(flat, *turn, eps=ACCURACY, iflag=-1, opts=library.options.Opts(nthreads=1))
        * half
        / (n[0] * n[1])
    )
    return found.reshape(*image.shape[:-2], -1)


def image_along(
    samples: Complex[Array, "*n j"], trajectory: Trajectory, matrix: tuple[int, int]
) -> Complex[Array, "*n a b"]:
    """The image on a grid: the adjoint transform of the density-weighted samples."""
    turn = [2 * np.pi * trajectory.k[:, i] / matrix[i] for i in (0, 1)]
    flat = samples.reshape(-1, samples.shape[-1])
    half = trajectory.density * jnp.exp(0.5j * (turn[0] + turn[1]))
    library = _finufft()
    found = library.nufft1(matrix, flat * half, *turn, eps=ACCURACY, iflag=1, opts=library.options.Opts(nthreads=1))
    return found.reshape(*samples.shape[:-1], *matrix)


def _finufft() -> Any:
    try:
        import jax_finufft
    except ImportError:
        raise ValueError('spiral and rosette k-space need jax-finufft; pip install "mrsjax[nufft]"') from None
    return jax_finufft
