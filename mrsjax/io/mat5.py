"""MATLAB level-5 MAT files (versions 5 to 7): arrays, texts, cells and structs, nothing else.

Own code because scipy.io.loadmat ends the whole process (segmentation fault) on some damaged files, and because a
format this plain can be read with every length checked. Objects, function handles and sparse arrays are left out
(`None`). Source: MATLAB MAT-File Format (MathWorks), chapter 1.
"""

from __future__ import annotations

import dataclasses
import struct
import zlib
from typing import Any

import numpy as np

#: Largest uncompressed variable, bytes: no basis set comes near, and a compressed bomb stops here.
_MAX = 1 << 29
_DEPTH = 16
_NUMERIC = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin-1", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _NUMBERS = 1, 2, 4, range(6, 16)


class MatError(ValueError):
    """A MAT file that breaks its own format; the text says where."""


@dataclasses.dataclass
class _Bytes:
    """A stretch of the file with a position in it."""

    raw: memoryview
    order: str
    at: int = 0

    def take(self, count: int) -> memoryview:
        if count < 0 or self.at + count > len(self.raw):
            raise MatError(f"an element of {count} bytes where {len(self.raw) - self.at} are left")
        part = self.raw[self.at : self.at + count]
        self.at += count
        return part

    def element(self) -> tuple[int, memoryview]:
        """The next element: its type and content."""
        (first,) = struct.unpack(self.order + "I", self.take(4))
        if first >> 16:  # small element: size, type and up to four bytes in one
            if first >> 16 > 4:
                raise MatError(f"a small element of {first >> 16} bytes")
            return first & 0xFFFF, self.take(4)[: first >> 16]
        (size,) = struct.unpack(self.order + "I", self.take(4))
        content = self.take(size)
        if first != _COMPRESSED:
            self.at = min(len(self.raw), self.at + (-size) % 8)
        return first, content

    def inside(self, content: memoryview) -> _Bytes:
        return _Bytes(content, self.order)


def _numbers(source: _Bytes, wanted: int | None = None) -> np.ndarray:
    kind, content = source.element()
    if kind not in _NUMERIC:
        raise MatError(f"data of type {kind} where numbers belong")
    dtype = np.dtype(source.order + _NUMERIC[kind])
    if len(content) % dtype.itemsize or (wanted is not None and len(content) != wanted * dtype.itemsize):
        raise MatError(f"{len(content)} bytes where {wanted} numbers of type {kind} belong")
    return np.frombuffer(content, dtype=dtype)


def _text(source: _Bytes) -> str:
    kind, content = source.element()
    if kind not in _TEXT:
        raise MatError(f"data of type {kind} where text belongs")
    suffix = {"utf-16": "-le", "utf-32": "-le"} if source.order == "<" else {"utf-16": "-be", "utf-32": "-be"}
    return bytes(content).decode(_TEXT[kind] + suffix.get(_TEXT[kind], ""), errors="replace")


def _matrix(source: _Bytes, depth: int) -> tuple[str, Any]:
    """Name and value of one array; an empty element is an empty array."""
    if depth > _DEPTH:
        raise MatError(f"arrays nested deeper than {_DEPTH}")
    if not len(source.raw):
        return "", np.empty((0, 0))
    flags = int(_numbers(source, 2)[0])
    shape = tuple(int(n) for n in _numbers(source))
    name = _text(source)
    count = 1
    for n in shape:
        if n < 0:
            raise MatError(f"a shape of {shape}")
        count *= n
    if len(shape) < 2 or count > _MAX:
        raise MatError(f"a shape of {shape}")
    kind = flags & 0xFF
    if kind in _NUMBERS:
        value = _numbers(source, count)
        if flags & 0x0800:
            value = value.astype(np.complex128)
            value.imag = _numbers(source, count)
        return name, value.reshape(shape, order="F")
    if kind == _CHAR:
        return name, _text(source) if count else ""
    if kind == _CELL:
        return name, [_child(source, depth) for _ in range(_possible(source, count))]
    if kind == _STRUCT:
        return name, _structs(source, count, depth)
    return name, None


def _possible(source: _Bytes, count: int) -> int:
    """`count` arrays of at least 8 bytes each, if they can be in what is left."""
    if count * 8 > len(source.raw) - source.at:
        raise MatError(f"{count} entries in {len(source.raw) - source.at} bytes")
    return count


def _child(source: _Bytes, depth: int) -> Any:
    kind, content = source.element()
    if kind != _MATRIX:
        raise MatError(f"data of type {kind} where an array belongs")
    return _matrix(source.inside(content), depth + 1)[1]


def _structs(source: _Bytes, count: int, depth: int) -> Any:
    """A dict, or a list of them for a struct array."""
    width = int(_numbers(source, 1)[0])
    kind, content = source.element()
    if not 1 <= width <= 1024 or kind != 1 or len(content) % width:
        raise MatError(f"field names of {len(content)} bytes in steps of {width}")
    steps = range(0, len(content), width)
    fields = [bytes(content[i : i + width]).split(b"\0")[0].decode("latin-1") for i in steps]
    _possible(source, count * len(fields))
    entries = [{f: _child(source, depth) for f in fields} for _ in range(count if fields else 0)]
    return entries[0] if len(entries) == 1 else entries


def _inflate(content: memoryview) -> bytes:
    stream = zlib.decompressobj()
    try:
        out = stream.decompress(content, _MAX)
    except zlib.error as e:
        raise MatError(f"compressed data: {e}") from e
    if stream.unconsumed_tail:
        raise MatError(f"a compressed variable above {_MAX} bytes")
    return out


def load(raw: bytes, name: str) -> Any:
    """The variable `name` of a MAT file; `None` where it has none.

    Numeric arrays in their MATLAB shape, texts as `str`, cells as lists, structs as dicts (struct arrays as lists of
    them).

    **Raises:** `MatError`.
    """
    if len(raw) < 136 or raw[126:128] not in (b"IM", b"MI"):
        raise MatError("no level-5 header")
    whole = _Bytes(memoryview(raw), "<" if raw[126:128] == b"IM" else ">", 128)
    while whole.at + 8 <= len(raw):
        kind, content = whole.element()
        inside = whole.inside(content)
        if kind == _COMPRESSED:
            kind, content = whole.inside(memoryview(_inflate(content))).element()
            inside = whole.inside(content)
        if kind != _MATRIX:
            raise MatError(f"a variable of type {kind}")
        found, value = _matrix(inside, 0)
        if found == name:
            return value
    return None
