"""Concentrations of the human brain from the package's tables (`derive.py`; Gudmundson 2023 and its references)."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from mrsjax.core.metabolites import SUMS, canonical

T = TypeVar("T")

#: What the tables give as sums, split: modelling choices (no median of the parts is in the tables, or they disagree with the sum).
SPLIT = {"tCr": {"Cr": 0.55, "PCr": 0.45}, "tCho": {"GPC": 0.67, "PCh": 0.33}, "tNAA": {"NAA": 0.88, "NAAG": 0.12}}
#: Ratio to tCr and spread of what the tables do not have: modelling choices.
OTHERS = {"Ala": (0.05, 0.4)}
#: Grey over white matter: of glycine Banerjee 2012 (1.1 and 0.1 mmol/L); what has no entry goes with total creatine.
GREY_OVER_WHITE = {"Gly": 11.0}
#: Between-group spreads are mostly differences of method; above this they say nothing of brains (a modelling choice).
LARGEST_SPREAD = 0.25


@dataclasses.dataclass(frozen=True)
class Concentrations:
    """Log-normal concentrations: `median` (m,) mmol/L, `log_sd` (m,), `correlation` (m, m) of the logarithms, for `names`."""

    names: tuple[str, ...]
    median: Float[np.ndarray, " m"]
    log_sd: Float[np.ndarray, " m"]
    correlation: Float[np.ndarray, "m m"]


def table(name: str) -> list[dict[str, str]]:
    """Rows of a derived table: "concentrations", "correlations", "ages", "conditions", "tissue"."""
    text = resources.files("simulators.tissue").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def conditions() -> tuple[str, ...]:
    """Names of the conditions that the tables have factors for."""
    return tuple(sorted({row["condition"] for row in table("conditions")}))


def known() -> tuple[str, ...]:
    """Names that `brain` has concentrations of."""
    rows = [row["metabolite"] for row in table("concentrations")]
    return (*(part for parts in SPLIT.values() for part in parts), *(r for r in rows if r not in SPLIT), *OTHERS)


def brain(
    names: tuple[str, ...],
    *,
    fractions: tuple[float, float, float] = (0.6, 0.4, 0.0),
    condition: str | None = None,
    age: str | None = None,
    between: float = LARGEST_SPREAD,
) -> Concentrations:
    """Concentrations in a voxel.

    - `names`: metabolites.
    - `fractions`: of grey matter, white matter and CSF, sum 1. CSF is taken to hold none (a modelling choice), so that it dilutes.
    - `condition`: one of `conditions()`: its pooled factor on the healthy level; `age`: "Inft", "Adol" or "Aged": factors on the ratio to tCr.

    The medians are those of healthy adults over the literature, taken as a voxel of 60 % grey matter. `log_sd` adds, in quadrature, the spread inside the
    published groups and that between them (not above `between`; 0: people of one site), and the condition's. Parts of one sum have the factors of its row: tCho's for GPC
    and PCh, also where a table has a row of GPC alone, so that the sum moves as published.

    tCr is drawn on its own and not shared by the ratios: log(tNAA / tCr) spreads by both of their `log_sd`.

    **Raises:** `ValueError` for an unknown metabolite, condition or age, or fractions that do not add up to 1.
    """
    if abs(sum(fractions) - 1) > 1e-6 or min(fractions) < 0:
        raise ValueError(f"fractions: wanted three that add up to 1, found {fractions}")
    if condition is not None and condition not in conditions():
        raise ValueError(f"condition: wanted one of {', '.join(conditions())}, found {condition!r}")
    ages = sorted({row["age"] for row in table("ages")})
    if age is not None and age not in ages:
        raise ValueError(f"age: wanted one of {', '.join(ages)}, found {age!r}")
    rows = {row["metabolite"]: row for row in table("concentrations")}
    contrast = _contrast()
    sick = {
        r["metabolite"]: (float(r["factor"]), float(r["sd"]))
        for r in table("conditions")
        if r["condition"] == condition
    }
    older = {r["metabolite"]: float(r["factor_on_ratio"]) for r in table("ages") if r["age"] == age}
    creatine = float(rows["tCr"]["median"])
    medians, spreads, keys = [], [], []
    for asked in names:
        name = canonical(asked)
        key = _key(name, rows)
        if key is None:
            raise ValueError(f"names: no concentration of {asked}; wanted some of {', '.join([*rows, *OTHERS])}")
        ratio, spread = _ratio(key, rows, between)
        median = creatine * ratio * SPLIT.get(key, {}).get(name, 1.0)
        median *= _of(older, name, key, 1.0) * _tissue(_of(contrast, name, key, contrast["tCr"]), fractions)
        factor, sd = _of(sick, name, key, (1.0, 0.0))
        medians.append(median * factor)
        spreads.append(math.hypot(spread, sd / factor))
        keys.append(key)
    return Concentrations(tuple(names), np.array(medians), np.array(spreads), _correlation(names, keys))


def shares(names: tuple[str, ...], fractions: tuple[float, float, float]) -> Float[np.ndarray, "2 m"]:
    """Parts of each metabolite's amount in a voxel that lie in its grey and its white matter, sum 1."""
    rows, contrast = {row["metabolite"]: row for row in table("concentrations")}, _contrast()
    keys = [(name, _key(name, rows) or name) for name in map(canonical, names)]
    over = np.array([_of(contrast, name, key, contrast["tCr"]) for name, key in keys])
    parts = np.stack([fractions[0] * over, np.full(len(names), fractions[1])])
    return parts / parts.sum(0)


def _contrast() -> dict[str, float]:
    return {r["metabolite"]: float(r["grey_over_white"]) for r in table("tissue")} | GREY_OVER_WHITE


def _key(name: str, rows: Mapping[str, dict]) -> str | None:
    """The row that a metabolite is taken from: its sum where that is reported by far more groups, else its own."""
    for total, parts in SPLIT.items():
        if name in parts:
            return total
    return name if name in rows or name in OTHERS else None


def _ratio(key: str, rows: Mapping[str, dict], most: float) -> tuple[float, float]:
    if key in OTHERS:
        return OTHERS[key]
    row = rows[key]
    between = min(float(row["log_sd_between"]), most)
    return 1.0 if key == "tCr" else float(row["median"]), math.hypot(between, float(row["cv_inside"]))


def _of(factors: Mapping[str, T], name: str, key: str, otherwise: T) -> T:
    """A factor of the row that the level is from (tNAA for NAA and NAAG alike), of the metabolite, of its sum (Glx for Glu), or none."""
    sums = [total for total, parts in SUMS.items() if name in parts]
    return next((factors[n] for n in (key, name, *sums) if n in factors), otherwise)


def _tissue(grey_over_white: float, fractions: tuple[float, float, float]) -> float:
    """Level in a voxel over that in 60 % grey and 40 % white matter."""
    gm, wm, _ = fractions
    return (gm * grey_over_white + wm) / (0.6 * grey_over_white + 0.4)


def _correlation(names, keys) -> Float[np.ndarray, "m m"]:
    """Correlations of the table by row, 0.9 between the parts of one sum, made positive definite by clipping its eigenvalues."""
    known = {}
    for row in table("correlations"):
        known[row["first"], row["second"]] = known[row["second"], row["first"]] = float(row["correlation"])
    m = len(names)
    out = np.eye(m)
    for i in range(m):
        for j in range(i):
            out[i, j] = out[j, i] = 0.9 if keys[i] == keys[j] else known.get((keys[i], keys[j]), 0.0)
    values, vectors = np.linalg.eigh(out)
    out = (vectors * np.maximum(values, 0.05)) @ vectors.T
    size = np.sqrt(np.diag(out))
    return out / np.outer(size, size)
