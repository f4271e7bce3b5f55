"""Maps of the main field from NIfTI images (nibabel): Hz, radians with an echo time difference, Siemens phase differences."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core.field_map import FieldMap
from mrsjax.io.content import existing, sibling
from mrsjax.io.errors import FormatError

UNITS = ("hz", "rad", "rad/s", "siemens")
#: A Siemens phase image has 4096 steps for half a turn.
_SIEMENS_STEPS = 4096.0
#: Where no mask is given: a voxel is tissue above this fraction of the magnitude's 98th percentile.
_MAGNITUDE_FRACTION = 0.15
#: Steps between neighbours above this fraction of the map's range count as wraps.
_WRAP_STEP = 0.6


def read_image(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """A real NIfTI image, scaled as its header says, and its affine (voxel indices to mm, RAS+).

    **Raises:** `FormatError` for a file that is no real image of three or four dimensions, or has no position in space.
    """
    place = existing(path)
    import nibabel  # 0.3 s: only when an image is read

    try:
        image: Any = nibabel.load(place)
        data, affine = np.asarray(image.dataobj), np.asarray(image.affine, dtype=float)
    except Exception as e:  # nibabel raises many kinds for damaged files
        raise FormatError(
            place, "NIfTI image", found=f"{type(e).__name__}: {e}", wanted="a NIfTI-1 or NIfTI-2 image", fix="the file is damaged or no NIfTI"
        ) from e  # fmt: skip
    if np.iscomplexobj(data) or data.dtype.fields is not None or data.ndim not in (3, 4):
        raise FormatError(
            place, "image", found=f"{data.dtype} of shape {data.shape}", wanted="real numbers (x, y, z) or (x, y, z, channels)",
            fix="spectra and colour images are no field maps",
        )  # fmt: skip
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9 or not np.all(np.isfinite(affine)):
        raise FormatError(
            place, "affine", found="no position in space", wanted="an invertible affine", fix="convert it again with dcm2niix"
        )  # fmt: skip
    return data.astype(float), affine


def read_field_map(
    path: str | os.PathLike,
    *,
    unit: str | None = None,
    echo_difference: float | None = None,
    magnitude: str | os.PathLike | None = None,
    mask: str | os.PathLike | None = None,
    unwrap: bool = False,
) -> FieldMap:
    """A field map in Hz.

    **Arguments:**

    - `unit`: "hz", "rad/s", "rad" (phase difference) or "siemens" (phase difference, 4096 steps for half a turn, as dcm2niix scales it); None: from the
      sidecar (`Units`, `ImageType`).
    - `echo_difference`: between the two echoes, s; None: from the sidecar's `EchoTime1`, `EchoTime2`. f = phase / (2 pi echo_difference): the later
      echo minus the earlier, + = higher frequency.
    - `mask`: image, not 0 where the field is known; else `magnitude`: image, known above 15% of its 98th percentile; else where the map is not 0.
    - `unwrap`: undo jumps by a whole turn (1 / echo_difference) inside the mask with scikit-image's `unwrap_phase` (Herraez et al. 2002), the median kept
      within half a turn of 0. Without it nothing is unwrapped, and the notes of the result say how many neighbours differ by more than 60% of the range.

    **Raises:** `FormatError`.
    """
    data, affine = read_image(path)
    place = Path(path)
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise FormatError(place, "dim", found=f"shape {data.shape}", wanted="one volume", fix="give one field map")
    if unit is not None and unit not in UNITS:
        raise FormatError(place, "unit", found=repr(unit), wanted=", ".join(UNITS), fix="")
    sidecar = _sidecar(place)
    unit = _unit(place, data, sidecar) if unit is None else unit
    first, second = (sidecar.get(f"EchoTime{i}") for i in (1, 2))
    if echo_difference is None and isinstance(first, int | float) and isinstance(second, int | float):
        echo_difference = abs(second - first)
    phase = unit in ("rad", "siemens")
    if phase and not echo_difference:
        raise FormatError(
            place, "EchoTime1, EchoTime2", found="neither in the sidecar", wanted="the difference of the echo times of a phase map",
            fix="give the echo time difference (--echo-difference-ms; echo_difference, s)",
        )  # fmt: skip
    if unit == "siemens" and data.min() >= 0 and data.max() > 2048:
        raise FormatError(
            place, "values", found=f"{data.min():g} to {data.max():g}, the raw steps", wanted="-4096 to 4094, as dcm2niix scales a Siemens phase",
            fix="convert it again with dcm2niix, or scale it to rad",
        )  # fmt: skip
    known, how = _known(place, data, affine, magnitude, mask)
    known &= np.isfinite(data)
    if not known.any():
        raise FormatError(
            place, "mask", found="no voxel with a field", wanted="at least one", fix="check mask and magnitude"
        )
    notes = [f"field map: {unit}, {how}"]
    field = data
    if unit == "rad/s":
        field = data / (2 * np.pi)
    elif phase:
        turn = 2 * np.pi if unit == "rad" else 2 * _SIEMENS_STEPS
        if np.abs(data[known]).max() > 0.51 * turn and not unwrap:
            notes.append("field map: phases beyond half a turn: taken as unwrapped already")
        field = data / turn / float(echo_difference or 1.0)
    field = np.where(np.isfinite(field), field, 0.0)
    if echo_difference:
        span = 1.0 / echo_difference
        if unwrap:
            field = _unwrapped(place, field, known, span)
            notes.append("field map: unwrapped inside the mask")
        jumps, pairs = _jumps(field, known, _WRAP_STEP * span)
        notes.append(
            f"field map: {jumps} of {pairs} neighbours differ by more than {_WRAP_STEP * span:.0f} Hz, 60% of a turn"
        )
    elif unwrap:
        raise FormatError(
            place, "EchoTime1, EchoTime2", found="neither in the sidecar", wanted="the size of a wrap", fix="give the echo time difference (--echo-difference-ms; echo_difference, s)"
        )  # fmt: skip
    strength = sidecar.get("MagneticFieldStrength")
    return FieldMap(field, known, affine, tuple(notes), float(strength) if isinstance(strength, int | float) else None)


def _sidecar(path: Path) -> dict[str, Any]:
    bare = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    file = sibling(bare, ".json")
    if file is None:
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise FormatError(file, "JSON", found=str(e), wanted="a JSON sidecar", fix="remove or repair it") from e
    return content if isinstance(content, dict) else {}


def _unit(path: Path, data: np.ndarray, sidecar: dict[str, Any]) -> str:
    said = str(sidecar.get("Units", "")).lower()
    if said in UNITS:
        return said
    kinds = [str(k).upper() for k in sidecar.get("ImageType", [])]
    if "PHASE" in kinds and "siemens" in str(sidecar.get("Manufacturer", "")).lower() and np.abs(data).max() > 100:
        return "siemens"
    raise FormatError(
        path, "unit", found=f"Units {said!r} in the sidecar" if said else "no Units and no Siemens phase in the sidecar",
        wanted="Hz, rad/s, rad or a Siemens phase difference", fix=f"say which: {', '.join(UNITS)} (--unit)",
    )  # fmt: skip


def same_grid(a: np.ndarray, b: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether two affines put every voxel of a grid at the same place, to a tenth of a voxel."""
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in shape[:3]], [1], indexing="ij"), axis=-1).reshape(-1, 4)
    apart = np.linalg.norm(corners @ (a - b)[:3].T, axis=1).max()
    return bool(apart < 0.1 * np.linalg.norm(b[:3, :3], axis=0).min())


def _known(path: Path, data: np.ndarray, affine: np.ndarray, magnitude, mask) -> tuple[np.ndarray, str]:
    if mask is not None or magnitude is not None:
        file = mask if mask is not None else magnitude
        other, place = read_image(file)
        other = other[..., 0] if other.ndim == 4 else other
        if other.shape != data.shape:
            raise FormatError(
                file, "dim", found=f"shape {other.shape}", wanted=f"the field map's {data.shape}", fix=f"resample it to {path.name}"
            )  # fmt: skip
        if not same_grid(place, affine, data.shape):
            raise FormatError(
                file, "affine", found="another position or orientation", wanted="the field map's grid", fix=f"resample it to {path.name}"
            )  # fmt: skip
        if mask is not None:
            return other != 0, f"mask {Path(file).name}"
        level = _MAGNITUDE_FRACTION * np.percentile(other, 98)
        return other > level, f"known above {_MAGNITUDE_FRACTION:.0%} of the magnitude of {Path(file).name}"
    return data != 0, "known where the map is not 0 (no mask, no magnitude)"


def _unwrapped(path: Path, field: np.ndarray, known: np.ndarray, span: float) -> np.ndarray:
    try:
        from skimage.restoration import unwrap_phase
    except ImportError:
        raise FormatError(
            path, "unwrap", found="no scikit-image", wanted="the extra shim", fix="pip install 'mrsjax[shim]'"
        ) from None
    phase = np.ma.masked_array(field * (2 * np.pi / span), mask=~known)
    turned = np.ma.filled(unwrap_phase(phase, rng=0), 0.0) * (span / (2 * np.pi))
    turned -= span * np.round(np.median(turned[known]) / span)
    return np.where(known, turned, field)


def _jumps(field: np.ndarray, known: np.ndarray, step: float) -> tuple[int, int]:
    """Neighbours with a known field that differ by more than `step`, and all of them."""
    jumps = pairs = 0
    for axis in range(3):
        both = np.minimum(
            np.take(known, range(1, known.shape[axis]), axis), np.take(known, range(known.shape[axis] - 1), axis)
        )
        jumps += int((np.abs(np.diff(field, axis=axis))[both] > step).sum())
        pairs += int(both.sum())
    return jumps, pairs
