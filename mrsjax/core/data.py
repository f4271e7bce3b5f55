"""Measured or simulated signals with named dimensions, and what is known of their acquisition."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.sampling import Sampling

#: Names a dimension may have: space (x, y, z), the tags of NIfTI-MRS 0.10, and "spectrum" for a plain stack.
DIMS = (
    "x", "y", "z", "spectrum",
    "DIM_COIL", "DIM_DYN", "DIM_INDIRECT_0", "DIM_INDIRECT_1", "DIM_INDIRECT_2", "DIM_PHASE_CYCLE", "DIM_EDIT", "DIM_MEAS",
    "DIM_USER_0", "DIM_USER_1", "DIM_USER_2", "DIM_ISIS", "DIM_METCYCLE",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Acquisition:
    """What a file says of its acquisition. `None` where it says nothing: no value is ever invented.

    `echo_time`, `repetition_time`, `inversion_time`, `mixing_time` in s; `affine` maps voxel indices to patient space (mm, RAS+, 4x4);
    `noise_sd`: standard deviation of the real part of the noise of each point, where processing has left too little of it to be measured (denoising);
    `header` is the rest of the file's header as read; `source` the path.
    """

    echo_time: float | None = None
    repetition_time: float | None = None
    inversion_time: float | None = None
    mixing_time: float | None = None
    sequence: str | None = None
    field_strength: float | None = None
    affine: Float[np.ndarray, "4 4"] | None = None
    noise_sd: float | None = None
    header: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    source: str | None = None


class FIDs(eqx.Module):
    """Time-domain signals.

    **Arguments:**

    - `data`: complex, shape `(*dims, n_points)`; +Hz = higher ppm (core.fourier).
    - `sampling`: the grid of the last axis.
    - `dims`: one name of `DIMS` for each leading axis.
    - `acquisition`: TE, TR, geometry, header.

    **Raises:** `ValueError` when the shape, the names and the sampling do not fit together.
    """

    data: Complex[Array | np.ndarray, "*dims n"]
    sampling: Sampling
    dims: tuple[str, ...] = eqx.field(static=True)
    acquisition: Acquisition = eqx.field(static=True)

    def __init__(self, data, sampling: Sampling, dims: tuple[str, ...] = (), acquisition: Acquisition | None = None):
        self.data = data
        self.sampling = sampling
        self.dims = tuple(dims)
        self.acquisition = Acquisition() if acquisition is None else acquisition

    def __check_init__(self):
        shape = self.data.shape
        if len(shape) != len(self.dims) + 1:
            raise ValueError(f"dims: wanted {len(shape) - 1} names for data of shape {shape}, found {self.dims}")
        if shape[-1] != self.sampling.n_points:
            raise ValueError(f"data: wanted {self.sampling.n_points} points in the last axis, found shape {shape}")
        unknown = set(self.dims) - set(DIMS)
        if unknown or len(set(self.dims)) != len(self.dims):
            raise ValueError(f"dims: wanted distinct names of {DIMS}, found {self.dims}")

    @property
    def spectra(self) -> Complex[Array | np.ndarray, "s n"]:
        """The signals as a stack `(n_spectra, n_points)`, C order over `dims`."""
        return self.data.reshape(-1, self.sampling.n_points)
