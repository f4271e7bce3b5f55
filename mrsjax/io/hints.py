"""What the caller knows beside the file, and the range checks that catch wrong units."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import Any

from mrsjax.core import Sampling
from mrsjax.core.constants import GYROMAGNETIC_RATIO, PPM_REF_WATER
from mrsjax.io.errors import FormatError


@dataclasses.dataclass(frozen=True)
class Hints:
    """Values given by the caller; each replaces what the file says. `None` = not given.

    `dwell_time` s, `central_frequency` Hz, `n_points` points of one FID, `ppm_ref` ppm at 0 Hz, `nucleus` e.g. "1H",
    `echo_time`, `repetition_time` s, `control` path of an LCModel control file, `basis` path of a basis set whose
    dwell time and frequency hold for the data too, `conjugate` undo a mirrored file, `subspectrum` which of an edited
    basis.
    """

    dwell_time: float | None = None
    central_frequency: float | None = None
    n_points: int | None = None
    ppm_ref: float | None = None
    nucleus: str | None = None
    echo_time: float | None = None
    repetition_time: float | None = None
    control: str | os.PathLike | None = None
    basis: str | os.PathLike | None = None
    conjugate: bool = False
    subspectrum: int | None = None


NO_HINTS = Hints()


def _number(path: Any, key: str, value: Any, unit: str, fix: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise FormatError(path, key, found=repr(value), wanted=f"a number ({unit})", fix=fix)
    return number


def plain(value: Any) -> float | None:
    """`value` as a finite float if it is a plain number, else `None` (texts, flags and lists are none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def scaled(value: Any, factor: float) -> Any:
    """`value * factor` for a plain number; anything else as it is, for the range check to report."""
    number = plain(value)
    return value if number is None else number * factor


def in_range(path: Any, key: str, value: Any, low: float, high: float, unit: str, fix: str) -> float:
    """`value` as a float within [low, high], else a `FormatError` that guesses the unit mistake."""
    number = _number(path, key, value, unit, fix)
    if low <= number <= high:
        return number
    guess = ""
    for factor, other in (
        (1e-3, "a thousand times too large"),
        (1e3, "a thousand times too small"),
        (1e-6, "a million times too large"),
        (1e6, "a million times too small"),
    ):
        if low <= number * factor <= high:
            guess = f" ({other}: wrong unit?)"
            break
    raise FormatError(path, key, found=f"{number:g} {unit}{guess}", wanted=f"{low:g} to {high:g} {unit}", fix=fix)


def dwell_time(path: Any, key: str, value: Any) -> float:
    """A dwell time in s: spectral widths of 10 Hz to 10 MHz pass."""
    return in_range(path, key, value, 1e-7, 0.1, "s", "give the right one with dwell_time=... (s)")


def central_frequency(path: Any, key: str, value: Any) -> float:
    """A spectrometer frequency in Hz: 1 MHz to 2 GHz pass."""
    return in_range(path, key, value, 1e6, 2e9, "Hz", "give the right one with central_frequency=... (Hz)")


def echo_time(path: Any, key: str, value: Any, hint: float | None) -> float | None:
    """TE in s.

    Absent or zero means unknown; real files carry unit mistakes, so anything outside 1 ms to 0.5 s is refused.
    """
    if hint is not None:
        return _number(path, "echo_time", hint, "s", "give seconds")
    if value is None or value == 0:
        return None
    return in_range(path, key, value, 1e-3, 0.5, "s", "give the right one with echo_time=... (s)")


def repetition_time(path: Any, key: str, value: Any, hint: float | None) -> float | None:
    """TR in s. Absent or zero means unknown; outside 0.1 s to 20 s is refused."""
    if hint is not None:
        return _number(path, "repetition_time", hint, "s", "give seconds")
    if value is None or value == 0:
        return None
    return in_range(path, key, value, 0.1, 20.0, "s", "give the right one with repetition_time=... (s)")


def optional_time(path: Any, key: str, value: Any) -> float | None:
    """Inversion or mixing time in s; absent or zero means none."""
    if value is None or value == 0:
        return None
    return in_range(path, key, value, 1e-4, 20.0, "s", "correct the header")


def nucleus(path: Any, key: str, value: Any) -> str:
    """A nucleus as in "1H", also written "H1" or "1h"."""
    text = str(value).strip().strip("'\"").upper()
    digits, letters = "".join(c for c in text if c.isdigit()), "".join(c for c in text if c.isalpha())
    name = digits + letters.capitalize()
    if name in GYROMAGNETIC_RATIO and len(digits) + len(letters) == len(text):
        return name
    known = ", ".join(GYROMAGNETIC_RATIO)
    raise FormatError(path, key, found=repr(value), wanted=f"one of {known}", fix="give the right one with nucleus=...")


def sampling(
    path: Any,
    *,
    dwell: tuple[str, Any],
    frequency: tuple[str, Any],
    n_points: int,
    hints: Hints,
    nucleus_found: tuple[str, Any] = ("nucleus", "1H"),
    ppm_ref: float | None = None,
    field_strength: float | None = None,
) -> Sampling:
    """The `Sampling` of a file: hints first, then the file's own (key, value) pairs, each checked.

    `field_strength` in T, where the file states it, must fit the nucleus and the frequency within 5 %.
    """
    spin = nucleus(path, *(("nucleus", hints.nucleus) if hints.nucleus is not None else nucleus_found))
    step = dwell_time(path, *(("dwell_time", hints.dwell_time) if hints.dwell_time is not None else dwell))
    f0 = central_frequency(
        path, *(("central_frequency", hints.central_frequency) if hints.central_frequency is not None else frequency)
    )
    if field_strength is not None and 0.01 < field_strength < 50:
        wanted = abs(GYROMAGNETIC_RATIO[spin]) * field_strength
        if abs(f0 / wanted - 1) > 0.05:
            raise FormatError(
                path, frequency[0], found=f"{f0 / 1e6:.3f} MHz for {spin}",
                wanted=f"about {wanted / 1e6:.2f} MHz at {field_strength:g} T",
                fix="the nucleus or the frequency is wrong; give nucleus=... or central_frequency=... (Hz)",
            )  # fmt: skip
    if n_points < 2:
        raise FormatError(path, "points", found=n_points, wanted="at least 2 points a FID", fix="the file is truncated")
    if hints.ppm_ref is not None:
        ppm_ref = in_range(path, "ppm_ref", hints.ppm_ref, -1000.0, 1000.0, "ppm", "give the shift at 0 Hz in ppm")
    elif ppm_ref is None:
        ppm_ref = PPM_REF_WATER if spin == "1H" else 0.0
    return Sampling(step, f0, n_points, ppm_ref=ppm_ref, nucleus=spin)


def exact(value: Any) -> float:
    """A float of `Sampling` as the shortest decimal of its own precision.

    Float32 5e-4 is 0.0005, not 0.000500000024.
    """
    return float(str(value)) if getattr(value, "dtype", None) == "float32" else float(value)
