"""Arrays and texts as small strings inside an HTML page: quantised, differenced, deflated, base64."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np


def _deflated(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")


def pack_text(text: str) -> dict[str, Any]:
    """A text for the page; `unpack` of report.js restores it."""
    return {"kind": "text", "bytes": _deflated(text.encode("utf-8"))}


def pack_numbers(values: np.ndarray) -> dict[str, Any]:
    """Numbers in single precision, NaN kept."""
    values = np.ascontiguousarray(values, dtype="<f4")
    return {"kind": "float", "shape": list(values.shape), "bytes": _deflated(values.tobytes())}


def pack_curves(values: np.ndarray, *, bits: int = 16) -> dict[str, Any]:
    """Curves along the last axis as integers of 16 or 8 bits with one scale a curve.

    The largest value of a curve is 32767 (127) steps; neighbouring points are differenced, modulo the word, before
    deflation, because smooth curves then become short. Curves that are not finite become zero.
    """
    word, top = {16: ("<i2", 32767), 8: ("i1", 127)}[bits]
    values = np.nan_to_num(np.asarray(values, dtype=float), nan=0.0, posinf=0.0, neginf=0.0)
    largest = np.abs(values).max(axis=-1, initial=0.0)
    scale = np.where(largest > 0, largest / top, 1.0)
    steps = np.rint(values / scale[..., None]).astype(word)
    delta = steps.copy()
    delta[..., 1:] = steps[..., 1:] - steps[..., :-1]
    return {
        "kind": f"int{bits}",
        "shape": list(values.shape),
        "bytes": _deflated(np.ascontiguousarray(delta).tobytes()),
        "scale": pack_numbers(scale),
    }


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: no character of it can end the element or open a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return (
        text.replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )
