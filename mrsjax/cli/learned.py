"""A trained network as a method of analysis."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrsjax.analysis import Method
from mrsjax.cli import inputs
from mrsjax.cli.settings import FitSettings
from mrsjax.nn import distances, load, predict
from mrsjax.nn.prediction import fit_model


def inputs_of(settings: FitSettings, path: str) -> tuple[inputs.Inputs, list[dict[str, str]]]:
    """The files of a prediction: data beside the network's own basis.

    **Raises:** `ValueError` when the network was not made for these data.
    """
    saved = load(path)
    given = inputs.load(settings, saved.basis)
    saved.check(given.fids.sampling)
    return given, inputs.fingerprints(settings)


def method_of(path: str, given: inputs.Inputs, iterations: int) -> Method:
    """The network's `Method`, with a note on spectra that are unlike its training data."""
    saved = load(path)
    card = saved.card
    name = card["network"]["encoder"].get("name", "mlp")
    own = card["network"]["amplitudes"] == "network"
    then = (
        "amplitudes by the network"
        if own
        else f"{iterations} fit steps from its estimate"
        if iterations
        else "exact amplitudes at its estimate"
    )
    recipe = (
        card.get("recipe", {}).get("name", "unknown")
        if isinstance(card.get("recipe"), dict)
        else card.get("recipe", "unknown")
    )
    fids = np.asarray(given.fids.spectra)
    far = distances(saved.familiarity, saved.network.inputs, fids)
    unlike = np.flatnonzero(far > 1)
    notes = [f"Estimates by a network ({name}, trained on recipe {recipe}), {then}."]
    if len(unlike):
        shown = ", ".join(f"{i} ({far[i]:.1f})" for i in unlike[:10]) + (", ..." if len(unlike) > 10 else "")
        notes.append(
            f"{len(unlike)} of {len(fids)} spectra are unlike the network's training data (distance above 1, its 99 % quantile): {shown}. "
            "Compare them with mrsjax fit."
        )

    def estimate(spectra: np.ndarray, progress: Any):
        return predict(saved, spectra, given.fids.sampling, iterations=iterations, progress=progress)

    return Method(fit_model(saved), estimate, f"a network ({name}), {then}", tuple(notes))
