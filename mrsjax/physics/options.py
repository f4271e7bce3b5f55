"""Options of the default model as configuration files hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def model_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of `default_model` from YAML or JSON, where tuples are lists and YAML 1.1 reads a bare `off` as false.

    "off" (or nothing) is 0 of `own_shift`, `own_width`, `water_tails` and `creatine_ch2`, and None of `ratios`.

    **Raises:** `ValueError` for an unknown name (with the known ones) or a value of the wrong kind; whether a name stands for something is for
    `default_model` to say.
    """
    unknown = [str(k) for k in given if k not in _KINDS]
    if unknown:
        raise ValueError(f"model: unknown options {', '.join(unknown)}; known are {', '.join(_KINDS)}")
    out = {}
    for name, value in given.items():
        wanted, read = _KINDS[name]
        try:
            out[name] = read(value)
        except (TypeError, ValueError):
            raise ValueError(f"model: {name}: wanted {wanted}, found {value!r}") from None
    return out


def _is_off(value: Any) -> bool:
    return value is None or value is False or value == "off"


def _number(value: Any) -> float:
    """YAML 1.1 reads 5e-4 as a text."""
    if isinstance(value, bool):
        raise TypeError
    return float(value) if isinstance(value, str) else value + 0.0


def _spread(value: Any) -> float:
    number = 0 if _is_off(value) else _number(value)
    if not number >= 0:
        raise ValueError
    return number


def _order(value: Any) -> int:
    if not _is_off(value) and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ValueError
    return 0 if _is_off(value) else value


def _window(value: Any) -> tuple[float, float]:
    low, high = (_number(v) for v in value)
    if not low < high:
        raise ValueError
    return low, high


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _baseline(value: Any) -> str | float | None:
    if value is None or isinstance(value, str):
        return value
    return "off" if value is False else _number(value)


def _ratios(value: Any) -> dict[str, float] | str | None:
    if _is_off(value) or isinstance(value, str):
        return None if _is_off(value) else value
    if not isinstance(value, dict):
        raise TypeError
    return {str(k): _number(v) for k, v in value.items()}


_KINDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "window_ppm": ("two numbers [low, high]", _window),
    "lineshape": ("a name", _text),
    "macromolecules": ("a name or off", lambda value: "off" if value is False else _text(value)),
    "lipids": ("true or false", _flag),
    "baseline": ("a name, a number or off", _baseline),
    "own_shift": ("a number >= 0 or off", _spread),
    "own_width": ("a number >= 0 or off", _spread),
    "water_tails": ("a whole number >= 0 or off", _order),
    "creatine_ch2": ("a number >= 0 or off", _spread),
    "ratios": ("names with numbers, published or off", _ratios),
}
