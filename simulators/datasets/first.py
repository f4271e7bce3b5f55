"""The first samples of a data set as NIfTI-MRS, for people and their viewers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import FIDs
from mrsjax.core.data import Acquisition
from mrsjax.io import write
from simulators.datasets.mrsi import SpectroscopicImages
from simulators.datasets.recipe import Recipe

#: Samples written, fewer (but one) where they would pass `SHOWN_BYTES`.
SHOWN, SHOWN_BYTES = 8, 64_000_000


def write_first(recipe: Recipe, path: Path, arrays: Mapping[str, Any]) -> None:
    """The first samples of `arrays` (by name, as they are in the set) into a file; images lie where the first world's slab does, and so over the maps of its anatomy."""
    simulator = recipe.simulator
    array = arrays["data"]
    size = int(np.prod(array.shape[1:])) * 8
    data = np.asarray(array[: min(SHOWN, max(1, SHOWN_BYTES // size))])
    affine = None
    if isinstance(simulator, SpectroscopicImages):
        affine = simulator.affine(float(arrays["labels.slab_centre"][0]))
    about = Acquisition(sequence=recipe.summary, source=f"mrsjax recipe {recipe.name}", affine=affine)
    dims = ("DIM_USER_0" if simulator.dims else "DIM_DYN", *simulator.dims)
    write(FIDs(data, simulator.sampling, dims, about), path)
