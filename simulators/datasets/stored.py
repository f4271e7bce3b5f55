"""A data set in files as a simulator: training that draws from what was written once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Key

from mrsjax.core import Sample
from mrsjax.physics import SignalModel
from simulators.datasets.recipe import Recipe, recipe
from simulators.datasets.store import open_arrays


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


def stored(folder: str | Path) -> tuple[Recipe, Stored]:
    """The recipe of a data set of single spectra, and its spectra with amplitudes and parameters.

    **Raises:** `ValueError` for a folder without a data set, an unfinished one, and for images or shims.
    """
    folder = Path(folder)
    if not (folder / "manifest.json").is_file():
        raise ValueError(f"{folder}: wanted a data set of mrsjax simulate, found none")
    made = recipe(folder / "recipe.yaml")
    model = made.spectra.model
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
