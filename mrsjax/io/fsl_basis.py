"""FSL-MRS basis: a folder with one NAME.json a metabolite. On disk +Hz is towards lower ppm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import BasisSet
from mrsjax.core.basis import BasisOrigin
from mrsjax.io import hints as checks
from mrsjax.io.content import existing, read_text, write_text
from mrsjax.io.errors import FormatError
from mrsjax.io.grid import referenced
from mrsjax.io.hints import Hints

#: Our key beside "basis", for what FSL-MRS has no place for: sequence and TE.
SCAN = "acquisition"


def looks_like(path: Path, head: bytes) -> bool:
    """Whether it is a folder with .json files, or a .json file with a basis in it."""
    if path.is_dir():
        return any(p.suffix.lower() == ".json" for p in path.iterdir())
    return path.suffix.lower() == ".json" and b"basis_re" in head


def load_json(path: Path) -> Any:
    """A JSON file; every way in which it can be broken is a `FormatError`."""
    try:
        return json.loads(read_text(path).encode("latin-1").decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise FormatError(
            path, "JSON", found=str(e), wanted="a JSON file", fix="the file is damaged: export it again"
        ) from e


def _array(path: Path, key: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty((0, 0))
    if array.ndim != 1 or array.size < 2 or not np.all(np.isfinite(array)):
        raise FormatError(
            path,
            key,
            found=f"{type(value).__name__} of shape {array.shape}",
            wanted="a list of finite numbers",
            fix="simulate this metabolite again",
        )
    return array


def _entry(path: Path) -> dict[str, Any]:
    content = load_json(path)
    entry = content.get("basis") if isinstance(content, dict) else None
    if not isinstance(entry, dict):
        raise FormatError(
            path,
            "basis",
            found="no such object",
            wanted='{"basis": {...}} of an FSL-MRS basis',
            fix="remove the file from the folder or export it again",
        )
    missing = [k for k in ("basis_re", "basis_im", "basis_dwell", "basis_centre") if k not in entry]
    if missing:
        raise FormatError(
            path, missing[0], found="nothing", wanted="this key of an FSL-MRS basis", fix="export it again"
        )
    ours, scan = content.get("provenance"), content.get(SCAN)
    meta = ours if isinstance(ours, dict) else {k: v for k, v in content.items() if k not in ("basis", SCAN)}
    return {**entry, "meta": meta, SCAN: scan if isinstance(scan, dict) else {}}


def read_basis(path: Path, hints: Hints) -> BasisSet:
    """A `BasisSet` from an FSL-MRS basis folder (or one of its files).

    **Raises:** `FormatError` when a file is broken or the files disagree in dwell time, frequency or length.
    """
    try:
        files = (
            [path]
            if path.is_file()
            else sorted(p for p in path.iterdir() if p.suffix.lower() == ".json" and p.is_file())
        )
    except OSError as e:
        raise FormatError(path, "folder", found=type(e).__name__, wanted="a readable folder", fix=str(e)) from e
    if not files:
        raise FormatError(
            path,
            "folder",
            found="no .json file",
            wanted="one NAME.json a metabolite",
            fix="check that it is the right folder",
        )
    names, fids, first, meta = [], [], None, {}
    for file in files:
        entry = _entry(existing(file))
        re, im = (_array(file, key, entry[key]) for key in ("basis_re", "basis_im"))
        if re.size != im.size:
            raise FormatError(
                file, "basis_im", found=f"{im.size} points", wanted=f"{re.size} as in basis_re", fix="export it again"
            )
        dwell = checks.dwell_time(file, "basis_dwell", entry["basis_dwell"])
        f0 = checks.central_frequency(file, "basis_centre", checks.scaled(entry["basis_centre"], 1e6))
        if first is None:
            first, meta = (file, dwell, f0, re.size, entry), entry["meta"]
        for key, value, wanted in (
            ("basis_dwell", dwell, first[1]),
            ("basis_centre", f0, first[2]),
            ("basis_re", re.size, first[3]),
        ):
            if abs(value / wanted - 1) > 1e-5:
                raise FormatError(
                    file,
                    key,
                    found=f"{value:g}",
                    wanted=f"{wanted:g} as in {first[0].name}",
                    fix="simulate all metabolites with one protocol",
                )
        name = entry.get("basis_name")
        names.append(name.strip() if isinstance(name, str) and name.strip() else file.stem)
        fids.append(re - 1j * im)
    assert first is not None
    if len(set(names)) < len(names):  # FSL-MRS itself goes by the file name
        names = [f.stem for f in files]
    _, dwell, f0, n_points, entry = first
    sampling = checks.sampling(
        path, dwell=("basis_dwell", dwell), frequency=("basis_centre", f0), n_points=n_points, hints=hints
    )
    width = checks.plain(entry.get("basis_width"))
    named = entry[SCAN].get("sequence")
    origin = BasisOrigin(
        sequence=named if isinstance(named, str) else _sequence(meta),
        echo_time=checks.echo_time(path, f"{SCAN}: echo_time_s", entry[SCAN].get("echo_time_s"), hints.echo_time),
        linewidth=width if width is not None and 0 <= width < 1e3 else None,
        source=str(path),
        header=meta,
    )
    return BasisSet(np.stack(fids), names, sampling, origin)


def _sequence(meta: dict[str, Any]) -> str | None:
    seq = meta.get("seq")
    name = seq.get("sequenceName") if isinstance(seq, dict) else meta.get("sequence")
    return name if isinstance(name, str) else None


def write_basis(basis: BasisSet, folder: Path) -> None:
    """An FSL-MRS basis folder, lossless, 0 Hz at 4.65 ppm. Names become file names, so they may hold no path
    separators.

    **Raises:** `FormatError` for such names, and when the folder already holds other .json files (FSL-MRS would read
    them too).
    """
    for name in basis.names:
        if not name or name in (".", "..") or any(c in name for c in '/\\:*?"<>|\0') or not name.isprintable():
            raise FormatError(
                folder, "basis_name", found=repr(name), wanted="a name that can be a file name", fix="rename it"
            )
    if len({n.lower() for n in basis.names}) < len(basis.names):
        raise FormatError(
            folder,
            "basis_name",
            found="names that differ only in case",
            wanted="distinct file names",
            fix="rename them",
        )
    own = {f"{n}.json" for n in basis.names}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = sorted(p.name for p in folder.glob("*.json") if p.name not in own)
    except OSError as e:
        raise FormatError(folder, "folder", found=type(e).__name__, wanted="a writable folder", fix=str(e)) from e
    if strangers:
        raise FormatError(
            folder,
            "folder",
            found=f"other .json files ({', '.join(strangers[:3])})",
            wanted="an empty folder",
            fix="choose another",
        )
    fids = referenced(basis).conj()
    if not np.all(np.isfinite(fids)):
        raise FormatError(
            folder, "data", found="NaN or infinite values", wanted="finite numbers", fix="simulate them again"
        )
    about = {"sequence": basis.origin.sequence, "echo_time_s": basis.origin.echo_time}
    scan = {k: v for k, v in about.items() if v is not None}
    for name, fid in zip(basis.names, fids, strict=True):
        entry = {
            "basis_re": np.real(fid).tolist(),
            "basis_im": np.imag(fid).tolist(),
            "basis_dwell": checks.exact(basis.sampling.dwell_time),
            "basis_centre": checks.exact(basis.sampling.central_frequency) / 1e6,
            "basis_width": basis.origin.linewidth,
            "basis_name": name,
        }
        content: dict[str, Any] = {"basis": entry, SCAN: scan} | (
            {"provenance": dict(basis.origin.header)} if "program" in basis.origin.header else {}
        )
        write_text(folder / f"{name}.json", json.dumps(content))
