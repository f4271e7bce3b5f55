"""A procedural head: nested ellipsoids with folded grey matter, ventricles, skull and scalp, and lesions of random pose."""

from __future__ import annotations

import enum
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from simulators.phantoms.head_field import AIR, HEAD


class Tissue(enum.IntEnum):
    """Labels of a head."""

    AIR = 0
    GREY = 1
    WHITE = 2
    CSF = 3
    SKULL = 4
    SCALP = 5
    LESION = 6


#: What a lesion takes the place of.
BRAIN = (Tissue.GREY, Tissue.WHITE, Tissue.CSF)

#: Susceptibility relative to water, SI: air +9.4e-6 (0.36e-6 and -9.05e-6 absolute: Schenck 1996); bone -2.3e-6 (-0.90e-6 cgs = -11.3e-6 SI absolute, bovine rib: Hopkins and
#: Wehrli 1997); scalp +0.6e-6, about that of fat (a modelling choice: no source could be read); the brain's tissues are taken as water.
SUSCEPTIBILITY = (9.4e-6, 0.0, 0.0, 0.0, -2.3e-6, 0.6e-6, 0.0)

#: Relative signal of a T1-weighted and a T2-FLAIR picture by label: modelling choices that keep the order seen in the clinic.
T1W = (0.0, 0.6, 0.9, 0.2, 0.05, 1.0, 0.45)
FLAIR = (0.0, 0.7, 0.5, 0.1, 0.05, 0.6, 1.2)


class Lesion(eqx.Module):
    """An ellipsoid: `centre` (3,), `radii` (3,) in halves of the field of view (`grid`), `rotation` (3, 3)."""

    centre: Float[Array, "3"]
    radii: Float[Array, "3"]
    rotation: Float[Array, "3 3"]


def random_lesion(key: Key[Array, ""], *, radius: tuple[float, float] = (0.06, 0.3)) -> Lesion:
    """Anywhere within 0.45 of half of the field of view from its middle, any orientation (uniform over rotations: Shoemake 1992), radii uniform in `radius`."""
    of_place, of_depth, of_size, of_turn = jax.random.split(key, 4)
    direction = jax.random.normal(of_place, (3,), jnp.float32)
    centre = 0.45 * direction / jnp.linalg.norm(direction) * jax.random.uniform(of_depth, (), jnp.float32) ** (1 / 3)
    radii = jax.random.uniform(of_size, (3,), jnp.float32, *radius)
    q = jax.random.normal(of_turn, (4,), jnp.float32)
    w, x, y, z = q / jnp.linalg.norm(q)
    rotation = jnp.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return Lesion(centre, radii, rotation)


def grid(shape: tuple[int, ...]) -> Float[np.ndarray, "3 x y z"]:
    """Coordinates from -1 to 1 along each axis (left-right, back-front, foot-head)."""
    axes = [(np.arange(n) - (n - 1) / 2) / (n / 2) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)


def head(key: Key[Array, ""], shape: tuple[int, int, int] = (64, 64, 64)) -> Int[Array, "x y z"]:
    """A label map (`Tissue`) of a head of random proportions.

    Scalp, skull, CSF and brain are nested ellipsoids; the border of grey and white matter is folded by a sum of random waves; two ventricles lie in the middle; sinuses,
    ear canals and mouth hold air (`head_field.AIR`). No anatomy: what MRSI methods see of a head (a lipid ring, three tissues mixed at the voxel's scale, air
    around, a field that is worst above the sinuses).
    """
    of_size, of_fold = jax.random.split(key)
    x = jnp.asarray(grid(shape))
    size = jax.random.uniform(of_size, (3,), jnp.float32, 0.92, 1.0) * jnp.array([0.78, 0.95, 0.9])
    radius = jnp.sqrt(jnp.sum((x / size[:, None, None, None]) ** 2, axis=0))
    waves, turns = jax.random.normal(of_fold, (2, 12, 3), jnp.float32)
    phase = jnp.einsum("ki,ixyz->kxyz", 9.0 * waves / jnp.linalg.norm(waves, axis=1, keepdims=True), x)
    fold = jnp.mean(jnp.sin(phase + math.pi * turns[:, 0, None, None, None]), axis=0) * math.sqrt(12)
    label = jnp.full(shape, Tissue.AIR)
    for tissue, edge in ((Tissue.SCALP, 1.0), (Tissue.SKULL, 0.91), (Tissue.CSF, 0.84), (Tissue.GREY, 0.8)):
        label = jnp.where(radius < edge, tissue, label)
    label = jnp.where(radius < 0.66 + 0.08 * fold, Tissue.WHITE, label)
    for side in (-1, 1):
        inside = ((x[0] - 0.1 * side) / 0.07) ** 2 + (x[1] / 0.3) ** 2 + ((x[2] - 0.05) / 0.12) ** 2
        label = jnp.where(inside < 1, Tissue.CSF, label)
    for centre, axes in AIR.values():
        place, axes = (np.asarray(v, np.float32) / np.asarray(HEAD[1], np.float32) for v in (centre, axes))
        away = (x / size[:, None, None, None] - place[:, None, None, None]) / axes[:, None, None, None]
        label = jnp.where(jnp.sum(away**2, axis=0) < 1, Tissue.AIR, label)
    return label


def lesioned(fractions: Float[Array, "x y z k"], lesion: Lesion) -> Float[Array, "x y z k"]:
    """Fractions by tissue with what lies inside the ellipsoid, of the brain and its CSF, turned into the lesion's."""
    x = jnp.asarray(grid(fractions.shape[:3]))
    along = jnp.einsum("ij,jxyz->ixyz", lesion.rotation.T, x - lesion.centre[:, None, None, None])
    inside = jnp.sum((along / lesion.radii[:, None, None, None]) ** 2, axis=0) < 1
    taken = fractions * inside[..., None] * jnp.zeros(len(Tissue)).at[jnp.array(BRAIN)].set(1.0)
    return (fractions - taken).at[..., Tissue.LESION].add(jnp.sum(taken, axis=-1)).astype(fractions.dtype)


def rendered(fractions: Float[Array, "*s k"], values: tuple[float, ...]) -> Float[Array, "*s"]:
    """A quantity by tissue (`SUSCEPTIBILITY`, `T1W`, `FLAIR`) on the map: the mean over a voxel."""
    return fractions @ jnp.asarray(np.asarray(values, np.float32))
