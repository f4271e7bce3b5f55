"""What an MRSI encoding sees of an object: Cartesian k-space, its masks, its image.

    s(k) = (1 / R) sum_r x(r) exp(-2 pi i k . r),      image(v) = sum_k s(k) exp(2 pi i k . v)

with k in whole cycles per field of view, -m/2 .. m/2 - 1 (m even) along each axis, and r, v the centres of the object's and of the image's voxels in fields of view about the middle: both
grids span the same field of view. A uniform object keeps its value; each voxel of the image is the object seen through the Dirichlet kernel.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Complex, Key


def orders(m: int) -> np.ndarray:
    """Phase encodings of an axis, cycles per field of view."""
    return np.arange(m) - m // 2


def centres(n: int) -> np.ndarray:
    """Centres of n voxels over a field of view, -1/2 to 1/2."""
    return (np.arange(n) - (n - 1) / 2) / n


def _applied(matrices: dict[int, np.ndarray], x: Complex[Array, "x y z *n"]) -> Complex[Array, "a b c *n"]:
    """A matrix along some of the first axes, the one that shrinks most first."""
    for axis in sorted(matrices, key=lambda i: matrices[i].shape[0] / matrices[i].shape[1]):
        matrix = jnp.asarray(matrices[axis].astype(np.complex64))
        x = jnp.moveaxis(jnp.tensordot(matrix, x, axes=(1, axis), precision=lax.Precision.HIGHEST), 0, axis)
    return x


def sampled(
    image: Complex[Array, "x y z *n"], matrix: tuple[int, int, int], *, axes: tuple[int, ...] = (0, 1, 2)
) -> Complex[Array, "a b c *n"]:
    """k-space of an object (first three axes) at the lowest `matrix` phase encodings, k = 0 at index m // 2; only along `axes`.

    **Raises:** `ValueError` when the matrix is finer than the object.
    """
    n = image.shape[:3]
    if any(m > size for m, size in zip(matrix, n, strict=True)):
        raise ValueError(f"matrix: wanted at most {n}, found {matrix}")
    return _applied({i: np.exp(-2j * np.pi * np.outer(orders(matrix[i]), centres(n[i]))) / n[i] for i in axes}, image)


def reconstructed(k: Complex[Array, "a b c *n"], *, axes: tuple[int, ...] = (0, 1, 2)) -> Complex[Array, "a b c *n"]:
    """The image of a Cartesian k-space on the grid of its matrix; only along `axes`."""
    m = k.shape
    return _applied({i: np.exp(2j * np.pi * np.outer(centres(m[i]), orders(m[i]))) for i in axes}, k)


def _radius(matrix: tuple[int, int, int]) -> np.ndarray:
    axes = [orders(m) / (m / 2) if m > 2 else np.zeros(m) for m in matrix]  # one or two encodings are never left out
    return np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij")))


def elliptical(matrix: tuple[int, int, int]) -> Bool[np.ndarray, "a b c"]:
    """The phase encodings inside the ellipsoid that touches the edges."""
    return _radius(matrix) <= 1


def variable_density(
    key: Key[Array, ""], matrix: tuple[int, int, int], *, acceleration: float, centre: float = 0.2, power: float = 2.0
) -> Bool[Array, "a b c"]:
    """Random phase encodings, one in `acceleration`: all within `centre` of the radius, the others with odds (1 - radius)^`power`, none outside the ellipsoid.

    The number is the same for every key (Gumbel's trick: the largest of log odds + noise).

    **Raises:** `ValueError` when the centre alone holds more than that.
    """
    radius = _radius(matrix)
    count = round(radius.size / acceleration)
    inside, whole = radius < 1, radius <= centre
    if not whole.sum() <= count <= inside.sum():
        raise ValueError(
            f"acceleration: wanted one that leaves {whole.sum()} to {inside.sum()} of {radius.size} encodings, found {acceleration}"
        )
    odds = np.where(inside, power * np.log(np.where(inside, 1 - radius, 1.0) + 1e-9), -np.inf)
    score = jnp.asarray(odds, jnp.float32) + jax.random.gumbel(key, matrix, jnp.float32)
    score = jnp.where(jnp.asarray(whole), jnp.inf, score)
    return score >= jnp.sort(score.ravel())[-count]
