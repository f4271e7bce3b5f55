"""Plain NIfTI images beside the spectra: maps and voxel masks."""

from __future__ import annotations

import gzip

import numpy as np


def nifti_bytes(volume: np.ndarray, affine: np.ndarray | None) -> bytes:
    """A gzipped NIfTI-1 image of a volume `(x, y, z, ...)`, equal bytes for equal input.

    **Arguments:** `affine` voxel indices to patient space (mm); `None` = unknown, which sform and qform codes of 0 say.
    """
    import nibabel

    kind = np.uint8 if volume.dtype == bool else np.float32
    image = nibabel.Nifti1Image(volume.astype(kind), np.eye(4) if affine is None else np.asarray(affine, dtype=float))
    image.header.set_xyzt_units("mm")
    code = 0 if affine is None else 1
    image.set_sform(image.affine, code=code)
    image.set_qform(image.affine, code=code)
    return gzip.compress(image.to_bytes(), 6, mtime=0)
