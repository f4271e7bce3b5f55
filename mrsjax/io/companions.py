"""The files that are read together with a named one."""

from __future__ import annotations

from pathlib import Path

from mrsjax.io import lcmodel_raw, nifti_mrs, sdat, varian
from mrsjax.io.content import read_bytes, sibling
from mrsjax.io.lcmodel_control import control_beside


def companions(path: Path) -> list[Path]:
    """Other files that decide what reading the file `path` gives: the other half of SDAT/SPAR, `procpar` beside `fid`, the control file that names a RAW
    file, the JSON sidecar of a NIfTI. None for a folder, all of which is read.
    """
    if not path.is_file():
        return []
    head = read_bytes(path, 16384)
    if sdat.looks_like(path, head):
        found = [sibling(path, ".sdat"), sibling(path, ".spar")]
    elif varian.looks_like(path, head):
        found = [path.parent / "fid", path.parent / "procpar"]
    elif path.name.lower().endswith((".nii", ".nii.gz")):
        found = [nifti_mrs.sidecar(path)]
    elif lcmodel_raw.looks_like(path, head):
        control = control_beside(path)
        found = [None if control is None or control.source is None else Path(control.source)]
    else:
        found = []
    return [p for p in found if p is not None and p.name != path.name]
