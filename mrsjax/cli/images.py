"""The image files of a fit."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from mrsjax import io
from mrsjax.analysis import Analysis
from mrsjax.analysis.volumes import curve_fids, maps
from mrsjax.io.volume import nifti_bytes


def images(analysis: Analysis) -> dict[str, bytes]:
    """File name -> content: NIfTI-MRS of the curves of the fit; maps of an MRSI; the voxel of single-voxel data.

    The voxel mask is one voxel of ones in the data's geometry, so it is made only where the file states a geometry.
    """
    out: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "one.nii.gz"
        for name, fids in curve_fids(analysis).items():
            io.write(fids, place, method="Linear combination modelling", details=f"mrsjax fit: {name}, fit window only")
            out[f"curves/{name}.nii.gz"] = place.read_bytes()
    affine = analysis.fids.acquisition.affine
    if analysis.position is not None:
        for name, volume in maps(analysis):
            out[f"maps/{name}.nii.gz"] = nifti_bytes(volume, affine)
    elif affine is not None:
        out["voxel_mask.nii.gz"] = nifti_bytes(np.ones((1, 1, 1), dtype=bool), affine)
    return out
