"""Numbers of a configuration: whole, finite and in their range, or an error with their place, what was wanted and what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

#: Seeds of JAX below 2^32 are all different.
SEEDS = 2**32 - 1


def _real(found: Any) -> float:
    """NaN for what is no number; YAML 1.1 reads 1e-3 as a text."""
    try:
        return math.nan if isinstance(found, bool) else float(found)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def number(place: str, found: Any, *, least: float = 0.0, above: float = -math.inf, below: float = math.inf) -> float:
    """A finite number of at least `least`, more than `above` and less than `below`.

    **Raises:** `ValueError` naming `place`.
    """
    x = _real(found)
    if not (math.isfinite(x) and x >= least and above < x < below):
        low = f"above {above:g}" if above >= least else f"of at least {least:g}" if least > -math.inf else ""
        high = f"below {below:g}" if below < math.inf else ""
        limits = " and ".join(p for p in (low, high) if p)
        raise ValueError(f"{place}: wanted {' '.join(p for p in ('a number', limits) if p)}, found {found!r}")
    return x


def whole(place: str, found: Any, *, least: int = 0, most: int | None = None) -> int:
    """An integer from `least` to `most`; one that is written as a float (1e3) counts.

    **Raises:** `ValueError` naming `place`.
    """
    x = _real(found)
    if not (math.isfinite(x) and x == int(x) and x >= least and (most is None or x <= most)):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{place}: wanted a whole number {limits}, found {found!r}")
    return int(x)


def counts(place: str, found: Any, *, empty: bool = False) -> tuple[int, ...]:
    """A list of integers of at least 1; `empty`: or of nothing.

    **Raises:** `ValueError` naming `place`.
    """
    if isinstance(found, str) or not isinstance(found, Sequence) or not (found or empty):
        raise ValueError(f"{place}: wanted a list of whole numbers of at least 1, found {found!r}")
    return tuple(whole(place, x, least=1) for x in found)


def switch(place: str, found: Any) -> bool:
    """True or false.

    **Raises:** `ValueError` naming `place`.
    """
    if not isinstance(found, bool):
        raise ValueError(f"{place}: wanted true or false, found {found!r}")
    return found
