"""Low-rank denoising of a stack of FIDs with the rank of Marchenko and Pastur, and what it does to the noise.

The matrix X (voxels x points) is a matrix of low rank with white noise of variance sigma^2. Singular values of noise alone fill the interval of Marchenko & Pastur (1967); the rank p is the smallest
for which those behind p are no wider spread than that law with their own mean allows (Veraart 2016), with the degrees of freedom (M - p)(N - p) of Cordero-Grande 2019.

What is left of the noise is, to first order in it, P_U E + E P_V - P_U E P_V for the projections on the left and right singular vectors. Its variance in voxel i and point j is

    sigma^2 (u_i + v_j - u_i v_j),   u_i = |row i of U|^2,   v_j = |row j of V|^2 ,

but along the signals themselves (the span of V) it is sigma^2 undiminished: E P_V is a part of it. A fit looks along the signals. The Cramer-Rao bound of a denoised spectrum is therefore that of the noise
*before* denoising (Clarke & Chiew 2022 show by Monte Carlo that bounds from the apparent noise are far too small); signals too weak to count in the rank are biased towards the others' mean, which no bound shows.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Int

from mrsjax.processing import hermitian
from mrsjax.processing.checks import usable


class Denoised(eqx.Module):
    """`fids` (v, n); `rank`; `noise_sd` standard deviation of the real part of the noise of a point *before* denoising, for Cramer-Rao bounds; `left` u (v,) and `right` v (n,) of the module's equation."""

    fids: Complex[Array, "v n"]
    rank: Int[Array, ""]
    noise_sd: Float[Array, ""]
    left: Float[Array, " v"]
    right: Float[Array, " n"]

    @property
    def sd(self) -> Float[Array, "v n"]:
        """Standard deviation of the real part of what is left of the noise, entry by entry."""
        u, v = self.left[:, None], self.right[None, :]
        return self.noise_sd * jnp.sqrt(u + v - u * v)


def marchenko_pastur(
    values: Float[Array, " k"], rows: Int[Array, ""] | int, columns: Int[Array, ""] | int
) -> tuple[Int[Array, ""], Float[Array, ""]]:
    """Rank and E |noise|^2 of an entry, from the squared singular values in descending order of a matrix of `rows` x `columns` (those beyond the smaller number are ignored)."""
    small, large = jnp.minimum(rows, columns), jnp.maximum(rows, columns)
    index = jnp.arange(values.shape[0])
    inside = index < small
    shown = jnp.where(inside, values, 0.0)
    tail = jnp.cumsum(shown[::-1])[::-1]
    left, right = jnp.maximum(small - index, 1), jnp.maximum(large - index, 1)
    mean = tail / (left * right)
    lowest = shown[jnp.maximum(small - 1, 0)]
    spread = (shown - lowest) / (4.0 * jnp.sqrt(left * right))
    noise = inside & (spread < mean)
    rank = jnp.where(jnp.any(noise), jnp.argmax(noise), small)
    return rank, jnp.where(jnp.any(noise), mean[rank], 0.0)


def denoise(fids: Complex[Array, "v n"], *, keep: Bool[Array, " v"] | None = None) -> Denoised:
    """The module's method for all voxels together. Before anything that colours the noise (apodisation, coil weights are fine).

    **Arguments:** `keep`: voxels that take part; others, and those that are not finite or all zero, are left as they are.
    """
    good = usable(fids)
    good = good if keep is None else good & keep
    x = jnp.where(good[:, None], fids, 0.0)
    v, n = x.shape
    wide = v <= n
    gram = hermitian.product(x, hermitian.dagger(x)) if wide else hermitian.product(hermitian.dagger(x), x)
    values, vectors = hermitian.eigh(gram)
    rank, variance = marchenko_pastur(jnp.maximum(values, 0.0), jnp.sum(good), n)
    inside = jnp.arange(vectors.shape[1]) < rank
    chosen = jnp.where(inside[None, :], vectors, 0.0)
    scale = jnp.where(inside, 1.0 / jnp.sqrt(jnp.maximum(values, jnp.finfo(values.dtype).tiny)), 0.0)
    if wide:
        other = hermitian.product(hermitian.dagger(x), chosen) * scale
        clean = hermitian.product(chosen, hermitian.product(hermitian.dagger(chosen), x))
        left, right = jnp.abs(chosen) ** 2, jnp.abs(other) ** 2
    else:
        other = hermitian.product(x, chosen) * scale
        clean = hermitian.product(hermitian.product(x, chosen), hermitian.dagger(chosen))
        left, right = jnp.abs(other) ** 2, jnp.abs(chosen) ** 2
    out = jnp.where(good[:, None], clean, fids)
    return Denoised(out, rank, jnp.sqrt(variance / 2.0), jnp.sum(left, axis=1), jnp.sum(right, axis=1))
