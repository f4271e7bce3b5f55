"""The one error and the one warning of `mrsjax.io`."""

from __future__ import annotations

import os
from typing import Any


def one_line(text: Any, limit: int = 120) -> str:
    """`text` on one printable line.

    Header strings come from strangers and may hold newlines or control characters.
    """
    line = "".join(c if c.isprintable() else " " for c in str(text))
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


class FormatError(ValueError):
    """A file that cannot be read or written as asked.

    The message is one line: file, key, what was found, what was wanted, what to do.

    **Arguments:** `path`; `key` the header entry or part of the file; `found`; `wanted`; `fix` what the user can do.
    Each is also an attribute.
    """

    def __init__(self, path: str | os.PathLike | None, key: str, *, found: Any, wanted: Any, fix: str = ""):
        self.path = None if path is None else os.fspath(path)
        self.key = one_line(key)
        self.found = one_line(found)
        self.wanted = one_line(wanted, 200)
        self.fix = one_line(fix, 300)
        parts = [self.key, f"found {self.found}, wanted {self.wanted}"]
        if self.path is not None:
            parts.insert(0, one_line(self.path, 300))
        message = ": ".join(parts)
        super().__init__(f"{message}; {self.fix}" if self.fix else message)


class MirroredWarning(UserWarning):
    """The spectra look mirrored: frequency runs the other way than the file format says."""
