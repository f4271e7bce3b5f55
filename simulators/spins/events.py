"""What happens in a sequence besides pulses, and the sequence itself."""

from __future__ import annotations

from collections.abc import Sequence as Many

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulators.spins.pulses import HardPulse, ShapedPulse


def _real(x) -> Float[Array, ""]:
    return jnp.asarray(x, dtype=jnp.result_type(float))


class Delay(eqx.Module):
    """Free evolution under shifts and couplings for `duration` s."""

    duration: Float[Array, ""] = eqx.field(converter=_real)


class OrderFilter(eqx.Module):
    """Keeps the coherence orders `orders` of the density matrix: what crushers or a phase cycle select.

    Order p belongs to the elements |a><b| with m_a - m_b = p; the receiver sees p = -1. A refocusing pulse between
    crushers of equal area turns +1 into -1 and the other way round; a spoiler keeps p = 0.
    """

    orders: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, *orders: int):
        self.orders = tuple(int(p) for p in orders)

    def __check_init__(self):
        if not self.orders:
            raise ValueError("orders: wanted at least one coherence order")


class Spoil(eqx.Module):
    """A spoiler gradient: keeps order 0 only (populations and zero-quantum coherences)."""

    @property
    def orders(self) -> tuple[int, ...]:
        """The orders that survive."""
        return (0,)


class Readout(eqx.Module):
    """The receiver opens; `phase` (rad) is its phase: the signal is multiplied by exp(-i phase)."""

    phase: Float[Array, ""]

    def __init__(self, phase=0.0):
        self.phase = _real(phase)


Event = HardPulse | ShapedPulse | Delay | OrderFilter | Spoil | Readout


class Sequence(eqx.Module):
    """A list of events from equilibrium to the receiver.

    **Arguments:**

    - `events`: in order; the last is a `Readout`.
    - `name`: e.g. `"press"`.
    - `echo_time`: s, from the centre of excitation to the echo; `mixing_time`: s, time spent along z (STEAM).
    - `reference`: shift of the uncoupled proton whose signal is 1 when the result is normalised, ppm.

    **Raises:** `ValueError` when the last event is not the only `Readout`, or for a negative delay.
    """

    events: tuple[Event, ...]
    echo_time: Float[Array, ""]
    mixing_time: Float[Array, ""]
    reference: Float[Array, ""]
    name: str = eqx.field(static=True)

    def __init__(self, events: Many[Event], *, echo_time=0.0, mixing_time=0.0, reference=4.65, name: str = "sequence"):
        self.events = jax.tree.map(lambda x: _real(x) if isinstance(x, np.ndarray) else x, tuple(events))
        self.echo_time = _real(echo_time)
        self.mixing_time = _real(mixing_time)
        self.reference = _real(reference)
        self.name = name

    def __check_init__(self):
        readouts = [i for i, e in enumerate(self.events) if isinstance(e, Readout)]
        if readouts != [len(self.events) - 1]:
            raise ValueError(
                f"events: wanted one Readout as the last of {len(self.events)} events, found it at {readouts}"
            )
        for i, event in enumerate(self.events):
            duration = _known(event.duration) if isinstance(event, Delay) else None
            if duration is not None and duration < -1e-9:
                raise ValueError(
                    f"events: delay {i} of {self.name!r} lasts {duration * 1e3:.3f} ms; "
                    "the pulses do not fit into the echo time"
                )

    @property
    def axes(self) -> tuple[str, ...]:
        """Gradient axes in use, in order of x, y, z."""
        used = {e.axis for e in self.events if isinstance(e, ShapedPulse) and e.axis is not None}
        return tuple(a for a in "xyz" if a in used)


def _known(x) -> float | None:
    """The value of a scalar, or None while JAX traces it or when it is one of a batch."""
    try:
        return float(x)
    except Exception:
        return None


def before_centre(pulse: HardPulse | ShapedPulse) -> Float[Array, ""]:
    """Time from the start of a pulse to its effective centre, s."""
    return (1 - pulse.isodelay) * pulse.waveform.duration if isinstance(pulse, ShapedPulse) else _real(0.0)


def after_centre(pulse: HardPulse | ShapedPulse) -> Float[Array, ""]:
    """Time from the effective centre of a pulse to its end, s."""
    return pulse.isodelay * pulse.waveform.duration if isinstance(pulse, ShapedPulse) else _real(0.0)


def delay_between(interval, first: HardPulse | ShapedPulse | None, second: HardPulse | ShapedPulse | None) -> Delay:
    """The delay that leaves `interval` s between the centres of two pulses; `None` stands for the echo."""
    used = _real(0.0)
    if first is not None:
        used = used + after_centre(first)
    if second is not None:
        used = used + before_centre(second)
    return Delay(_real(interval) - used)
