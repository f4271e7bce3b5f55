"""A measured or simulated map of the main field's offset, in patient space."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float


@dataclasses.dataclass(frozen=True, eq=False)
class FieldMap:
    """Offset of the main field in Hz on a grid.

    - `field` (x, y, z): Hz, + = higher precession frequency.
    - `known` (x, y, z): where the map holds a measurement (tissue).
    - `affine`: voxel indices to patient space, mm, RAS+ (NIfTI).
    - `notes`: what was assumed or done when the map was made (unit, unwrapping).

    Lengths are in mm here and in everything that has to do with shimming: the published units of shim channels are.

    **Raises:** `ValueError` when the shapes do not fit or nothing is known.
    """

    field: Float[np.ndarray, "x y z"]
    known: Bool[np.ndarray, "x y z"]
    affine: Float[np.ndarray, "4 4"]
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        if self.field.ndim != 3 or self.known.shape != self.field.shape:
            raise ValueError(
                f"field map: wanted a field (x, y, z) and a mask of its shape, found {self.field.shape} and {self.known.shape}"
            )
        if self.affine.shape != (4, 4) or abs(np.linalg.det(self.affine[:3, :3])) < 1e-9:
            raise ValueError("field map: wanted an invertible 4x4 affine (voxel indices to mm)")
        if not self.known.any():
            raise ValueError("field map: no voxel holds a measurement")

    @property
    def voxel_size(self) -> Float[np.ndarray, " 3"]:
        """Edge lengths of a voxel of the map, mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def positions(self) -> Float[np.ndarray, "x y z 3"]:
        """Centres of the map's voxels in patient space, mm, RAS+."""
        index = np.stack(np.meshgrid(*[np.arange(n) for n in self.field.shape], indexing="ij"), axis=-1)
        return index @ self.affine[:3, :3].T + self.affine[:3, 3]
