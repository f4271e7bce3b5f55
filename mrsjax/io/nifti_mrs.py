"""NIfTI-MRS 0.10 (Clarke et al.

2022), through nibabel. On disk +Hz is towards lower ppm, so reading and writing conjugate.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import DIMS, Acquisition, BasisSet, FIDs
from mrsjax.core.basis import BasisOrigin
from mrsjax.core.constants import PPM_REF_WATER
from mrsjax.io import hints as checks
from mrsjax.io.content import sibling
from mrsjax.io.errors import FormatError
from mrsjax.io.fsl_basis import load_json
from mrsjax.io.hints import Hints

#: NIfTI header extension code of NIfTI-MRS.
ECODE = 44
_TIME_UNITS = {8: 1.0, 16: 1e-3, 24: 1e-6, 0: 1.0}  # NIfTI-1 xyzt_units; unset is read as s
#: Our header entry for `Acquisition.noise_sd` (user-defined keys are objects with Value and Description).
NOISE_KEY = "NoiseStandardDeviation"
#: Our header entries of a basis set: names along dim 5, how it was made, and the line width in it (Hz).
ENTRY_KEY, ORIGIN_KEY, WIDTH_KEY = "BasisEntry", "BasisOrigin", "BasisLineWidth"
#: The affine that the format writes for an unknown position.
NO_AFFINE = np.diag([10000.0, 10000.0, 10000.0, 1.0])
#: What `spectrum` is called on disk.
SPECTRUM_INFO = "spectrum of a stack (mrsjax)"
_TAGS = tuple(d for d in DIMS if d.startswith("DIM_"))


def looks_like(path: Path, head: bytes) -> bool:
    """By the NIfTI magic, which gzip hides: then by the name."""
    name = path.name.lower()
    return name.endswith((".nii", ".nii.gz")) or head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2")


def _load(path: Path) -> Any:
    import nibabel  # 0.3 s: only when a NIfTI file is met
    from nibabel.imageglobals import LoggingOutputSuppressor
    from nibabel.nifti1 import Nifti1Pair

    try:
        with LoggingOutputSuppressor():  # it talks about every odd header entry
            image = nibabel.load(path)
    except Exception as e:  # nibabel raises many kinds for damaged headers
        raise FormatError(
            path,
            "NIfTI header",
            found=f"{type(e).__name__}: {e}",
            wanted="a NIfTI-1 or NIfTI-2 file",
            fix="the file is damaged or no NIfTI",
        ) from e
    if not isinstance(image, Nifti1Pair):
        raise FormatError(
            path,
            "NIfTI header",
            found=type(image).__name__,
            wanted="a NIfTI-1 or NIfTI-2 file",
            fix="convert it with spec2nii",
        )
    return image


def sidecar(path: Path) -> Path | None:
    """The BIDS sidecar beside the file, if any."""
    return sibling(path.with_suffix("") if path.suffix.lower() == ".gz" else path, ".json")


def _metadata(path: Path, image: Any) -> dict[str, Any]:
    """The header extension, else the sidecar (dcm2niix writes only that)."""
    try:
        texts = [e.get_content() for e in image.header.extensions if e.get_code() == ECODE]
    except Exception as e:
        raise FormatError(
            path, "header extension", found=type(e).__name__, wanted="JSON with code 44", fix="the file is damaged"
        ) from e
    if not texts:
        file = sidecar(path)
        content = None if file is None else load_json(file)
        if not isinstance(content, dict):
            raise FormatError(
                path, "header extension", found="none with code 44, no .json sidecar", wanted="the NIfTI-MRS header",
                fix="this is no spectroscopy NIfTI; convert the scanner's file with spec2nii",
            )  # fmt: skip
        return content
    text = texts[0]
    try:
        content = json.loads(text.decode("utf-8") if isinstance(text, bytes) else str(text).rstrip("\x00"))
    except (ValueError, RecursionError) as e:
        raise FormatError(
            path, "header extension", found=str(e), wanted="JSON", fix="the file is damaged: convert it again"
        ) from e
    if not isinstance(content, dict):
        raise FormatError(
            path,
            "header extension",
            found=type(content).__name__,
            wanted="a JSON object",
            fix="the file is damaged: convert it again",
        )
    return content


def _first(path: Path, meta: dict[str, Any], key: str) -> Any:
    """The first entry of an array key; sidecars have scalars."""
    value = meta.get(key)
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        raise FormatError(
            path, key, found="nothing", wanted="this mandatory NIfTI-MRS key", fix="convert the scanner's file again"
        )
    return value


def _array(path: Path, image: Any) -> np.ndarray:
    """The data, complex128, time last. The header's size is compared with the file's before anything is allocated."""
    shape = image.shape
    if np.dtype(image.get_data_dtype()).kind != "c":
        raise FormatError(
            path,
            "datatype",
            found=str(image.get_data_dtype()),
            wanted="complex64 or complex128",
            fix="this is an image, no spectrum",
        )
    if not 4 <= len(shape) <= 7 or min(shape) < 1:
        raise FormatError(
            path,
            "dim",
            found=f"shape {shape}",
            wanted="x, y, z, time and up to 3 more dimensions",
            fix="convert the scanner's file with spec2nii",
        )
    need = int(np.prod([int(n) for n in shape], dtype=object)) * np.dtype(image.get_data_dtype()).itemsize
    size = path.stat().st_size
    limit = size * (1100 if path.name.lower().endswith(".gz") else 1)  # 1032:1 is deflate's best
    if need > limit:
        raise FormatError(
            path,
            "dim",
            found=f"shape {shape} ({need} bytes) in a file of {size} bytes",
            wanted="all the data",
            fix="the file is truncated: copy it again",
        )
    try:
        data = np.asarray(image.dataobj)
    except Exception as e:  # truncated gzip streams, bad offsets, memory
        raise FormatError(
            path,
            "data",
            found=f"{type(e).__name__}: {e}",
            wanted=f"{need} bytes",
            fix="the file is truncated: copy it again",
        ) from e
    return np.moveaxis(data.astype(np.complex128), 3, -1).conj()


def _dims(path: Path, meta: dict[str, Any], data: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Named dims; a single voxel loses its x, y, z."""
    names, tags = ["x", "y", "z"], []
    for i in range(data.ndim - 4):
        key = f"dim_{i + 5}"
        tag = meta.get(key)
        if tag is None and data.shape[3 + i] == 1:
            tag = next(t for t in ("DIM_USER_0", "DIM_USER_1", "DIM_USER_2") if t not in tags)
        if tag not in _TAGS or tag in tags:
            raise FormatError(
                path,
                key,
                found=repr(tag),
                wanted=f"one of {', '.join(_TAGS)}, each once",
                fix="correct the header extension",
            )
        tags.append(tag)
        names.append("spectrum" if meta.get(f"{key}_info") == SPECTRUM_INFO else tag)
    if data.shape[:3] == (1, 1, 1):
        return data[0, 0, 0], tuple(names[3:])
    return data, tuple(names)


def _text(meta: dict[str, Any], *keys: str) -> str | None:
    return next((v for k in keys if isinstance(v := meta.get(k), str) and v), None)


def _number(meta: dict[str, Any], key: str) -> float | None:
    value = meta.get(key)
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value) else None
    )


def read(path: Path, hints: Hints) -> FIDs:
    """FIDs of a NIfTI-MRS file, all dimension tags, header kept.

    A NIfTI with a BIDS sidecar instead of the header extension also opens (dcm2niix writes such).
    0 Hz is at SpecFreqChemShift + RxOffset ppm (NIfTI-MRS 0.11), 4.65 for protons where the file says nothing.

    **Raises:** `FormatError`.
    """
    image = _load(path)
    meta = _metadata(path, image)
    data, dims = _dims(path, meta, _array(path, image))
    unit = _TIME_UNITS.get(int(image.header["xyzt_units"]) & 0x38)
    if unit is None:
        raise FormatError(
            path,
            "xyzt_units",
            found=int(image.header["xyzt_units"]),
            wanted="s, ms or us for the fourth dimension",
            fix="correct the NIfTI header",
        )
    step = float(image.header["pixdim"][4]) * unit
    if image.header["pixdim"].dtype.itemsize == 4:  # NIfTI-1 rounds to float32: undo what decimal notation can
        step = float(str(np.float32(image.header["pixdim"][4]))) * unit
    frequency = _first(path, meta, "SpectrometerFrequency")
    spin = checks.nucleus(path, "ResonantNucleus", hints.nucleus or _first(path, meta, "ResonantNucleus"))
    reference = _number(meta, "SpecFreqChemShift")
    if reference is None:
        reference = PPM_REF_WATER if spin == "1H" else 0.0
    sampling = checks.sampling(
        path,
        dwell=("pixdim[4]", step),
        frequency=("SpectrometerFrequency (MHz)", checks.scaled(frequency, 1e6)),
        n_points=data.shape[-1],
        hints=hints,
        nucleus_found=("ResonantNucleus", spin),
        ppm_ref=reference + (_number(meta, "RxOffset") or 0.0),
        field_strength=_number(meta, "MagneticFieldStrength"),
    )
    placed = bool(image.header["sform_code"] > 0 or image.header["qform_code"] > 0)
    affine = np.asarray(image.affine, dtype=np.float64)
    acquisition = Acquisition(
        echo_time=checks.echo_time(path, "EchoTime", meta.get("EchoTime"), hints.echo_time),
        repetition_time=checks.repetition_time(
            path, "RepetitionTime", meta.get("RepetitionTime"), hints.repetition_time
        ),
        inversion_time=checks.optional_time(path, "InversionTime", meta.get("InversionTime")),
        mixing_time=checks.optional_time(path, "MixingTime", meta.get("MixingTime")),
        sequence=_text(meta, "SequenceName", "ProtocolName", "PulseSequenceName"),
        field_strength=_number(meta, "MagneticFieldStrength"),
        noise_sd=_number(noise, "Value") if isinstance(noise := meta.get(NOISE_KEY), dict) else None,
        affine=affine if placed and np.all(np.isfinite(affine)) and not np.array_equal(affine, NO_AFFINE) else None,
        header=meta,
        source=str(path),
    )
    return FIDs(data, sampling, dims, acquisition)


def looks_like_basis(path: Path, head: bytes) -> bool:
    """A NIfTI-MRS file whose header names the entries of a basis set (`nifti_mrs_write.write_basis`), and has no second dimension in time."""
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 1 << 16)
        except zlib.error:
            return False
    return looks_like(path, head) and f'"{ENTRY_KEY}"'.encode() in head and b'"dim_6"' not in head


def read_basis(path: Path, hints: Hints) -> BasisSet:
    """A basis set that `nifti_mrs_write.write_basis` wrote: entries along dim 5, their names in its header.

    **Raises:** `FormatError`.
    """
    fids = read(path, hints)
    about = fids.acquisition
    header = about.header.get("dim_5_header")
    entry = header.get(ENTRY_KEY) if isinstance(header, dict) else None
    found = entry.get("Value") if isinstance(entry, dict) else None
    names = [n for n in found if isinstance(n, str) and n] if isinstance(found, list) else []
    if fids.data.ndim != 2 or not len(set(names)) == len(names) == len(fids.data):
        raise FormatError(
            path, ENTRY_KEY, found=repr(found)[:80], wanted=f"a name for each of {fids.data.shape[:-1]} entries",
            fix="write the basis again",
        )  # fmt: skip
    made, width = (about.header.get(k) for k in (ORIGIN_KEY, WIDTH_KEY))
    origin = BasisOrigin(
        sequence=about.sequence,
        echo_time=about.echo_time,
        linewidth=_number(width, "Value") if isinstance(width, dict) else None,
        source=str(path),
        header=made["Value"] if isinstance(made, dict) and isinstance(made.get("Value"), dict) else {},
    )
    return BasisSet(fids.data, names, fids.sampling, origin)
