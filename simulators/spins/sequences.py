"""Localised and unlocalised sequences as lists of events.

Every builder takes echo times between pulse centres (s) and pulses that are ideal (`HardPulse`, the default) or shaped;
delays are what the pulses leave of the intervals. Crushers are order filters: with p the coherence order, a refocusing
pulse between equal crushers keeps p -> -p, and the receiver sees p = -1.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence as Many

from simulators.spins.events import Delay, Event, OrderFilter, Readout, Sequence, Spoil, delay_between
from simulators.spins.pulses import HardPulse, ShapedPulse

Pulse = HardPulse | ShapedPulse

#: Ideal pulses: excitation about y (F_z -> F_x), refocusing and inversion about x.
EXCITE = HardPulse(math.pi / 2, math.pi / 2)
REFOCUS = HardPulse(math.pi, 0.0)


def _pair(pulse: Pulse | tuple[Pulse, Pulse], first_axis: str, second_axis: str) -> tuple[Pulse, Pulse]:
    """Two pulses from one: along two axes when it is selective."""
    if isinstance(pulse, tuple):
        return pulse
    return _along(pulse, first_axis), _along(pulse, second_axis)


def _along(pulse: Pulse, axis: str) -> Pulse:
    """A selective pulse along another axis; any other pulse as it is."""
    if isinstance(pulse, ShapedPulse) and pulse.axis is not None:
        return dataclasses.replace(pulse, axis=axis)
    return pulse


def train(pulses: Many[Pulse], intervals: Many, orders: Many[tuple[int, ...]]) -> list[Event]:
    """Pulses with `intervals` (s) from each centre to the next and from the last to the echo; orders kept after each.

    **Raises:** `ValueError` when the three lengths differ.
    """
    if not len(pulses) == len(intervals) == len(orders):
        raise ValueError(
            f"intervals: wanted {len(pulses)} intervals and orders, found {len(intervals)} and {len(orders)}"
        )
    events: list[Event] = []
    for k, (pulse, interval, keep) in enumerate(zip(pulses, intervals, orders, strict=True)):
        following = pulses[k + 1] if k + 1 < len(pulses) else None
        events += [pulse, OrderFilter(*keep), delay_between(interval, pulse, following)]
    return events


def echo_orders(refocusing: int) -> list[tuple[int, ...]]:
    """Orders after excitation and after each of `refocusing` refocusing pulses, ending at -1."""
    return [(-1 if (refocusing - k) % 2 == 0 else 1,) for k in range(refocusing + 1)]


def pulse_acquire(excitation: Pulse = EXCITE, *, reference=4.65) -> Sequence:
    """Excitation and readout."""
    return Sequence([excitation, OrderFilter(-1), Readout()], reference=reference, name="pulse-acquire")


def spin_echo(te, *, excitation: Pulse = EXCITE, refocusing: Pulse = REFOCUS, reference=4.65) -> Sequence:
    """90 - TE/2 - 180 - TE/2 (Hahn 1950)."""
    events = train([excitation, refocusing], [te / 2, te / 2], echo_orders(1))
    return Sequence([*events, Readout()], echo_time=te, reference=reference, name="spin-echo")


def press(
    te, te1=None, *, excitation: Pulse = EXCITE, refocusing: Pulse | tuple[Pulse, Pulse] = REFOCUS, reference=4.65
) -> Sequence:
    """PRESS: 90 - TE1/2 - 180 - (TE1 + TE2)/2 - 180 - TE2/2 (Bottomley 1987); TE1 = TE/2 when left out."""
    te1 = te / 2 if te1 is None else te1
    one, two = _pair(refocusing, "y", "z")
    events = train([excitation, one, two], [te1 / 2, te / 2, (te - te1) / 2], echo_orders(2))
    return Sequence([*events, Readout()], echo_time=te, reference=reference, name="press")


def steam(te, tm, *, excitation: Pulse | tuple[Pulse, Pulse, Pulse] = EXCITE, reference=4.65) -> Sequence:
    """STEAM: 90 - TE/2 - 90 - TM - 90 - TE/2, the stimulated echo (Frahm 1987).

    Order +1 in the first TE/2, 0 during TM (zero-quantum coherences stay, as in a scanner), -1 at the end. Half of the
    magnetisation is refocused; a normalised basis does not show that factor.
    """
    pulses = excitation if isinstance(excitation, tuple) else tuple(_along(excitation, a) for a in "xyz")
    a, b, c = pulses
    events = [
        a,
        OrderFilter(1),
        delay_between(te / 2, a, b),
        b,
        Spoil(),
        delay_between(tm, b, c),
        c,
        OrderFilter(-1),
        delay_between(te / 2, c, None),
        Readout(),
    ]
    return Sequence(events, echo_time=te, mixing_time=tm, reference=reference, name="steam")


def adiabatic_train(
    te, axes: str, *, excitation: Pulse, refocusing: Pulse, intervals: Many | None, reference, name: str
) -> Sequence:
    """90 and one pair of refocusing pulses along each of `axes`; equal spacing TE/(2n) (CPMG) unless `intervals` are
    given.
    """
    n = 2 * len(axes)
    pulses = [excitation, *[_along(refocusing, a) for a in axes for _ in range(2)]]
    if intervals is None:
        intervals = [te / (2 * n), *[te / n] * (n - 1), te / (2 * n)]
    events = train(pulses, intervals, echo_orders(n))
    return Sequence([*events, Readout()], echo_time=te, reference=reference, name=name)


def semi_laser(
    te, *, excitation: Pulse = EXCITE, refocusing: Pulse = REFOCUS, intervals=None, reference=4.65
) -> Sequence:
    """Semi-LASER: slice-selective 90 along x, pairs of adiabatic full passages along y and z (Scheenen 2008).

    `intervals`: the five times from centre to centre and to the echo; TE/8, TE/4, TE/4, TE/4, TE/8 when left out.
    """
    return adiabatic_train(
        te, "yz", excitation=excitation, refocusing=refocusing, intervals=intervals, reference=reference, name="slaser"
    )


def laser(te, *, excitation: Pulse = EXCITE, refocusing: Pulse = REFOCUS, intervals=None, reference=4.65) -> Sequence:
    """LASER: non-selective 90, pairs of adiabatic full passages along x, y and z (Garwood & DelaBarre 2001)."""
    return adiabatic_train(
        te, "xyz", excitation=excitation, refocusing=refocusing, intervals=intervals, reference=reference, name="laser"
    )


def l_cosy(
    te,
    t1=0.0,
    *,
    excitation: Pulse = EXCITE,
    refocusing: Pulse = REFOCUS,
    mixing: Pulse = EXCITE,
    order: int = 1,
    reference=4.65,
) -> Sequence:
    """Localised COSY: 90 - TE/2 - 180 - (TE/2 + t1) - 90 - acquire (Thomas 2001).

    `order`: coherence order during t1: +1 the echo (N-type) signal, -1 the anti-echo. A vector of `t1` makes a batch of
    sequences for `simulate_series`.
    """
    events = [
        excitation,
        OrderFilter(-order),
        delay_between(te / 2, excitation, refocusing),
        refocusing,
        OrderFilter(order),
        Delay(delay_between(te / 2, refocusing, mixing).duration + t1),
        mixing,
        OrderFilter(-1),
        Readout(),
    ]
    return Sequence(events, echo_time=te, reference=reference, name="l-cosy")
