"""How finely couplings are resolved within a pulse."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Number of nodes at which a shaped pulse sees the couplings.

        nodes = ceil(base + rate * T * sqrt((spread f0)^2 + B1^2))

    T is the duration (s), B1 the pulse's largest amplitude (Hz), spread the range of chemical shifts that matter (ppm)
    times the spectrometer frequency f0: what has to be followed is the precession of spins relative to each other,
    about effective fields that differ in length and direction. `exact=True` takes the full Hamiltonian of every sample
    instead (slow; the oracle). docs/simulation.md holds the measured error of the named settings.
    """

    base: float = 3.0
    rate: float = 2.5
    spread: float = 4.0
    exact: bool = False

    def nodes(self, duration: float, amplitude: float, central_frequency: float) -> int:
        """Nodes for a pulse of `duration` s and largest `amplitude` Hz at `central_frequency` Hz."""
        cycles = duration * math.hypot(self.spread * 1e-6 * central_frequency, amplitude)
        return max(2, math.ceil(self.base + self.rate * cycles))


FAST = Accuracy(base=2.0, rate=1.2)
STANDARD = Accuracy()
FINE = Accuracy(base=6.0, rate=3.5)
EXACT = Accuracy(exact=True)
