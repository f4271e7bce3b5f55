"""Where the spins are: default positions for the gradient axes of a sequence."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from mrsjax.core import Sampling
from simulators.spins.events import Sequence, _known
from simulators.spins.isotopes import gamma_bar
from simulators.spins.profiles import bandwidth
from simulators.spins.pulses import ShapedPulse

#: Range of positions in slice thicknesses: the slice, its transition bands, and the displacement of other shifts.
FIELD_OF_VIEW = 1.6


def spread(extent: float, count: int) -> np.ndarray:
    """`count` equally spaced midpoints over `extent` metres around 0."""
    return (np.arange(count) + 0.5) / count * extent - extent / 2


def default_positions(sequence: Sequence, sampling: Sampling, count: int) -> dict[str, Array]:
    """`count` positions along each axis, over the slice, its edges and what chemical shift displaces.

    The extent is 1.6 slice thicknesses of the axis' widest pulse plus the displacement over 4 ppm. Along an axis whose
    pulses have no gradient all positions are 0 m.

    **Raises:** `ValueError` when a gradient or waveform is traced: give positions in metres then.
    """
    out = {}
    for axis in sequence.axes:
        extent = 0.0
        for event in sequence.events:
            if not isinstance(event, ShapedPulse) or event.axis != axis:
                continue
            gradient, frequency = _known(event.gradient), _known(sampling.central_frequency)
            if gradient is None or frequency is None or _known(event.waveform.duration) is None:
                raise ValueError(
                    f"positions: the pulse along {axis} is traced, so its slice is not known; give positions in m"
                )
            if gradient != 0.0:
                hertz = FIELD_OF_VIEW * bandwidth(event.waveform) + 4e-6 * frequency
                extent = max(extent, hertz / abs(gamma_bar(sampling.nucleus) * gradient))
        out[axis] = jnp.asarray(spread(extent, count))
    return out
