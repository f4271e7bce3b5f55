"""Fortran namelist groups (`$NAME key = value, ... $END`) as the tools of the field write them.

Readers break on `key=value` without spaces, several keys on a line, missing commas, `$END` on the line of the last
value, exponents `E+`/`D-`, and empty values: so this is a tokenizer, not a line parser.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

_GROUP = re.compile(r"^[ \t]*[$&](?!end\b)([A-Za-z]\w*)", re.MULTILINE | re.IGNORECASE)
_TOKEN = re.compile(
    r"""(?P<space>[\s,;]+)
      | (?P<comment>![^\n]*)
      | (?P<end>[$&][ \t]*end\b|/(?=\s|$))
      | (?P<next>[$&][A-Za-z]\w*)
      | (?P<key>[A-Za-z]\w*[ \t]*(?:\([\d ,:]*\))?)[ \t]*=
      | '(?P<single>(?:[^'\n]|'')*)'
      | "(?P<double>(?:[^"\n]|"")*)"
      | (?P<bare>[^\s,;=!]+)
      | (?P<junk>.)""",
    re.VERBOSE | re.IGNORECASE,
)
_LOGICAL = {
    "T": True,
    ".T.": True,
    ".TRUE.": True,
    "TRUE": True,
    "F": False,
    ".F.": False,
    ".FALSE.": False,
    "FALSE": False,
}


@dataclasses.dataclass(frozen=True)
class Group:
    """One group.

    `name` in capitals, `values` (capital key -> value, or list where several were given), `end` offset after it.
    """

    name: str
    values: dict[str, Any]
    start: int
    end: int
    closed: bool

    def get(self, *keys: str) -> Any:
        """The first of `keys` with a non-blank value, else `None`."""
        for key in keys:
            value = self.values.get(key)
            if value is not None and value != "":
                return value
        return None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def number(text: str) -> float | int | None:
    """A Fortran number (`1.5D-3`, `1.`, `.5`, `1.0-105`), or `None`."""
    t = text.strip().replace("D", "E").replace("d", "e")
    if re.fullmatch(r"[+-]?\d{1,18}", t):
        return int(t)
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", t):
        return _finite(float(t))
    if re.fullmatch(r"[+-]?\d*\.\d+[+-]\d{3}", t):  # Fortran drops the E of a three-digit exponent
        return _finite(float(re.sub(r"(?<=\d)([+-])", r"E\1", t)))
    return None


def _value(text: str) -> Any:
    logical = _LOGICAL.get(text.upper())
    if logical is not None:
        return logical
    found = number(text)
    return text if found is None else found


def _repeated(text: str) -> list[Any]:
    """`3*1.5` is three values."""
    count = re.fullmatch(r"(\d{1,4})\*(.+)", text)
    return [_value(count[2])] * int(count[1]) if count else [_value(text)]


def parse(text: str, start: int = 0) -> Group | None:
    """The first group at or after offset `start`, or `None`."""
    head = _GROUP.search(text, start)
    if head is None:
        return None
    values: dict[str, list[Any]] = {}
    key, at, closed = None, head.end(), False
    while at < len(text):
        token = _TOKEN.match(text, at)
        if (
            token is None
        ):  # cannot happen (junk matches anything but a newline, space the rest); kept against an endless loop
            break
        kind = token.lastgroup
        if kind == "next":  # a group that was never closed: stop before the line of the next one
            at = max(head.end(), text.rfind("\n", 0, at) + 1)
            break
        at = token.end()
        if kind == "end":
            closed = True
            break
        if kind == "key":
            key = re.sub(r"\s", "", token["key"]).upper()
            values[key] = []
        elif kind == "single" and key is not None:
            values[key].append(token["single"].replace("''", "'"))
        elif kind == "double" and key is not None:
            values[key].append(token["double"].replace('""', '"'))
        elif kind == "bare" and key is not None:
            values[key].extend(_repeated(token["bare"]))
    flat = {k: ("" if not v else v[0] if len(v) == 1 else v) for k, v in values.items()}
    return Group(head[1].upper(), flat, head.start(), at, closed)


def groups(text: str) -> Iterator[Group]:
    """All groups in order; the text between one's `end` and the next one's `start` is data."""
    at = 0
    while (group := parse(text, at)) is not None:
        yield group
        at = max(group.end, at + 1)
