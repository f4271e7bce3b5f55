"""Derives the package's tables from the meta-analysis: `python -m simulators.tissue.derive FOLDER`.

FOLDER holds the CSV files of Gudmundson et al. 2023 (Analytical Biochemistry 676:115227, MIT licence). Written beside this file, in data/:

- `concentrations.csv`: healthy adults, ratio to total creatine (of concentrations in mmol/L where at least `ENOUGH` groups report both: a ratio printed as such is partly one of
  areas, not of concentrations; else of all): number of groups, median, standard deviation of the logarithm between the groups (from
  the quartiles, hence robust) and inside a group (median of the reported SD / mean).
- `correlations.csv`: Spearman correlation between the groups' ratios, pairs that at least `PAIRS` groups report; turned into the correlation of normal scores.
- `ages.csv`, `conditions.csv`: factors on a healthy adult's level, from the pooled results.
- `tissue.csv`: grey over white matter, from the one study of healthy subjects there that separates them (Bustillo 2019, both age groups).

Healthy is what the group's name says (`HEALTHY`); a value that is not positive or has a ratio outside 0.001-20 is left out.
"""

from __future__ import annotations

import collections
import csv
import re
import sys
from pathlib import Path

import numpy as np

HEALTHY = re.compile(r"^(control|healthy|hc|aged|aging|typical development|baseline)", re.IGNORECASE)
NOT_ADULT = re.compile(
    r"rodent|infant|neonate|child|year old|preterm|adolesc|typical development|aged|aging", re.IGNORECASE
)
#: Name in the database -> ours.
NAMES = {
    "Ala": "Ala", "Asc": "Asc", "Asp": "Asp", "GABA": "GABA", "GSH": "GSH", "Glc": "Glc", "Gln": "Gln", "Glu": "Glu", "Glx": "Glx",
    "Gly": "Gly", "Lac": "Lac", "Myo": "Ins", "NAA": "NAA", "NAAG": "NAAG", "PE": "PE", "Scy": "Scyllo", "Tau": "Tau", "tCho": "tCho",
    "tNAA": "tNAA", "tCr": "tCr", "Cre": "Cr", "PCr": "PCr", "GPC": "GPC", "PCh": "PCh",
}  # fmt: skip
PAIRS = 12
ENOUGH = 20


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def ratios(rows: list[dict[str, str]]):
    """(reference, group) -> metabolite -> ratio to tCr; metabolite -> such ratios of concentrations alone; metabolite -> SD / mean inside the groups. Healthy adults."""
    groups: dict[tuple[str, str], dict[str, dict[str, float]]] = collections.defaultdict(
        lambda: collections.defaultdict(dict)
    )
    inside: dict[str, list[float]] = collections.defaultdict(list)
    for row in rows:
        name = NAMES.get(row["Name"].strip())
        group = row["Group"].strip()
        if name is None or not HEALTHY.match(group) or NOT_ADULT.search(group):
            continue
        for unit in ("tCr", "mM", "IU"):
            value, spread = _number(row[f"{unit}_u"]), _number(row[f"{unit}_std"])
            if value > 0:
                groups[row["Reference"], row["ID"]].setdefault(unit, {})[name] = value
                if 0 < spread < value:
                    inside[name].append(spread / value)
    out: dict[tuple[str, str], dict[str, float]] = {}
    molar: dict[str, list[float]] = collections.defaultdict(list)
    for key, units in groups.items():
        found: dict[str, float] = {}
        for unit in ("IU", "mM", "tCr"):  # a ratio that was reported takes the place of one that is computed
            reference = 1.0 if unit == "tCr" else units.get(unit, {}).get("tCr", float("nan"))
            for name, value in units.get(unit, {}).items():
                if name != "tCr" and 0.001 < value / reference < 20:
                    found[name] = value / reference
                    if unit == "mM":
                        molar[name].append(value / reference)
        if found:
            out[key] = found
    return out, molar, inside


def _write(path: Path, header: list[str], rows) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    rank = lambda x: np.argsort(np.argsort(x))  # noqa: E731
    return float(np.corrcoef(rank(a), rank(b))[0, 1])


def main(folder: Path, out: Path) -> None:
    found, molar, inside = ratios(_rows(folder / "Values_Concentrations.csv"))
    by_name = collections.defaultdict(list)
    for values in found.values():
        for name, value in values.items():
            by_name[name].append(value)
    by_name |= {name: x for name, x in molar.items() if len(x) >= ENOUGH}
    absolute = [
        _number(r["mM_u"])
        for r in _rows(folder / "Values_Concentrations.csv")
        if r["Name"].strip() == "tCr"
        and HEALTHY.match(r["Group"])
        and not NOT_ADULT.search(r["Group"])
        and _number(r["mM_u"]) > 0
    ]
    by_name["tCr"] = absolute
    table = []
    for name in sorted(by_name):
        x = np.log(by_name[name])
        if len(x) < 5:
            continue
        low, middle, high = np.percentile(x, [25, 50, 75])
        unit = "mmol/L" if name == "tCr" else "ratio to tCr"
        cv = np.median(inside[name]) if inside[name] else np.nan
        table.append([name, unit, len(x), f"{np.exp(middle):.4g}", f"{(high - low) / 1.349:.3f}", f"{cv:.3f}"])
    _write(out / "concentrations.csv", ["metabolite", "unit", "groups", "median", "log_sd_between", "cv_inside"], table)

    names = [row[0] for row in table if row[0] != "tCr"]
    pairs = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            both = np.array([(v[first], v[second]) for v in found.values() if first in v and second in v])
            if len(both) >= PAIRS:
                score = 2 * np.sin(np.pi / 6 * _spearman(both[:, 0], both[:, 1]))
                pairs.append([first, second, len(both), f"{score:.2f}"])
    _write(out / "correlations.csv", ["first", "second", "groups", "correlation"], pairs)

    pooled = {(r["Metabolite"], r["Units"], r["Groups"]): r for r in _rows(folder / "Results_Healthy_All_Groups.csv")}
    ages = []
    for (name, unit, age), row in pooled.items():
        adult = pooled.get((name, unit, "Norm"))
        if unit == "Cr" and age != "Norm" and adult and min(int(row["N"]), int(adult["N"])) >= 5:
            ages.append([NAMES[name], age, row["N"], f"{float(row['Mean']) / float(adult['Mean']):.3f}"])
    _write(out / "ages.csv", ["metabolite", "age", "groups", "factor_on_ratio"], ages)
    clinical = [
        [NAMES[r["Metabolite"]], r["Groups"], r["N"], f"{float(r['Mean']):.3f}", f"{float(r['StdDev']):.3f}"]
        for r in _rows(folder / "Results_Concentration_Clinical.csv")
        if r["Metabolite"] in NAMES and int(r["N"]) >= 3
    ]
    _write(out / "conditions.csv", ["metabolite", "condition", "groups", "factor", "sd"], clinical)

    tissue = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in _rows(folder / "Values_Concentrations.csv"):
        if match := re.match(r"Control [<>]40 (GM|WM)", row["Group"]):
            tissue[NAMES[row["Name"].strip()]][match[1]].append(_number(row["mM_u"]))
    contrast = [
        ["tCho" if n == "GPC" else n, f"{np.mean(x['GM']) / np.mean(x['WM']):.3f}"] for n, x in sorted(tissue.items())
    ]
    _write(out / "tissue.csv", ["metabolite", "grey_over_white"], contrast)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent / "data")
