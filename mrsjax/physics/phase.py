"""Zero- and first-order phase."""

import math

import equinox as eqx
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import cis, exponentials
from mrsjax.core.parameters import Parameter


class Phase(eqx.Module):
    """exp(i (phase_zero + 2 pi (f - f_pivot) delay)).

    `phase_zero` in rad at the pivot; `delay` in s (the time between the origin of the echo and the first point: first-order phase is
    360 degrees x delay for each Hz). The pivot, the middle of the fit window, makes the two nearly independent.
    """

    delay_sd: float = eqx.field(static=True, default=1e-4)

    def parameters(self) -> dict[str, Parameter]:
        return {
            "phase_zero": Parameter(0.0, unit="rad"),
            "delay": Parameter(0.0, lower=-2e-3, upper=2e-3, sd=self.delay_sd, unit="s"),
        }

    def __call__(
        self, values: dict[str, Array], frequency: Float[Array, " k"], pivot: Float[Array, ""]
    ) -> Complex[Array, " k"]:
        """The phase factor on a uniform grid of frequencies (Hz)."""
        first = cis(values["phase_zero"] + 2 * math.pi * (frequency[0] - pivot) * values["delay"])
        step = frequency[1] - frequency[0]
        return first * exponentials(2j * math.pi * values["delay"], step, frequency.shape[0])

    def jacobian(
        self, fit: Complex[Array, " k"], frequency: Float[Array, " k"], pivot: Float[Array, ""]
    ) -> dict[str, Complex[Array, " k"]]:
        """Derivatives of a phased spectrum `fit` with respect to each parameter."""
        return {"phase_zero": 1j * fit, "delay": 2j * math.pi * (frequency - pivot) * fit}
