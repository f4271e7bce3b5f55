"""The anatomy of a world: volume fractions of the tissues on a grid, procedural or from the user's NIfTI maps."""

from __future__ import annotations

import abc
import os
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from mrsjax.io.field_map import read_image
from simulators.phantoms.head import Tissue, head
from simulators.tissue.priors import single

#: Points of each axis of a voxel at which a user's map is read.
FINE = 4


class Anatomy(eqx.Module):
    """Draws the volume fractions (x, y, z, tissue) of the tissues, in the order of `Tissue`, sum 1; axes RAS+, the field of view centred on `middle` (mm, in the user's space)."""

    shape: eqx.AbstractVar[tuple[int, int, int]]
    middle: eqx.AbstractVar[Float[Array, "3"]]

    @abc.abstractmethod
    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, "x y z k"]: ...


class ProceduralHead(Anatomy):
    """A new head (`phantoms.head`) for each key, about the origin."""

    shape: tuple[int, int, int] = eqx.field(static=True)
    middle: Float[Array, "3"] = eqx.field(converter=single, default=(0.0, 0.0, 0.0))

    def __call__(self, *, key):
        return jax.nn.one_hot(head(key, self.shape), len(Tissue), dtype=jnp.float32)


class GivenAnatomy(Anatomy):
    """One subject's fractions, the same for each key."""

    fractions: Float[Array, "x y z k"]
    middle: Float[Array, "3"]
    shape: tuple[int, int, int] = eqx.field(static=True)

    def __init__(self, fractions, middle):
        self.fractions = jnp.asarray(fractions, jnp.float32)
        self.middle = jnp.asarray(middle, jnp.float32)
        self.shape = tuple(fractions.shape[:3])

    def __call__(self, *, key):
        return self.fractions


def from_labels(
    path: str | os.PathLike,
    values: Mapping[str, tuple[int, ...]],
    shape: tuple[int, int, int],
    field_of_view: tuple[float, float, float],
) -> GivenAnatomy:
    """From a NIfTI label map; `values`: tissue name -> the labels it is made of; what has no name is air. `field_of_view` in mm.

    The grid is centred on the middle of the image, its axes along RAS+.

    **Raises:** `ValueError` for an unknown tissue name or a map that holds none of the labels; `FormatError` for a file that is no image.
    """
    labels, affine = read_image(path)
    parts = {name: np.isin(np.rint(labels), found).astype(np.float32) for name, found in values.items()}
    return _given(parts, affine, shape, field_of_view)


def from_probabilities(
    paths: Mapping[str, str | os.PathLike], shape: tuple[int, int, int], field_of_view: tuple[float, float, float]
) -> GivenAnatomy:
    """From one NIfTI map of volume fractions (0 to 1) a tissue, all on one grid; what is left over is air.

    **Raises:** as `from_labels`, and `ValueError` for maps of different grids or values outside 0..1.
    """
    parts, affine = {}, None
    for name, path in paths.items():
        parts[name], other = read_image(path)
        if affine is not None and not (np.allclose(affine, other) and len({p.shape for p in parts.values()}) == 1):
            raise ValueError(f"{path}: wanted the grid of the other maps, found another")
        if parts[name].min() < -0.01 or parts[name].max() > 1.01:
            raise ValueError(
                f"{path}: wanted fractions from 0 to 1, found {parts[name].min():.3g} to {parts[name].max():.3g}"
            )
        affine = other
    return _given(parts, affine, shape, field_of_view)


def _given(parts, affine, shape, field_of_view) -> GivenAnatomy:
    unknown = [name for name in parts if name.upper() not in Tissue.__members__]
    if unknown or not parts:
        raise ValueError(
            f"tissue: wanted some of {', '.join(t.name.lower() for t in Tissue)}, found {', '.join(unknown) or 'none'}"
        )
    out = np.zeros((*shape, len(Tissue)), np.float32)
    for name, part in parts.items():
        if part.ndim != 3:
            raise ValueError(f"{name}: wanted a map (x, y, z), found shape {part.shape}")
        out[..., Tissue[name.upper()]] += resampled(part, affine, shape, field_of_view)
    if not out.any():
        raise ValueError("tissue: wanted a map that holds some of the labels, found none of them")
    total = np.maximum(out.sum(-1, keepdims=True), 1.0)
    out /= total
    out[..., Tissue.AIR] += 1 - out.sum(-1)
    return GivenAnatomy(out, _middle(next(iter(parts.values())).shape, affine))


def _middle(shape: tuple[int, ...], affine: np.ndarray) -> Float[np.ndarray, "3"]:
    """Of an image, mm."""
    return affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3]


def resampled(
    volume: np.ndarray, affine: np.ndarray, shape: tuple[int, int, int], field_of_view: tuple[float, float, float]
) -> Float[np.ndarray, "x y z"]:
    """Mean of a volume over the voxels of a grid, from its nearest values at `FINE`^3 points a voxel."""
    from scipy.ndimage import map_coordinates

    inverse = np.linalg.inv(affine)
    middle = _middle(volume.shape, affine)
    axes = [
        fov * ((np.arange(n * FINE) + 0.5) / (n * FINE) - 0.5) + m
        for n, fov, m in zip(shape, field_of_view, middle, strict=True)
    ]
    out = np.empty(tuple(n * FINE for n in shape), np.float32)
    y, z = np.meshgrid(axes[1], axes[2], indexing="ij")
    for i, x in enumerate(axes[0]):  # a plane at a time: the whole grid of coordinates would be 27 times the volume
        place = np.stack([np.full_like(y, x), y, z], axis=-1) @ inverse[:3, :3].T + inverse[:3, 3]
        out[i] = map_coordinates(volume, np.moveaxis(place, -1, 0), order=0, mode="constant", cval=0.0)
    nx, ny, nz = shape
    return out.reshape(nx, FINE, ny, FINE, nz, FINE).mean(axis=(1, 3, 5))
