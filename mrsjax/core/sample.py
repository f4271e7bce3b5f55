"""What a source of training data gives: artificial or measured signals with what is known of them."""

from typing import Any, NamedTuple, Protocol

from jaxtyping import Array, Complex, Key


class Sample(NamedTuple):
    """One drawn signal, or a batch of them under `vmap`.

    - `data`: the signal as a network or a fit gets it, FID(s) `(..., n)`.
    - `truth`: what is to be found, by name ("amplitudes", parameters of the model, the clean signal), PyTree of arrays.
    - `labels`: what else was added and how much, by name of the artefact, PyTree of arrays.
    """

    data: Complex[Array, "..."]
    truth: dict[str, Any]
    labels: dict[str, Any]


class Simulator(Protocol):
    """Anything that draws samples: an artificial generator, or measured spectra standing in for one."""

    def sample(self, key: Key[Array, ""]) -> Sample:
        """One sample; pure, so that it can be jitted and vmapped over keys."""
        ...
