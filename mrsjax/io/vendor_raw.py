"""Scanner raw formats, converted by spec2nii (Clarke et al. 2022) in a temporary folder and read as NIfTI-MRS."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from mrsjax.core import FIDs
from mrsjax.io import nifti_mrs
from mrsjax.io.errors import FormatError
from mrsjax.io.hints import Hints

#: Ending -> spec2nii's arguments before the file, and its name in words.
KINDS = {
    ".dat": (("twix", "-e", "image"), "Siemens twix"),
    ".ima": (("dicom",), "Siemens DICOM"),
    ".dcm": (("dicom",), "DICOM"),
    ".7": (("ge",), "GE P-file"),
    ".h5": (("ge",), "GE ScanArchive"),
}
_LIMIT_S = 300


def looks_like(path: Path, head: bytes) -> bool:
    """By the ending, or the DICOM mark."""
    return path.is_file() and (path.suffix.lower() in KINDS or head[128:132] == b"DICM")


def read(path: Path, hints: Hints) -> FIDs:
    """FIDs of a scanner raw file through spec2nii; where it writes a water reference too, the metabolite data are
    taken.

    **Raises:** `FormatError`; without spec2nii it says how to install it.
    """
    arguments, name = KINDS.get(path.suffix.lower(), (("dicom",), "DICOM"))
    if importlib.util.find_spec("spec2nii") is None:
        raise FormatError(
            path, "format", found=f"{name} (read through spec2nii, which is not installed)",
            wanted="the package spec2nii",
            fix=f"pip install 'mrsjax[vendor]', or convert it yourself: spec2nii {' '.join(arguments)} {path.name}",
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mrsjax_") as folder:
        # The console entry point by module, so that the interpreter is ours; a list, so that no shell sees the path.
        start = "from spec2nii.spec2nii import main; main()"
        command = [sys.executable, "-c", start, *arguments, "-o", folder, "-f", "converted", str(path.resolve())]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        except (OSError, subprocess.SubprocessError) as e:
            raise FormatError(path, name, found=type(e).__name__, wanted="a conversion by spec2nii", fix=str(e)) from e
        made = sorted(Path(folder).glob("*.nii*"))
        if done.returncode != 0 or not made:
            said = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise FormatError(
                path,
                name,
                found=f"spec2nii failed: {said}",
                wanted="spectroscopy data",
                fix="check that the file is complete and holds spectra",
            )
        data = [
            m for m in made if not any(w in m.name.lower() for w in ("_ref", "_wref", "_mm", "_noise", "_quant"))
        ] or made
        if len(data) > 1:
            others = ", ".join(m.name for m in data[1:])
            warnings.warn(f"{path.name} holds {len(data)} data sets: the first was taken, not {others}", stacklevel=2)
        fids = nifti_mrs.read(data[0], hints)
    return FIDs(fids.data, fids.sampling, fids.dims, dataclasses.replace(fids.acquisition, source=str(path)))
