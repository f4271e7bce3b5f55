"""The volume to shim: a cuboid anywhere in patient space, with edges that are sharp or soft."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike


def _array(x) -> Float[Array, "..."]:
    return jnp.asarray(x, dtype=jnp.result_type(float))


class Cuboid(eqx.Module):
    """A box.

    **Arguments:** `centre` (3,) mm, RAS+; `size` (3,) mm; `rotation` (3, 3): columns are the box's axes in patient space.

    **Raises:** `ValueError` for a size that is not positive.
    """

    centre: Float[Array, " 3"] = eqx.field(converter=_array)
    size: Float[Array, " 3"] = eqx.field(converter=_array)
    rotation: Float[Array, "3 3"] = eqx.field(converter=_array)

    def __init__(self, centre: ArrayLike, size: ArrayLike, rotation: ArrayLike | None = None):
        self.centre = _array(centre)
        self.size = jnp.broadcast_to(_array(size), (3,))
        self.rotation = _array(np.eye(3) if rotation is None else rotation)

    def __check_init__(self):
        if not isinstance(self.size, jax.core.Tracer) and not np.all(np.asarray(self.size) > 0):
            raise ValueError(f"voxel: wanted a size of three positive lengths in mm, found {np.asarray(self.size)}")

    def inside(
        self, position: Float[Array | np.ndarray, "*s 3"], edge: float | Float[Array, ""] = 0.0
    ) -> Float[Array, "*s"]:
        """Membership of positions (mm): 1 inside, 0 outside; with `edge` > 0 a product of sigmoids that fall from 0.88 to 0.12 over `edge` mm at
        each wall, differentiable in centre, size and rotation.
        """
        local = (position - self.centre) @ self.rotation
        depth = self.size / 2 - jnp.abs(local)
        if isinstance(edge, int | float) and edge == 0:
            return jnp.all(depth >= 0, axis=-1).astype(depth.dtype)
        return jnp.prod(jax.nn.sigmoid(4.0 * depth / edge), axis=-1)

    def nodes(self, n: tuple[int, int, int]) -> tuple[Float[Array, "r 3"], Float[Array, " r"]]:
        """Positions (mm) and weights (sum 1) of a Gauss-Legendre rule with n points along each edge.

        The mean of exp(2 pi i f t) over the box is exact to rounding while the field's polynomial part turns by less than about n/2 cycles along an
        edge; docs/shimming.md has the measured error.
        """
        rules = [np.polynomial.legendre.leggauss(k) for k in n]
        grid = np.stack(np.meshgrid(*[x / 2 for x, _ in rules], indexing="ij"), axis=-1).reshape(-1, 3)
        weight = np.einsum("i,j,k->ijk", *[w / 2 for _, w in rules]).ravel()
        return self.centre + (_array(grid) * self.size) @ self.rotation.T, _array(weight)


def cuboid_of_affine(affine: Float[np.ndarray, "4 4"], index: tuple[int, int, int] = (0, 0, 0)) -> Cuboid:
    """The box of one voxel of an image or of NIfTI-MRS data (`FIDs.acquisition.affine`)."""
    edges = np.asarray(affine, dtype=float)[:3, :3]
    size = np.linalg.norm(edges, axis=0)
    return Cuboid(edges @ np.asarray(index, float) + affine[:3, 3], size, edges / size)


def cuboid_of_spar(header) -> Cuboid:
    """The box of a Philips SPAR header (`FIDs.acquisition.header`): sizes, off-centres and angulations of ap, lr, cc.

    Off-centres are along L, P, H; the angulations (degrees) turn about AP, RL and FH as the scanner's matrix R = R_rl R_ap R_fh in its
    left-posterior-superior frame.

    **Raises:** `ValueError` when an entry is missing.
    """
    try:
        values = {f"{axis}_{what}": float(header[f"{axis}_{what}"]) for axis in ("lr", "ap", "cc")
                  for what in ("size", "off_center", "angulation")}  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"SPAR header: wanted sizes, off-centres and angulations of lr, ap, cc, found none for {error}"
        ) from None
    turn = rotation([values[f"{axis}_angulation"] for axis in ("lr", "ap", "cc")])
    flip = np.diag([-1.0, -1.0, 1.0])  # LPS to RAS
    centre = flip @ [values[f"{axis}_off_center"] for axis in ("lr", "ap", "cc")]
    return Cuboid(centre, [values[f"{axis}_size"] for axis in ("lr", "ap", "cc")], flip @ turn @ flip)


def rotation(degrees: Sequence[float]) -> Float[np.ndarray, "3 3"]:
    """R_x R_y R_z of right-handed angles about x, y, z: columns are the turned axes."""
    x, y, z = np.deg2rad(degrees)
    return _turn(0, x) @ _turn(1, y) @ _turn(2, z)


def _turn(axis: int, angle: float) -> np.ndarray:
    """Right-handed rotation about a coordinate axis."""
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    out = np.eye(3)
    out[i, i] = out[j, j] = np.cos(angle)
    out[i, j], out[j, i] = -np.sin(angle), np.sin(angle)
    return out
