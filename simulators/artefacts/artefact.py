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

    def passed(self, signal: Complex[Array, " n"], label: dict[str, Any]) -> Complex[Array, " n"]:
        """What this step makes of a "signal" that an earlier one added, by this step's label.

        Eddy currents and truncation do to it what they do to the data, so that data - signal undoes the earlier step also behind them. Transients, scatter and coils leave it as it was
        added (it would become as large as the data): undo them first, by their labels, the last one first.
        """
        return signal
