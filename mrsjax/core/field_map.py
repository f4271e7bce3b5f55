"""A measured or simulated map of the main field's offset, in patient space."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt


@dataclasses.dataclass(frozen=True, eq=False)
class FieldMap:
    """Offset of the main field in Hz on a grid.

    - `field` (x, y, z): Hz, + = higher precession frequency.
    - `known` (x, y, z): where the map holds a measurement (tissue).
    - `affine`: voxel indices to patient space, mm, RAS+ (NIfTI).
    - `notes`: what was assumed or done when the map was made (unit, unwrapping).
    - `field_strength`: of the scanner, T, where it is said.

    Lengths are in mm here and in everything that has to do with shimming: the published units of shim channels are.

    **Raises:** `ValueError` when the shapes do not fit or nothing is known.
    """

    field: Float[np.ndarray, "x y z"]
    known: Bool[np.ndarray, "x y z"]
    affine: Float[np.ndarray, "4 4"]
    notes: tuple[str, ...] = ()
    field_strength: float | None = None

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


def nearest_known(
    values: Float[np.ndarray, "x y z *c"], known: Bool[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "x y z *c"]:
    """Values on a grid, each unknown point with those of the nearest known one (mm)."""
    if known.all():
        return values
    sampling = np.linalg.norm(affine[:3, :3], axis=0)
    source = distance_transform_edt(~known, sampling=sampling, return_distances=False, return_indices=True)
    assert source is not None
    return values[tuple(source)]


def known_at(index: Float[np.ndarray, "3 r"], known: Bool[np.ndarray, "x y z"]) -> Bool[np.ndarray, " r"]:
    """Whether the grid point nearest to each (fractional) index is on the grid and known."""
    nearest = np.rint(index).astype(int)
    there = np.all((nearest >= 0) & (nearest < np.array(known.shape)[:, None]), axis=0)
    there[there] = known[tuple(nearest[:, there])]
    return there
