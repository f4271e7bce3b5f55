"""Reading a recipe key by key, with errors that name the place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpyro.distributions import Distribution

from simulators.tissue import priors

T = TypeVar("T")

#: Prior as recipes write it -> (constructor, what its two numbers are).
PRIORS = {
    "uniform": (priors.uniform, "[low, high]"),
    "log_uniform": (priors.log_uniform, "[low, high], both positive"),
    "normal": (priors.normal, "[mean, standard deviation above 0]"),
    "log_normal": (priors.log_normal, "[median, standard deviation of the logarithm], both positive"),
}


class Found:
    """A mapping of a recipe, where it stands, and the folder that its files' names start from.

    **Raises:** `ValueError` when it is none.
    """

    def __init__(self, content: Any, place: str, folder: Path = Path()):
        if not isinstance(content, Mapping):
            raise ValueError(f"{place}: wanted keys with values, found {content!r}")
        self.content = content
        self.place = place
        self.folder = folder

    def error(self, key: str, wanted: str) -> ValueError:
        return ValueError(f"{self.place}: {key}: {wanted}, found {self.content.get(key)!r}")

    def allow(self, *keys: str) -> None:
        """Refuses keys that are not among these."""
        if unknown := [k for k in self.content if k not in keys]:
            raise ValueError(f"{self.place}: unknown key {unknown[0]!r}; wanted {', '.join(keys)}")

    def has(self, key: str) -> bool:
        return key in self.content

    def need(self, *keys: str) -> None:
        """Refuses that one of these keys is missing."""
        if missing := [k for k in keys if k not in self.content]:
            raise ValueError(f"{self.place}: no key {missing[0]!r}")

    def _get(self, key: str) -> Any:
        self.need(key)
        return self.content[key]

    def section(self, key: str) -> Found:
        return Found(self._get(key), f"{self.place}: {key}", self.folder)

    def items(self, key: str) -> list[Found]:
        """A list of mappings with one key each; absent: none."""
        entries = self.content.get(key) or []
        if not isinstance(entries, list):
            raise self.error(key, "wanted a list")
        found = [Found(e, f"{self.place}: {key}[{i}]", self.folder) for i, e in enumerate(entries)]
        for entry in found:
            if len(entry.content) != 1:
                raise ValueError(f"{entry.place}: wanted one name with its settings, found {dict(entry.content)!r}")
        return found

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str):
            raise self.error(key, "wanted text")
        return value

    def path(self, key: str) -> Path:
        """A file; a relative name starts from the recipe's folder."""
        return self.folder / self.text(key)

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise self.error(key, "wanted true or false")
        return value

    def number(self, key: str, *, above: float = -math.inf, least: float = -math.inf) -> float:
        value = self._get(key)
        if not _is_number(value) or not above < value or not least <= value:
            raise self.error(key, "wanted a number" + _bounds(above, least))
        return float(value)

    def probability(self, key: str) -> float:
        value = self._get(key)
        if not _is_number(value) or not 0 <= value <= 1:
            raise self.error(key, "wanted a number from 0 to 1")
        return float(value)

    def count(self, key: str) -> int:
        value = self._get(key)
        if not _is_whole(value) or value < 1:
            raise self.error(key, "wanted a whole number, 1 or more")
        return value

    def counts(self, key: str, length: int) -> tuple[Any, ...]:
        """`length` whole numbers, 1 or more."""
        value = self._get(key)
        if not (isinstance(value, list) and len(value) == length and all(_is_whole(x) and x > 0 for x in value)):
            raise self.error(key, f"wanted {length} whole numbers, 1 or more")
        return tuple(value)

    def labels(self, key: str) -> tuple[int, ...]:
        """Whole numbers, as many as there are."""
        value = self._get(key)
        if not (isinstance(value, list) and value and all(map(_is_whole, value))):
            raise self.error(key, "wanted a list of whole numbers")
        return tuple(value)

    def pair(self, key: str, *, above: float = -math.inf, least: float = -math.inf) -> tuple[float, float]:
        value = self._get(key)
        good = isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] <= value[1]
        if not good or not above < value[0] or not least <= value[0]:
            raise self.error(key, "wanted [low, high]" + _bounds(above, least))
        return float(value[0]), float(value[1])

    def low_and_high(self, key: str) -> tuple[float, float]:
        """Of a number or a uniform prior, not negative."""
        value = self._get(key)
        low, high = (value, value) if _is_number(value) else self.two_numbers(key, "uniform")[1]
        if low < 0:
            raise self.error(key, "wanted no negative number")
        return float(low), float(high)

    def numbers(self, key: str, count: int, *, above: float = -math.inf) -> tuple[Any, ...]:
        value = self._get(key)
        good = isinstance(value, list) and len(value) == count and all(map(_is_number, value))
        if not good or not all(above < x for x in value):
            raise self.error(key, f"wanted {count} numbers" + _bounds(above))
        return tuple(float(x) for x in value)

    def sequence(self, key: str) -> tuple[float, ...]:
        """Numbers, as many as there are."""
        value = self._get(key)
        return self.numbers(key, len(value) if isinstance(value, list) else 1)

    def factors(self, key: str, known: Iterable[str], names: tuple[str, ...]) -> np.ndarray:
        """A positive number for each of `names`, 1 where the mapping has none; its keys are some of `known`."""
        section = self.section(key)
        section.allow(*known)
        return np.array([section.number(n, above=0) if section.has(n) else 1.0 for n in names])

    def choice(self, key: str, options: Mapping[str, T]) -> T:
        value = self._get(key)
        if not isinstance(value, str) or value not in options:
            raise self.error(key, f"wanted one of {', '.join(options)}")
        return options[value]

    def prior(
        self, key: str, *, scale: float = 1.0, shape: tuple[int, ...] = (), above: float = -math.inf, least: float = -math.inf, most: float = math.inf
    ) -> Distribution:  # fmt: skip
        """A number (fixed) or one of `PRIORS`, times `scale`, independently repeated over `shape`; nothing outside the bounds (before `scale`) is ever drawn."""
        value = self._get(key)
        repeat = lambda x: np.broadcast_to(np.float64(x), shape)  # noqa: E731
        if _is_number(value):
            made = priors.fixed(repeat(value * scale))
        else:
            kind, (first, second) = self.two_numbers(key, *PRIORS)
            made = PRIORS[kind][0](repeat(first * scale), repeat(second if kind == "log_normal" else second * scale))
        low, high = priors.ends(made)
        if not above * scale < low or not least * scale <= low or not high <= most * scale:
            raise self.error(key, "wanted a prior of numbers" + _bounds(above, least, most))
        return made

    def two_numbers(self, key: str, *kinds: str) -> tuple[str, tuple[float, float]]:
        """The kind of a prior, one of `kinds`, and its two numbers."""
        value = self._get(key)
        if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in kinds:
            raise self.error(key, f"wanted {'a number or ' if len(kinds) > 1 else ''}one of {', '.join(kinds)}")
        ((kind, numbers),) = value.items()
        wanted = PRIORS[kind][1]
        good = isinstance(numbers, list) and len(numbers) == 2 and all(map(_is_number, numbers))
        if not good or ("uniform" in kind and not numbers[0] <= numbers[1]) or ("normal" in kind and numbers[1] <= 0):
            raise self.error(key, f"wanted {kind}: {wanted}")
        if kind.startswith("log") and not numbers[0] > 0:
            raise self.error(key, f"wanted {kind}: {wanted}")
        return kind, (numbers[0], numbers[1])


def _bounds(above: float, least: float = -math.inf, most: float = math.inf) -> str:
    """In words."""
    words = ((above > -math.inf, f" above {above:g}"), (least > -math.inf, f" of {least:g} or more"), (most < math.inf, f" up to {most:g}"))  # fmt: skip
    return "".join(word for there, word in words if there)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
