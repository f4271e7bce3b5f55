"""What an MRSI encoding sees of a map."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex


def sampled(
    image: Complex[Array, "x y *n"], matrix: tuple[int, int], *, mask: Bool[Array, "a b"] | None = None
) -> Complex[Array, "a b *n"]:
    """k-space of an image (first two axes) at the lowest `matrix` phase encodings, those outside `mask` zero; k = 0 in the middle.

    Orthonormal over the fine grid, divided so that a uniform image keeps its value in `reconstructed`.
    """
    n = image.shape[:2]
    if any(m > size for m, size in zip(matrix, n, strict=True)):
        raise ValueError(f"matrix: wanted at most {n}, found {matrix}")
    k = jnp.fft.fftshift(jnp.fft.fftn(image, axes=(0, 1)), axes=(0, 1)) / (n[0] * n[1])
    first = [size // 2 - m // 2 for m, size in zip(matrix, n, strict=True)]
    k = k[first[0] : first[0] + matrix[0], first[1] : first[1] + matrix[1]]
    return k if mask is None else k * mask.reshape(*mask.shape, *(1,) * (k.ndim - 2))


def reconstructed(k: Complex[Array, "a b *n"]) -> Complex[Array, "a b *n"]:
    """The image of a Cartesian k-space by the inverse FFT: each voxel is the object seen through the point-spread function."""
    size = k.shape[0] * k.shape[1]
    return jnp.fft.ifftn(jnp.fft.ifftshift(k, axes=(0, 1)), axes=(0, 1)) * size


def elliptical(matrix: tuple[int, int]) -> Bool[np.ndarray, "a b"]:
    """The phase encodings inside the ellipse that touches the edges."""
    a, b = np.meshgrid(*((np.arange(m) - m // 2) / (m / 2) for m in matrix), indexing="ij")
    return a**2 + b**2 <= 1
