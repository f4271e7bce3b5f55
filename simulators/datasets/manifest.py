"""What a data set is: recipe, constants, seed, versions, arrays. Compared before anything is added to a folder."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from simulators.datasets.recipe import Recipe

FORMAT = "mrsjax-artificial-4"


def _constants(simulator) -> str:
    """SHA-256 of every number that the simulator draws with: basis, priors, grid; in no order, since that of numpyro's leaves changes from process to process."""
    leaves = [np.ascontiguousarray(leaf) for leaf in jax.tree.leaves(simulator)]
    each = sorted(hashlib.sha256(f"{x.dtype} {x.shape} ".encode() + x.tobytes()).hexdigest() for x in leaves)
    return hashlib.sha256("".join(each).encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def manifest_of(recipe: Recipe, count: int, seed: int, shard: int, layout) -> dict[str, Any]:
    """The manifest; `layout`: shape of one sample's part and dtype of each array."""
    sampling = recipe.simulator.sampling
    return {
        "format": FORMAT,
        "recipe": recipe.name,
        "recipe_sha256": hashlib.sha256(recipe.text.encode()).hexdigest(),
        "basis and constants": _constants(recipe.simulator),
        "seed": seed,
        "count": count,
        "shard": shard,
        "mrsjax": _version("mrsjax"),
        "jax": jax.__version__,
        "numpyro": _version("numpyro"),
        "platform": jax.default_backend(),
        "amplitudes": list(getattr(getattr(recipe.simulator, "model", None), "names", ())),
        "dwell_time_s": float(sampling.dwell_time),
        "central_frequency_hz": float(sampling.central_frequency),
        "ppm_ref": float(sampling.ppm_ref),
        "arrays": {k: {"shape": [count, *shape], "dtype": dtype} for k, (shape, dtype) in layout.items()},
    }


def compare(folder: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """**Raises:** `ValueError` where two manifests are not of one data set."""
    keys = (
        "format", "recipe", "recipe_sha256", "basis and constants", "seed", "count", "shard", "mrsjax", "jax", "numpyro", "platform", "arrays",
    )  # fmt: skip
    for key in keys:
        if found.get(key) != wanted[key]:
            what = "" if key == "arrays" else f" {found.get(key)!r}, this is {wanted[key]!r}"
            raise ValueError(f"{folder}: holds a data set of another {key}{what}; choose another folder")
