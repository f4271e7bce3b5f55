"""The model of a file: what its basis and its options leave open is chosen by Akaike's criterion, once for all of its spectra."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Complex

from mrsjax.core.basis import BasisSet
from mrsjax.core.metabolites import is_macromolecule
from mrsjax.core.sampling import Sampling
from mrsjax.inference.selection import choose
from mrsjax.physics import SignalModel, default_model

#: Effective baseline dimensions for each ppm among which `baseline="auto"` chooses.
STIFFNESSES = (1.5, 2.5, 4.0, 6.0)

#: Priors of own shifts and widths (Hz) that leave the metabolites one line, in the same compiled program as wider ones.
RIGID = {"own_shift": 0.02, "own_width": 0.01}


def model_of_file(
    basis: BasisSet,
    sampling: Sampling,
    spectra: Complex[np.ndarray, "s n"],
    options: Mapping[str, Any],
    say: Callable[[str], None] | None = None,
    noise_sd: float | None = None,
) -> tuple[SignalModel, tuple[str, ...]]:
    """The default model with `options`, and what to say of the choices made.

    Chosen one after the other, each with what was chosen before: macromolecules (those of the basis, where it has any, or ours); the stiffness of the
    baseline (`baseline="auto"`, the default here: one of `STIFFNESSES`, after Wilson 2021, who chooses for each spectrum); whether the metabolites have
    shifts and widths of their own. What `options` say is not touched. `say` is told before a choice is made. `noise_sd`: of
    spectra that do not show it any more, as in `inference.fit`.

    **Raises:** what `physics.default_model` raises.
    """
    taken = dict(options)
    rounds: list[list[dict[str, Any]]] = []
    if "macromolecules" not in options and any(is_macromolecule(n) for n in basis.names):
        rounds.append([{"macromolecules": "parametric"}, {"macromolecules": "basis"}])
    if taken.setdefault("baseline", "auto") == "auto":
        taken["baseline"] = "default"
        rounds.append([{"baseline": b} for b in STIFFNESSES])
    if not {"own_shift", "own_width"} & options.keys():
        rounds.append([{}, RIGID])
    said = []
    if rounds and say is not None:
        say("choosing the model")
    for changes in rounds:
        choice = choose([default_model(basis, sampling, **(taken | c)) for c in changes], spectra, noise_sd=noise_sd)
        if not np.isfinite(choice.criterion).any():
            continue  # no spectrum can be fitted: nothing was learned
        words = [_words(c) for c in changes]
        tried = "; ".join(f"{w} {value:.1f}" for w, value in zip(words, choice.criterion, strict=True))
        said.append(f"Chosen by Akaike's criterion / 2 (smaller is better): {words[choice.index]}. Tried: {tried}.")
        taken |= changes[choice.index]
    return default_model(basis, sampling, **taken), tuple(said)


def _words(change: Mapping[str, Any]) -> str:
    if "macromolecules" in change:
        return {"parametric": "our macromolecules", "basis": "the basis' macromolecules"}[change["macromolecules"]]
    if "baseline" in change:
        return f"baseline {change['baseline']}"
    return "one line for all metabolites" if change else "own shifts and widths"
