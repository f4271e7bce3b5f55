"""Complex numbers printed by Fortran `(2E15.6)` and its relatives."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from mrsjax.io.errors import FormatError

#: A number; columns may touch (`1.0E+00-2.0E+00`) and three-digit exponents lose their E (`1.0-105`).
_NUMBER = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d{1,3}|[+-]\d{3}(?!\d*\.))?|[+-]?nan|[+-]?inf(?:inity)?|\S+?",
    re.IGNORECASE,
)


def _tolerant(path: Any, key: str, text: str) -> np.ndarray:
    out = []
    for token in _NUMBER.findall(text):
        t = token.replace("D", "E").replace("d", "e")
        if re.search(r"\d[+-]\d{3}$", t) and "e" not in t.lower():
            t = t[:-4] + "E" + t[-4:]
        try:
            out.append(float(t))
        except ValueError:
            raise FormatError(
                path, key, found=repr(token), wanted="a number", fix="the data part is damaged: export it again"
            ) from None
    return np.array(out, dtype=np.float64)


def complex_pairs(path: Any, key: str, text: str) -> np.ndarray:
    """The (real, imaginary) pairs in `text` as complex128."""
    words = text.split()
    try:
        flat = np.array(words, dtype=np.float64)
    except ValueError:
        flat = _tolerant(path, key, text)
    if flat.size % 2:
        raise FormatError(
            path,
            key,
            found=f"{flat.size} numbers",
            wanted="an even number (real, imaginary pairs)",
            fix="the file is truncated: copy or export it again",
        )
    with np.errstate(over="ignore"):
        return flat[0::2] + 1j * flat[1::2]


def format_pairs(values: np.ndarray, *, per_line: int = 2, width: int = 15, digits: int = 6) -> str:
    """Complex values as Fortran columns, `per_line` numbers a line (an even number of columns)."""
    flat = np.empty(2 * values.size)
    flat[0::2], flat[1::2] = np.real(values), np.imag(values)
    words = [f"{x:{width}.{digits}E}" for x in flat]
    return "\n".join("".join(words[i : i + per_line]) for i in range(0, len(words), per_line)) + "\n"
