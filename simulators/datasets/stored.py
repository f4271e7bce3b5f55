"""A data set in files as a simulator: training that draws from what was written once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Key

from mrsjax.core import BasisSet, Sample, Sampling
from mrsjax.io import read_basis
from mrsjax.io.errors import FormatError
from mrsjax.physics import SignalModel
from simulators.datasets.manifest import GIVE, check_model, read_manifest
from simulators.datasets.recipe import Recipe, recipe
from simulators.datasets.store import KEPT_BASIS, open_arrays


class Stored(eqx.Module):
    """Written spectra with their truth: `sample` picks one at random. All are in the device's memory."""

    fids: Complex[Array, "s n"]
    truth: dict[str, Any]
    model: SignalModel

    def sample(self, key: Key[Array, ""]) -> Sample:
        row = jax.random.randint(key, (), 0, self.fids.shape[0])
        return Sample(self.fids[row], jax.tree.map(lambda x: x[row], self.truth), {"row": row})

    def rows(self, first: int, last: int) -> Stored:
        """Spectra `first` to `last` - 1."""
        fids, truth = jax.tree.map(lambda x: x[first:last], (self.fids, self.truth))
        return Stored(fids, truth, self.model)


def stored(
    folder: str | Path, *, basis: BasisSet | Mapping[str, BasisSet] | None = None, sampling: Sampling | None = None
) -> tuple[Recipe, Stored]:
    """The recipe of a data set of single spectra, and its spectra with amplitudes and parameters.

    `basis`, `sampling`: those that `recipe` was given when the set was written; a basis file that the recipe names is kept in the set.

    **Raises:** `ValueError` for a folder without a data set, an unfinished one, one that was written with another basis or sampling, and for images or shims.
    """
    folder = Path(folder)
    found = read_manifest(folder)
    if basis is None and (folder / KEPT_BASIS).is_dir():
        basis = read_basis(next((folder / KEPT_BASIS).iterdir()))
    try:
        made = recipe(folder / "recipe.yaml", basis=basis, sampling=sampling)
    except FormatError as error:  # the recipe's basis, which is not kept where another was given
        raise ValueError(f"{error}; {GIVE}") from None
    model = made.spectra.model
    check_model(folder, found, made)
    truth: dict[str, Any] = {}
    arrays = open_arrays(folder)
    fids = np.asarray(arrays["data"][:])
    if not np.isfinite(fids).all():
        raise ValueError(f"{folder}: holds spectra that are not written yet; finish it with mrsjax simulate")
    for name in [n for n in arrays if n.startswith("truth.")]:
        *path, last = name.split(".")[1:]
        place = truth
        for step in path:
            place = place.setdefault(step, {})
        place[last] = jnp.asarray(arrays[name][:])
    return made, Stored(jnp.asarray(fids), truth, model)
