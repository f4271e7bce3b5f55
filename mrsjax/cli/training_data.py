"""What `mrsjax train` draws its spectra from: a recipe, a data set of `mrsjax simulate`, or measured spectra."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from mrsjax import io
from mrsjax.core import BasisSet, Sampling
from mrsjax.data import default_basis
from mrsjax.nn import Measured
from simulators.datasets import recipe
from simulators.datasets.stored import stored

#: Part of a finite set that is held out for validation: its last spectra.
HELD_OUT = 0.1


class Source(NamedTuple):
    """Spectra to train on and to validate on, the network's basis and sampling, and `about` them for the model card."""

    simulator: Any
    validation: Any
    basis: BasisSet
    sampling: Sampling
    about: dict[str, Any]


def source(given: Mapping[str, Any]) -> Source:
    """The `Source` of a configuration.

    **Raises:** `ValueError` naming the file and what is wrong with it.
    """
    if "data" in given:
        return _measured(given["data"], given.get("basis"))
    if "dataset" in given:
        made, whole = stored(given["dataset"])
        count = len(whole.fids)
        kept = _kept(given["dataset"], count)
        simulator, validation = whole.rows(0, kept), whole.rows(kept, count)
    else:
        made = recipe(given["recipe"])
        simulator = validation = made.spectra
    assert made.basis is not None  # recipes of spectra have one
    about: dict[str, Any] = {"recipe": {"name": made.name, "text": made.text}}
    if "dataset" in given:
        about["dataset"] = _digest(whole.fids)
    return Source(simulator, validation, made.basis, made.spectra.model.sampling, about)


def _measured(path: str, basis: str | None) -> Source:
    fids = io.read(path)
    if "DIM_COIL" in fids.dims:
        raise ValueError(f"{path}: wanted combined coils, found a DIM_COIL dimension")
    spectra = np.asarray(fids.spectra, np.complex64)
    spectra = spectra[np.isfinite(spectra).all(axis=1) & (np.abs(spectra).max(axis=1) > 0)]
    kept = _kept(path, len(spectra))
    about = {"recipe": {"name": f"measured spectra of {Path(path).name}"}, "data": _digest(spectra)}
    train, held_out = (Measured(jnp.asarray(x)) for x in (spectra[:kept], spectra[kept:]))
    return Source(train, held_out, default_basis() if basis is None else io.read_basis(basis), fids.sampling, about)


def _kept(place: str, count: int) -> int:
    if count < 2:
        raise ValueError(f"{place}: wanted at least 2 spectra, one of them for validation, found {count}")
    return count - max(1, int(HELD_OUT * count))


def _digest(fids: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(fids).tobytes()).hexdigest()
