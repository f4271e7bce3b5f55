"""The model of a file: what its basis and its options leave open is chosen by Akaike's criterion, once for all of its spectra."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Complex

from mrsjax.core.basis import BasisSet
from mrsjax.core.metabolites import is_nuisance
from mrsjax.core.sampling import Sampling
from mrsjax.inference.selection import choose
from mrsjax.physics import SignalModel, default_model

#: Effective baseline dimensions for each ppm among which `baseline="auto"` chooses.
STIFFNESSES = (1.5, 2.5, 4.0, 6.0)


def model_of_file(
    basis: BasisSet, sampling: Sampling, spectra: Complex[np.ndarray, "s n"], options: Mapping[str, Any]
) -> tuple[SignalModel, tuple[str, ...]]:
    """The default model with `options`, and what to say of the choices made.

    A basis with macromolecules of its own: those or ours, unless `options` say. `baseline="auto"`: one of `STIFFNESSES` (after Wilson 2021, who
    chooses for each spectrum).

    **Raises:** what `physics.default_model` raises.
    """
    own = any(is_nuisance(n) for n in basis.names)
    kinds = ("parametric", "basis") if own else ("parametric",)
    kinds = (options["macromolecules"],) if "macromolecules" in options else kinds
    asked = options.get("baseline", "default")
    baselines = STIFFNESSES if asked == "auto" else (asked,)
    tried = [{**options, "macromolecules": k, "baseline": b} for k in kinds for b in baselines]
    choice = choose([default_model(basis, sampling, **o) for o in tried], spectra)
    if len(tried) == 1:
        return choice.model, ()
    taken = tried[choice.index]
    rest = "; ".join(f"{_words(o)} {value:.1f}" for o, value in zip(tried, choice.criterion, strict=True))
    return choice.model, (f"Chosen by Akaike's criterion / 2 (smaller is better): {_words(taken)}. Tried: {rest}.",)


def _words(options: Mapping[str, Any]) -> str:
    source = {"parametric": "our macromolecules", "basis": "the basis' macromolecules", "off": "no macromolecules"}
    return f"{source[options['macromolecules']]}, baseline {options['baseline']}"
