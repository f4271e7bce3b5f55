"""What a data set is: recipe, constants, seed, versions, arrays. Compared before anything is added to a folder."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np

from simulators.datasets.recipe import Recipe

FORMAT = "mrsjax-artificial-4"
#: What to do where a set's recipe does not make its model.
GIVE = "give stored(folder, basis=..., sampling=...) what it was written with"


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
    arrays = {k: {"shape": [count, *shape], "dtype": dtype} for k, (shape, dtype) in layout.items()}
    return {"format": FORMAT, "seed": seed, "count": count, "shard": shard, **_source(recipe), "arrays": arrays}


def _source(recipe: Recipe) -> dict[str, Any]:
    """What draws the samples, here and now."""
    sampling = recipe.simulator.sampling
    return {
        "recipe": recipe.name,
        "recipe_sha256": hashlib.sha256(recipe.text.encode()).hexdigest(),
        "basis and constants": _constants(recipe.simulator),
        "mrsjax": _version("mrsjax"),
        "jax": jax.__version__,
        "numpyro": _version("numpyro"),
        "platform": jax.default_backend(),
        "amplitudes": list(getattr(getattr(recipe.simulator, "model", None), "names", ())),
        "dwell_time_s": float(sampling.dwell_time),
        "central_frequency_hz": float(sampling.central_frequency),
        "ppm_ref": float(sampling.ppm_ref),
    }


def check_model(folder: Path, found: dict[str, Any], recipe: Recipe) -> None:
    """Whether a recipe is the one that a manifest's data were drawn from.

    Constants are compared bit by bit where versions and device are the manifest's; others may round a basis differently, so that there a difference is only logged.

    **Raises:** `ValueError` naming what differs.
    """
    here = _source(recipe) | {"points": recipe.simulator.sampling.n_points}
    there = found | {"points": found["arrays"]["data"]["shape"][-1]}
    for key in ("points", "dwell_time_s", "central_frequency_hz", "ppm_ref", "amplitudes", "recipe_sha256"):
        if here[key] != there[key]:
            raise ValueError(f"{folder}: {key}: wanted {there[key]}, its recipe makes {here[key]}; {GIVE}")
    if here["basis and constants"] == there["basis and constants"]:
        return
    versions = ("mrsjax", "jax", "platform")
    if all(here[k] == there[k] for k in versions):
        raise ValueError(f"{folder}: written with another basis or other priors than its recipe makes; {GIVE}")
    of = lambda x: ", ".join(f"{k} {x[k]}" for k in versions)  # noqa: E731
    logging.getLogger(__name__).warning(
        "%s: written by %s, its recipe read by %s: constants differ", folder, of(there), of(here)
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a data set.

    **Raises:** `ValueError` for a folder without one.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise ValueError(f"{folder}: wanted a data set of mrsjax simulate, found none")
    return json.loads(path.read_text(encoding="utf-8"))


def compare(folder: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """**Raises:** `ValueError` where two manifests are not of one data set."""
    keys = (
        "format", "recipe", "recipe_sha256", "basis and constants", "seed", "count", "shard", "mrsjax", "jax", "numpyro", "platform", "arrays",
    )  # fmt: skip
    for key in keys:
        if found.get(key) != wanted[key]:
            what = "" if key == "arrays" else f" {found.get(key)!r}, this is {wanted[key]!r}"
            raise ValueError(f"{folder}: holds a data set of another {key}{what}; choose another folder")
