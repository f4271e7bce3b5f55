"""What an artefact is: a pure step that changes a signal and says what it did."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Complex, Float, Key

from mrsjax.core import Sampling


class Scene(eqx.Module):
    """What an artefact may know of the spectrum that it is added to.

    - `sampling`: grid of the last axis, single precision.
    - `area`: |s(0)| of the metabolites, the size that strengths are relative to.
    - `shift`: frequency offset of the whole spectrum, Hz.
    """

    sampling: Sampling
    area: Float[Array, ""]
    shift: Float[Array, ""]


class Artefact(eqx.Module):
    """One disturbance. `name` is its key in `Sample.labels`."""

    name: eqx.AbstractVar[str]

    @abc.abstractmethod
    def __call__(
        self, data: Complex[Array, "*s n"], scene: Scene, *, key: Key[Array, ""]
    ) -> tuple[Complex[Array, "*t n"], dict[str, Any]]:
        """The disturbed signal and its label.

        A label holds what was drawn (with the unit in the docstring of the class) and, for what is added, "signal": data - signal undoes it.
        """
