"""Getting at a file's bytes.

Every system error becomes a `FormatError`, and nothing larger than memory is asked for.
"""

from __future__ import annotations

import os
from pathlib import Path

from mrsjax.io.errors import FormatError

#: Text formats above this size are refused: the largest basis set seen is 60 MB.
MAX_TEXT = 1 << 30


def existing(path: str | os.PathLike) -> Path:
    """`path` as a `Path` that exists and, for a file, is not empty."""
    try:
        place = Path(path).expanduser()
        if not place.exists():
            raise FormatError(path, "file", found="nothing there", wanted="a file or folder", fix="check the path")
        if place.is_file() and place.stat().st_size == 0:
            raise FormatError(
                path, "file", found="0 bytes", wanted="data", fix="the file is empty: copy or export it again"
            )
    except (OSError, ValueError, RuntimeError, TypeError) as e:
        if isinstance(e, FormatError):
            raise
        raise FormatError(str(path), "file", found=type(e).__name__, wanted="a readable path", fix=str(e)) from e
    return place


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """The first `limit` bytes (all by default)."""
    try:
        with open(path, "rb") as f:
            return f.read() if limit is None else f.read(limit)
    except (OSError, MemoryError) as e:
        raise FormatError(path, "file", found=type(e).__name__, wanted="a readable file", fix=str(e)) from e


def read_text(path: Path, limit: int | None = None) -> str:
    """The file as text. Latin-1 never fails and keeps ASCII, which is all that these formats give a meaning to."""
    if limit is None and path.stat().st_size > MAX_TEXT:
        raise FormatError(
            path,
            "file",
            found=f"{path.stat().st_size} bytes",
            wanted="a text file below 1 GB",
            fix="check that it is the right file",
        )
    raw = read_bytes(path, limit)
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    return raw.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")


def sibling(path: Path, *suffixes: str) -> Path | None:
    """The file beside `path` with the same stem and one of `suffixes`, whatever the case."""
    try:
        names = {p.name.lower(): p for p in path.parent.iterdir()}
    except OSError:
        return None
    for suffix in suffixes:
        found = names.get((path.stem + suffix).lower())
        if found is not None and found.is_file():
            return found
    return None


def write_text(path: Path, text: str) -> None:
    """Write a text file (ASCII where the formats are; other characters as Latin-1 or `?`)."""
    write_bytes(path, text.encode("latin-1", errors="replace"))


def write_bytes(path: Path, raw: bytes) -> None:
    """Write a file through a temporary neighbour, so that a stopped run leaves no half-written file."""
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_bytes(raw)
        os.replace(temporary, path)
    except OSError as e:
        temporary.unlink(missing_ok=True)
        raise FormatError(path, "file", found=type(e).__name__, wanted="a writable path", fix=str(e)) from e
