"""What a check of a file reports."""

from __future__ import annotations

import dataclasses
import enum

from mrsjax.io.errors import one_line


class Level(enum.IntEnum):
    """How serious a finding is: `ERROR` stops a fit, `WARNING` makes it doubtful, `NOTE` is good to know, `OK` was
    checked.
    """

    OK = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclasses.dataclass(frozen=True)
class Finding:
    """One result of a check: `topic` (one word or two), `message` (one line, units in words), `fix` (what to do; may
    be empty).
    """

    level: Level
    topic: str
    message: str
    fix: str = ""

    def __post_init__(self):
        object.__setattr__(self, "message", one_line(self.message, 400))  # header strings come from strangers
        object.__setattr__(self, "fix", one_line(self.fix, 400))


def worst(findings: list[Finding]) -> Level:
    """The most serious level; `OK` for none."""
    return max((f.level for f in findings), default=Level.OK)
