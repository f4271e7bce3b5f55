"""Radio-frequency pulses: what they are. How they turn spins is in rotations.py."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mrsjax.core.fourier import cis


def _real(x) -> Float[Array, "..."]:
    return jnp.asarray(x, dtype=jnp.result_type(float))


class Waveform(eqx.Module):
    """A pulse envelope of `n` equally long samples, constant within a sample.

    **Arguments:**

    - `amplitude`: gamma B1 / 2 pi of each sample, Hz.
    - `phase`: rad; 0 = x, pi/2 = y.
    - `duration`: of the whole pulse, s.
    - `gradient`: gradient of each sample relative to the pulse's own gradient (GOIA, VERSE); ones when left out.

    **Raises:** `ValueError` when the lengths differ, or for an empty pulse.
    """

    amplitude: Float[Array, " n"] = eqx.field(converter=_real)
    phase: Float[Array, " n"] = eqx.field(converter=_real)
    duration: Float[Array, ""] = eqx.field(converter=_real)
    gradient: Float[Array, " n"] = eqx.field(converter=_real)
    name: str = eqx.field(static=True)

    def __init__(self, amplitude, phase, duration, *, gradient=None, name: str = "waveform"):
        self.amplitude = amplitude
        self.phase = phase
        self.duration = duration
        self.gradient = jnp.ones(jnp.shape(amplitude)) if gradient is None else gradient
        self.name = name

    def __check_init__(self):
        shape = self.amplitude.shape
        if len(shape) != 1 or shape[0] == 0:
            raise ValueError(f"amplitude: wanted one axis of at least one sample, found shape {shape}")
        for name in ("phase", "gradient"):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name}: wanted shape {shape} as the amplitude, found {getattr(self, name).shape}")

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.amplitude.shape[0]

    @property
    def integral(self) -> Float[Array, ""]:
        """|sum of complex samples| times the sample time: the flip angle on resonance in turns, for a pulse of
        constant phase.
        """
        return jnp.abs(jnp.mean(self.amplitude * cis(self.phase))) * self.duration

    def scaled(self, factor) -> Waveform:
        """The same shape with `factor` times the amplitude."""
        return eqx.tree_at(lambda w: w.amplitude, self, self.amplitude * factor)

    def with_flip(self, flip) -> Waveform:
        """Amplitude set for a flip angle `flip` (rad) on resonance; for amplitude-modulated pulses."""
        return self.scaled(flip / (2 * jnp.pi * self.integral))

    def lasting(self, duration) -> Waveform:
        """The same shape and flip angle stretched to `duration` (s)."""
        duration = _real(duration)
        longer = eqx.tree_at(lambda w: w.duration, self, duration)
        return longer.scaled(self.duration / duration)


def _late(x) -> Float[Array, ""]:
    """A number as numpy holds it, until a `Sequence` makes it an array: pulses can be module constants, and importing
    them neither starts a device nor fixes the width of floats.
    """
    if isinstance(x, (int, float, np.ndarray)):
        plain: Any = np.asarray(x, float)
        return plain
    return _real(x)


class HardPulse(eqx.Module):
    """An ideal rotation of no duration by `flip` about the axis at `phase` (both rad) in the transverse plane.

    With `band = (centre, width)` in ppm only spins inside the band turn: an ideal editing or selective pulse. The edge
    of the band is sharp; nothing is differentiable in it.
    """

    flip: Float[Array, ""]
    phase: Float[Array, ""]
    band: Float[Array, "2"] | None

    def __init__(self, flip, phase=0.0, *, band=None):
        self.flip = _late(flip)
        self.phase = _late(phase)
        self.band = None if band is None else _real(band)


class ShapedPulse(eqx.Module):
    """A waveform played at a carrier, with or without a gradient.

    The offset of a spin at shift d and position r during sample k is

        (d - centre) f0 + gamma/2pi G g_k r + offset(B0) + J m of conserved nuclei

    **Arguments:**

    - `waveform`: the envelope.
    - `centre`: chemical shift on resonance at r = 0, ppm.
    - `phase`: added to the waveform's phase, rad.
    - `gradient`: T/m; `axis`: "x", "y", "z", or `None` for a pulse that is not spatially selective.
    - `rephase`: area of the gradient lobe after the pulse as a part of gradient * duration (0.5 for a symmetric
      slice-selective excitation), played in no time.
    - `isodelay`: time from the effective centre to the end as a part of the duration; timings count from there.
    - `nodes`: how many points in time see the couplings (rotations.py); `None`: chosen by `Accuracy`.
    """

    waveform: Waveform
    centre: Float[Array, ""]
    phase: Float[Array, ""]
    gradient: Float[Array, ""]
    rephase: Float[Array, ""]
    isodelay: Float[Array, ""]
    axis: str | None = eqx.field(static=True)
    nodes: int | None = eqx.field(static=True)

    def __init__(
        self,
        waveform: Waveform,
        *,
        centre=4.65,
        phase=0.0,
        gradient=0.0,
        axis=None,
        rephase=0.0,
        isodelay=0.5,
        nodes=None,
    ):
        self.waveform = waveform
        self.centre = _real(centre)
        self.phase = _real(phase)
        self.gradient = _real(gradient)
        self.rephase = _real(rephase)
        self.isodelay = _real(isodelay)
        self.axis = axis
        self.nodes = nodes

    def __check_init__(self):
        if self.axis not in (None, "x", "y", "z"):
            raise ValueError(f"axis: wanted 'x', 'y', 'z' or None, found {self.axis!r}")
