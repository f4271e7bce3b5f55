"""Writing NIfTI-MRS: NIfTI-2, one JSON extension, +Hz towards lower ppm on disk."""

from __future__ import annotations

import datetime
import gzip
import importlib.metadata
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import BasisSet, FIDs
from mrsjax.core.constants import PPM_REF_WATER
from mrsjax.core.data import Acquisition
from mrsjax.io import hints as checks
from mrsjax.io.content import write_bytes
from mrsjax.io.errors import FormatError
from mrsjax.io.first_point import FIRST_POINT_KEY
from mrsjax.io.nifti_mrs import ECODE, ENTRY_KEY, NO_AFFINE, NOISE_KEY, ORIGIN_KEY, SPECTRUM_INFO, WIDTH_KEY

_SPACE = ("x", "y", "z")
_TIMES = {
    "EchoTime": "echo_time",
    "RepetitionTime": "repetition_time",
    "InversionTime": "inversion_time",
    "MixingTime": "mixing_time",
}


def _version() -> str:
    try:
        return importlib.metadata.version("mrsjax")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout
        return "unknown"


def _arrange(fids: FIDs, path: Path) -> tuple[np.ndarray, list[str]]:
    """Data as (x, y, z, t, extra...) and the names of the extra dims."""
    extra = [d for d in fids.dims if d not in _SPACE]
    if len(extra) > 3:
        raise FormatError(
            path, "dims", found=", ".join(extra), wanted="at most 3 beside x, y, z", fix="write one part at a time"
        )
    data = np.asarray(fids.data)
    order = [fids.dims.index(d) for d in (*(s for s in _SPACE if s in fids.dims), *extra)]
    data = data.transpose(*order, data.ndim - 1)
    for i, name in enumerate(_SPACE):
        if name not in fids.dims:
            data = np.expand_dims(data, i)
    return np.moveaxis(data, -1, 3).conj(), extra


def _plain_json(value: Any) -> Any:
    """`value` as JSON can hold it: numpy becomes lists, NaN and unknown objects become text."""
    if isinstance(value, Mapping):
        return {str(k): _plain_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain_json(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _dim_entries(extra: list[str], sizes: tuple[int, ...], old: dict[str, Any]) -> dict[str, Any]:
    """dim_5 ... with the info and per-index headers that the old header had for the same tag and size."""
    out: dict[str, Any] = {}
    for i, (name, size) in enumerate(zip(extra, sizes, strict=True)):
        key, tag = f"dim_{i + 5}", "DIM_USER_0" if name == "spectrum" else name
        out[key] = tag
        if name == "spectrum":
            out[f"{key}_info"] = SPECTRUM_INFO
            continue
        before = next((k for k in ("dim_5", "dim_6", "dim_7") if old.get(k) == tag), None)
        if before is None:
            continue
        if isinstance(old.get(f"{before}_info"), str):
            out[f"{key}_info"] = old[f"{before}_info"]
        headers = old.get(f"{before}_header")
        if isinstance(headers, dict) and all(_entries(v) in (None, size) for v in headers.values()):
            out[f"{key}_header"] = headers
    return out


def _entries(value: Any) -> int | None:
    """How many values a per-index header entry holds; `None` for the (start, increment) form."""
    if isinstance(value, dict) and "Value" in value:
        value = value["Value"]
    return len(value) if isinstance(value, list) else None


def header_extension(
    fids: FIDs, extra: list[str], sizes: tuple[int, ...], applied: list[dict[str, str]]
) -> dict[str, Any]:
    """The JSON header: the file's own one where it came from NIfTI-MRS, brought up to date; else a new one around the
    source's.
    """
    source = dict(fids.acquisition.header)
    repaired = source.pop(FIRST_POINT_KEY, None)
    native = "SpectrometerFrequency" in source and "ResonantNucleus" in source
    old = _plain_json(source)
    meta = {k: v for k, v in old.items() if not k.startswith("dim_")} if native else {}
    sampling, acquisition = fids.sampling, fids.acquisition
    head = {
        "SpectrometerFrequency": [checks.exact(sampling.central_frequency) / 1e6],
        "ResonantNucleus": [sampling.nucleus],
        **_dim_entries(extra, sizes, old if native else {}),
    }
    for key, name in _TIMES.items():
        value = getattr(acquisition, name)
        if value is not None:
            head[key] = float(value)
        elif meta.get(key):
            del meta[key]
    if acquisition.sequence and "SequenceName" not in meta and "ProtocolName" not in meta:
        head["SequenceName"] = acquisition.sequence
    if acquisition.field_strength:
        head["MagneticFieldStrength"] = float(acquisition.field_strength)
    meta.pop(NOISE_KEY, None)
    if acquisition.noise_sd is not None:
        about = "SD of the real part of each point's noise before denoising: for Cramer-Rao bounds"
        head[NOISE_KEY] = {"Value": float(acquisition.noise_sd), "Description": about}
    reference = checks.exact(sampling.ppm_ref)
    offset = checks.plain(meta.get("RxOffset")) or 0.0
    default = PPM_REF_WATER if sampling.nucleus == "1H" else 0.0
    if abs(reference - offset - default) > 1e-6 or "SpecFreqChemShift" in meta:
        head["SpecFreqChemShift"] = reference - offset
    if "SpectralWidth" in meta:
        head["SpectralWidth"] = 1.0 / checks.exact(sampling.dwell_time)
    if not native:
        head["ConversionMethod"] = f"mrsjax {_version()}"
        if source:
            head["SourceHeader"] = {"Value": old, "Description": "Header of the file that was converted"}
    steps = (
        list(meta.pop("ProcessingApplied", None) or []) if isinstance(meta.get("ProcessingApplied", []), list) else []
    )
    if repaired:
        applied = [_step("First point doubled", "the file held half of it (mrsjax.io.first_point)"), *applied]
    if steps or applied:
        head["ProcessingApplied"] = [*steps, *applied]
    return {**head, **{k: v for k, v in meta.items() if k not in head}}


def _step(method: str, details: str) -> dict[str, str]:
    return {
        "Time": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        "Program": "mrsjax",
        "Version": _version(),
        "Method": method,
        "Details": details,
    }


def write(fids: FIDs, path: Path, *, steps: Sequence[tuple[str, str]] = ()) -> None:
    """A NIfTI-MRS file; each (method, details) of `steps` is appended to ProcessingApplied.

    Stored as complex64 where that loses nothing, else complex128. `spectrum` becomes DIM_USER_0 with a note, and is
    read back as such.

    **Raises:** `FormatError` for more than three dims beside x, y, z.
    """
    import nibabel
    from nibabel.nifti1 import Nifti1Extension

    data, extra = _arrange(fids, path)
    small = data.astype(np.complex64)
    meta = header_extension(fids, extra, data.shape[4:], [_step(method, details) for method, details in steps])
    affine = fids.acquisition.affine
    image = nibabel.Nifti2Image(
        small if np.array_equal(small, data, equal_nan=True) else data.astype(np.complex128),
        NO_AFFINE if affine is None else np.asarray(affine, dtype=np.float64),
    )
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = checks.exact(fids.sampling.dwell_time)
    image.header["intent_name"] = b"mrs_v0_11" if "SpecFreqChemShift" in meta else b"mrs_v0_10"
    text = json.dumps(meta, ensure_ascii=False, allow_nan=False)
    image.header.extensions.append(Nifti1Extension(ECODE, text.encode("utf-8")))
    raw = image.to_bytes()
    write_bytes(path, gzip.compress(raw, 6, mtime=0) if path.name.lower().endswith(".gz") else raw)


def write_basis(basis: BasisSet, path: Path) -> None:
    """A basis set as one NIfTI-MRS file: entries along DIM_USER_0, their names in dim_5_header, provenance beside them."""
    origin = basis.origin
    header = {
        "SpectrometerFrequency": [checks.exact(basis.sampling.central_frequency) / 1e6],
        "ResonantNucleus": [basis.sampling.nucleus],
        "dim_5": "DIM_USER_0",
        "dim_5_info": "entries of a basis set",
        "dim_5_header": {ENTRY_KEY: {"Value": list(basis.names), "Description": "name of each entry"}},
        ORIGIN_KEY: {"Value": dict(origin.header), "Description": f"how the basis was made ({origin.source})"},
        WIDTH_KEY: {"Value": origin.linewidth, "Description": "FWHM that the signals have already, Hz"},
    }
    acquisition = Acquisition(echo_time=origin.echo_time, sequence=origin.sequence, header=header)
    write(FIDs(np.asarray(basis.fids), basis.sampling, ("DIM_USER_0",), acquisition), path)
