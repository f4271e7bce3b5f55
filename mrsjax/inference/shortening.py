"""How much of the data and of the model the iterations of a fit need (physics.decimation has the short models)."""

import numpy as np
from jaxtyping import Bool, Float

from mrsjax.physics.model import SignalModel

#: Parts of the signal's and of the noise's energy: a second half of the FIDs that holds less than one of them is left out of the iterations.
NEGLIGIBLE = (1e-3, 0.1)
#: Time by which lines of brain have decayed, s (3 Hz: to 0.14 % of the energy). A shorter half is always needed: weak spectra do not show what it holds.
DECAY_TIME = 0.35
#: Error of a spectrum by `decimated`, relative, without and with a baseline that takes up its smooth part.
DECIMATION_ERROR = (1.2e-3, 7e-5)


def is_long(half: SignalModel) -> bool:
    """Whether the lines have decayed in the first half of the FIDs."""
    return half.sampling.n_points * float(half.sampling.dwell_time) > DECAY_TIME


def first_half_is_enough(half: SignalModel, signal: Float[np.ndarray, " s"], late: Float[np.ndarray, " s"]) -> bool:
    """Whether the second half of all FIDs is noise. `half`: the model of the first; `signal`, `late`: energy of the signal in the window, and of what the
    second half adds, over the noise's energy of one point."""
    points = half.window[1] - half.window[0]
    return bool(is_long(half) and late.sum() < max(NEGLIGIBLE[0] * signal.sum(), NEGLIGIBLE[1] * late.size * points))


def decimation_is_seen(model: SignalModel, signal: Float[np.ndarray, " s"], tolerance: float) -> Bool[np.ndarray, " s"]:
    """Spectra so strong that the error of the decimated model is more than `tolerance` of chi^2 / 2."""
    return signal * DECIMATION_ERROR[model.baseline.columns.shape[1] > 0] ** 2 > tolerance
