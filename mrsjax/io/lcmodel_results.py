"""What LCModel wrote: .TABLE, .CSV and .COORD files. %SD is a whole number, 999 means undetermined."""

from __future__ import annotations

import csv
import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mrsjax.io import namelist
from mrsjax.io.content import existing, read_text
from mrsjax.io.errors import FormatError

_MAX = 1 << 28
_REPAIR = "the file is truncated or damaged: run LCModel again"


@dataclasses.dataclass(frozen=True)
class Concentration:
    """One line of LCModel's table: `value` in its units, `percent_sd` (`None` = undetermined), `ratio` to the
    reference.
    """

    name: str
    value: float
    percent_sd: int | None
    ratio: float


@dataclasses.dataclass(frozen=True)
class LCModelResult:
    """One analysed spectrum.

    `reference` the denominator of the ratios (e.g. "Cr+PCr"); `fwhm_ppm`, `snr`, `shift_ppm`, `phase_deg`,
    `phase_deg_per_ppm` where the file has them; `row`, `column` of the voxel (CSV); `ppm`, `data`, `fit`, `baseline`,
    `components` the curves of a COORD file (components without the baseline, which LCModel adds to each); `diagnostics`
    LCModel's messages.
    """

    concentrations: tuple[Concentration, ...]
    reference: str
    source: str
    row: int | None = None
    column: int | None = None
    fwhm_ppm: float | None = None
    snr: float | None = None
    shift_ppm: float | None = None
    phase_deg: float | None = None
    phase_deg_per_ppm: float | None = None
    ppm: Float[np.ndarray, " n"] | None = None
    data: Float[np.ndarray, " n"] | None = None
    fit: Float[np.ndarray, " n"] | None = None
    baseline: Float[np.ndarray, " n"] | None = None
    components: Mapping[str, Float[np.ndarray, " n"]] = dataclasses.field(default_factory=dict)
    diagnostics: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Concentration:
        """The line of one metabolite or sum."""
        for line in self.concentrations:
            if line.name == name:
                return line
        raise KeyError(name)


def _number(path: Path, key: str, text: str) -> float:
    found = namelist.number(text)
    if found is None:
        raise FormatError(path, key, found=repr(text), wanted="a number", fix=_REPAIR)
    return float(found)


def _percent(path: Path, key: str, text: str) -> int | None:
    value = _number(path, key, text)
    if value != int(value) or not 0 <= value <= 10**6:
        raise FormatError(path, key, found=repr(text), wanted="a whole %SD", fix=_REPAIR)
    return None if value >= 999 else int(value)


_ROW = re.compile(r"^\s*(?P<value>\S+?)\s+(?P<sd>\d+)%\s*(?P<ratio>[-+.\dEe]+)\s+(?P<name>\S+)\s*$")
_ROWS = re.compile(r"^(?:\s*\$\$CONC)?\s*(\d+) lines in following concentration table", re.MULTILINE)
_TITLE = re.compile(r"%SD\s*/(?P<reference>\S*)\s+Metabolite")


def _table(path: Path, text: str) -> tuple[tuple[Concentration, ...], str, int]:
    """The concentration table, its reference, and the offset behind it."""
    head = _ROWS.search(text)
    if head is None:
        raise FormatError(
            path, "concentration table", found="none", wanted="'NN lines in following concentration table'", fix=_REPAIR
        )
    lines = text[head.end() :].split("\n", int(head[1][:6]) + 1)
    title = _TITLE.search(lines[1]) if len(lines) > 1 else None
    if title is None:
        raise FormatError(
            path, "concentration table", found="no title line", wanted="Conc. %SD /REF Metabolite", fix=_REPAIR
        )
    rows = []
    for line in lines[2 : int(head[1][:6]) + 1]:
        match = _ROW.match(line)
        if match is None:
            raise FormatError(
                path, "concentration table", found=repr(line), wanted="value, %SD, ratio, name", fix=_REPAIR
            )
        name = match["name"]
        value, ratio = _number(path, name, match["value"]), _number(path, name, match["ratio"])
        rows.append(Concentration(name, value, _percent(path, name, match["sd"]), ratio))
    if len(rows) != int(head[1][:6]) - 1:
        raise FormatError(
            path, "concentration table", found=f"{len(rows)} rows", wanted=f"{int(head[1][:6]) - 1}", fix=_REPAIR
        )
    return tuple(rows), title["reference"], head.end() + sum(len(line) + 1 for line in lines[: int(head[1][:6]) + 1])


_FLOAT = r"([-+]?[\d.]+(?:[Ee][-+]?\d+)?)"


def _misc(text: str) -> dict[str, float | None]:
    """Line width, S/N, shift and phases; `None` where a line is missing."""
    patterns = {
        "fwhm_ppm": rf"FWHM\s*=\s*{_FLOAT}\s*ppm",
        "snr": rf"S/N\s*=\s*{_FLOAT}",
        "shift_ppm": rf"Data shift\s*=\s*{_FLOAT}\s*ppm",
        "phase_deg": rf"Ph:\s*{_FLOAT}\s*deg",
        "phase_deg_per_ppm": rf"{_FLOAT}\s*deg/ppm",
    }
    found = {key: re.search(pattern, text) for key, pattern in patterns.items()}
    return {
        key: None if m is None else float(v) if (v := namelist.number(m[1])) is not None else None
        for key, m in found.items()
    }


def _diagnostics(text: str) -> tuple[str, ...]:
    head = re.search(r"(\d{1,4}) lines? in following diagnostic table:?[ \t]*\n", text)
    return tuple(" ".join(s.split()) for s in text[head.end() :].split("\n")[: int(head[1])]) if head else ()


_CURVES = {
    "phased data points follow": "data",
    "points of the fit to the data follow": "fit",
    "background values follow": "baseline",
}
_SECTION = re.compile(
    r"^[ \t]*(?:(?P<points>\d+) points on ppm-axis = NY|NY (?P<curve>[^\n]*follow)|(?P<name>\S+)[ \t]+Conc\. = \S+"
    r"|(?P<end>\d+ lines? in following[^\n]*))[ \t]*$",
    re.MULTILINE,
)


def _curves(path: Path, text: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The named curves and the components of a COORD file."""
    axis = re.search(r"^[ \t]*\d+ points on ppm-axis", text, re.MULTILINE)
    marks = list(_SECTION.finditer(text, axis.start())) if axis else []
    if not marks or marks[0]["points"] is None:
        raise FormatError(path, "ppm-axis", found="none", wanted="'NN points on ppm-axis = NY'", fix=_REPAIR)
    points = int(marks[0]["points"][:9])
    named: dict[str, np.ndarray] = {}
    components: dict[str, np.ndarray] = {}
    for mark, stop in zip(marks, [m.start() for m in marks[1:]] + [len(text)], strict=True):
        if mark["end"]:
            break
        label = "ppm" if mark["points"] else _CURVES.get(mark["curve"] or "", mark["name"] or mark["curve"])
        try:
            values = np.array(text[mark.end() : stop].split(), dtype=np.float64)
        except ValueError as e:
            raise FormatError(path, label, found=str(e), wanted="numbers", fix=_REPAIR) from None
        if values.size != points:
            raise FormatError(path, label, found=f"{values.size} values", wanted=f"{points}", fix=_REPAIR)
        (components if mark["name"] else named)[label] = values
    missing = [k for k in ("data", "fit") if k not in named]
    if missing:
        raise FormatError(path, missing[0], found="no such curve", wanted="data and fit", fix=_REPAIR)
    baseline = named.get("baseline", 0.0)
    return named, {name: curve - baseline for name, curve in components.items()}


def _csv(path: Path, text: str) -> list[LCModelResult]:
    try:
        rows = [[c.strip() for c in row] for row in csv.reader(text.splitlines()) if any(c.strip() for c in row)]
    except csv.Error as e:
        raise FormatError(path, "CSV", found=str(e), wanted="comma-separated values", fix=_REPAIR) from e
    head = rows[0] if rows else []
    if head[:2] != ["Row", "Col"] or len(head) % 3 != 2 or len(head) < 5:
        raise FormatError(
            path,
            "columns",
            found=", ".join(head[:5]) or "none",
            wanted="Row, Col, then name, name %SD, name/reference",
            fix="check that it is an LCModel .CSV file",
        )
    names = head[2::3]
    reference = head[4][len(names[0]) + 1 :]
    results = []
    for i, row in enumerate(rows[1:]):
        if len(row) != len(head):
            raise FormatError(path, f"line {i + 2}", found=f"{len(row)} columns", wanted=f"{len(head)}", fix=_REPAIR)
        lines = tuple(
            Concentration(
                n, _number(path, n, row[3 * k + 2]), _percent(path, n, row[3 * k + 3]), _number(path, n, row[3 * k + 4])
            )
            for k, n in enumerate(names)
        )
        place = [int(_number(path, head[k], row[k])) for k in (0, 1)]
        results.append(LCModelResult(lines, reference, str(path), row=place[0], column=place[1]))
    if not results:
        raise FormatError(path, "rows", found="none", wanted="one a spectrum", fix=_REPAIR)
    return results


def read_lcmodel_results(path: str | os.PathLike) -> list[LCModelResult]:
    """The results in an LCModel .TABLE, .CSV or .COORD file: one entry, or one for each voxel of a CSV.

    **Raises:** `FormatError`.
    """
    place = existing(path)
    if place.stat().st_size > _MAX:
        raise FormatError(
            path, "file", found=f"{place.stat().st_size} bytes", wanted="an LCModel result file", fix="check the path"
        )
    text = read_text(place)
    if re.match(r"\s*Row\s*,\s*Col\b", text):
        return _csv(place, text)
    rows, reference, behind = _table(place, text)
    misc = _misc(text[behind:])
    common = {
        "concentrations": rows,
        "reference": reference,
        "source": str(path),
        "diagnostics": _diagnostics(text[behind:]),
        **misc,
    }
    if re.search(r"points on ppm-axis", text) is None:
        if place.suffix.lower() == ".coord":
            raise FormatError(path, "ppm-axis", found="none", wanted="'NN points on ppm-axis = NY'", fix=_REPAIR)
        return [LCModelResult(**common)]
    named, components = _curves(place, text[behind:])
    return [
        LCModelResult(
            **common,
            ppm=named["ppm"],
            data=named["data"],
            fit=named["fit"],
            baseline=named.get("baseline"),
            components=components,
        )
    ]
