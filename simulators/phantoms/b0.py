"""The main field over a head: of its susceptibility, after a shim of second order, with what the shim left."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mrsjax.physics.solid_harmonics import solid_harmonics
from mrsjax.physics.susceptibility import dipole_field
from simulators.phantoms.head import SUSCEPTIBILITY


def position(shape: tuple[int, int, int], field_of_view: tuple[float, float, float]) -> Float[np.ndarray, "x y z 3"]:
    """Voxel centres, mm, origin in the middle."""
    axes = [fov * (np.arange(n) - (n - 1) / 2) / n for n, fov in zip(shape, field_of_view, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def shim_terms(shape: tuple[int, int, int], field_of_view: tuple[float, float, float]) -> Float[np.ndarray, "9 x y z"]:
    """A constant and the solid harmonics to second order on a grid, in fields of view."""
    place = position(shape, field_of_view) / max(field_of_view)
    terms = np.asarray(solid_harmonics(place, 2), np.float32)
    return np.stack([np.ones(shape, np.float32), *np.moveaxis(terms, -1, 0)])


def orthonormal(terms: Float[Array, "k x y z"], inside: Float[Array, "x y z"]) -> Float[Array, "k x y z"]:
    """Combinations of the terms whose mean products over `inside` (weights) are 0, of mean square 1: Gram and Schmidt, twice, in place of a LAPACK call under vmap."""
    weight = inside / jnp.maximum(jnp.sum(inside), 1e-6)

    def one(i, modes):
        column = terms[i]
        for _ in range(2):
            column = column - jnp.einsum("k,kxyz->xyz", jnp.einsum("kxyz,xyz->k", modes, weight * column), modes)
        return modes.at[i].set(column / jnp.sqrt(jnp.maximum(jnp.sum(weight * column**2), 1e-12)))

    return jax.lax.fori_loop(0, len(terms), one, jnp.zeros_like(terms))


def shimmed_field(
    fractions: Float[Array, "x y z k"],
    inside: Float[Array, "x y z"],
    residual: Float[Array, " 9"],
    *,
    terms: Float[Array, "9 x y z"],
    field_of_view: tuple[float, float, float],
    frequency: float | Array,
) -> Float[Array, "x y z"]:
    """Offset (Hz) of the main field along z: the dipole field of the tissues minus its least-squares fit by `terms` (`shim_terms`) over `inside`, plus `residual` (Hz root mean
    square over `inside`) of each of the terms, made `orthonormal`.

    `frequency`: of the spectrometer, Hz. Nothing lies outside the grid (no neck): a modelling choice.
    """
    chi = (
        fractions @ jnp.asarray(np.asarray(SUSCEPTIBILITY, np.float32)) - SUSCEPTIBILITY[0]
    )  # relative to air, which the padding is
    voxel = jnp.asarray([fov / n for fov, n in zip(field_of_view, inside.shape, strict=True)], jnp.float32)
    raw = dipole_field(chi, voxel).astype(jnp.float32) * frequency
    modes = orthonormal(terms, inside)
    weight = inside / jnp.maximum(jnp.sum(inside), 1e-6)
    fitted = jnp.einsum("kxyz,xyz->k", modes, weight * raw)
    return raw - jnp.einsum("k,kxyz->xyz", fitted - residual, modes)
