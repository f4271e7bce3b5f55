"""What a pulse does to an isolated spin as a function of its offset, and how wide that is."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from simulators.spins import rotations
from simulators.spins.pulses import Waveform


def response(waveform: Waveform, offset: Float[Array, " f"]) -> tuple[Complex[Array, " f"], Complex[Array, " f"]]:
    """Cayley-Klein parameters (a, b) of the whole pulse at each `offset` (Hz)."""
    turn = rotations.segments(
        (offset[None, :] * waveform.gradient[:, None]),
        waveform.amplitude,
        waveform.phase,
        waveform.duration,
        np.zeros(0),
    )
    return turn[0][0], turn[1][0]


def excitation(waveform: Waveform, offset: Float[Array, " f"]) -> Complex[Array, " f"]:
    """M_x + i M_y after the pulse acted on M_z = 1."""
    a, b = response(waveform, offset)
    return 2 * jnp.conj(a) * b


def inversion(waveform: Waveform, offset: Float[Array, " f"]) -> Float[Array, " f"]:
    """M_z after the pulse acted on M_z = 1."""
    a, b = response(waveform, offset)
    return jnp.abs(a) ** 2 - jnp.abs(b) ** 2


def refocusing(waveform: Waveform, offset: Float[Array, " f"]) -> Complex[Array, " f"]:
    """Part of M_xy between crushers that the pulse refocuses: b^2, up to sign."""
    _, b = response(waveform, offset)
    return b**2


def bandwidth(waveform: Waveform) -> float:
    """Full width at half of the largest |b|^2 (transition probability), Hz; computed outside of any trace.

    For an inversion or refocusing pulse this is the width of the slice at half height, for a 90 degree pulse the width
    of (1 - M_z)/2 at half height.
    """
    leaves = (waveform.amplitude, waveform.phase, waveform.duration, waveform.gradient)
    return _bandwidth(*(np.asarray(x, float).tobytes() for x in leaves))


@functools.lru_cache(maxsize=256)
def _bandwidth(*leaves: bytes) -> float:
    """Bandwidth of a waveform given as bytes, so that a second call costs nothing."""
    amplitude, phase, duration, gradient = (np.frombuffer(x) for x in leaves)
    waveform = Waveform(amplitude, phase, duration[0], gradient=gradient)
    with jax.ensure_compile_time_eval():
        reach = min(waveform.n_samples / duration[0] / 2, 4e4) if waveform.n_samples > 1 else 10 / duration[0]
        offset = np.linspace(-reach, reach, 8001)
        _, b = jax.jit(response)(waveform, jnp.asarray(offset))
        power = np.abs(np.asarray(b)) ** 2
    above = np.flatnonzero(power >= power.max() / 2)
    return float(offset[above[-1]] - offset[above[0]] + (offset[1] - offset[0]))
