"""Spectral editing: sequences in several conditions, and how the conditions are combined.

A builder returns conditions by name; `simulate_conditions` (series.py) simulates them with one normalisation and adds
the combinations. Editing pulses sit between crushers of their own: what they refocus is dephased, what they leave alone
stays, so the order before them is kept after them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from simulators.spins.events import Readout, Sequence, Spoil, delay_between
from simulators.spins.pulses import HardPulse
from simulators.spins.sequences import EXCITE, REFOCUS, Pulse, _along, _pair, train

#: Difference and sum of a two-condition experiment.
MEGA = {"difference": {"on": 1.0, "off": -1.0}, "sum": {"on": 1.0, "off": 1.0}}

#: Hadamard combinations of a four-condition experiment A (both), B (second), C (first), D (none) (Saleh et al. 2016).
HERMES = {
    "first": {"A": 1.0, "B": -1.0, "C": 1.0, "D": -1.0},
    "second": {"A": 1.0, "B": 1.0, "C": -1.0, "D": -1.0},
    "sum": {"A": 1.0, "B": 1.0, "C": 1.0, "D": 1.0},
}

#: SPECIAL: what the slice-selective inversion turns over.
SPECIAL = {"special": {"off": 0.5, "on": -0.5}}


def editing_band(centre: float, width: float = 0.5) -> HardPulse:
    """An ideal editing pulse: inverts what lies within `width` ppm around `centre` ppm."""
    return HardPulse(math.pi, 0.0, band=(centre, width))


def edited_press(
    te, te1, editing: Pulse, *, excitation: Pulse = EXCITE, refocusing: Pulse = REFOCUS, reference=3.0
) -> Sequence:
    """90 - TE1/2 - 180 - TE/4 - E - TE/4 - 180 - TE/4 - E - (TE/4 - TE1/2): one condition of MEGA-PRESS (Mescher 1998).

    The editing pulses are TE/2 apart, which refocuses the couplings that they reverse.
    """
    one, two = _pair(refocusing, "y", "z")
    pulses = [excitation, one, editing, two, editing]
    intervals = [te1 / 2, te / 4, te / 4, te / 4, te / 4 - te1 / 2]
    events = train(pulses, intervals, [(-1,), (1,), (1,), (-1,), (-1,)])
    return Sequence([*events, Readout()], echo_time=te, reference=reference, name="mega-press")


def edited_slaser(
    te, editing: Pulse, *, excitation: Pulse = EXCITE, refocusing: Pulse = REFOCUS, reference=3.0
) -> Sequence:
    """90 - TE/8 - (180 - TE/8 - E - TE/8 - 180) - TE/4 - (180 - TE/8 - E - TE/8 - 180) - TE/8: MEGA-sLASER
    (Andreychenko 2012).

    A symmetric variant: an editing pulse in the middle of each pair of refocusing pulses, TE/2 apart.
    """
    y, z = _along(refocusing, "y"), _along(refocusing, "z")
    pulses = [excitation, y, editing, y, z, editing, z]
    intervals = [te / 8, te / 8, te / 8, te / 4, te / 8, te / 8, te / 8]
    events = train(pulses, intervals, [(-1,), (1,), (1,), (-1,), (1,), (1,), (-1,)])
    return Sequence([*events, Readout()], echo_time=te, reference=reference, name="mega-slaser")


def _nothing(on: Pulse) -> HardPulse:
    """An ideal pulse that turns nothing; with the band of `on`, so that both conditions share a compiled program."""
    return HardPulse(0.0, band=on.band if isinstance(on, HardPulse) else None)


def mega_press(te, te1, *, on: Pulse, off: Pulse | None = None, **pulses) -> dict[str, Sequence]:
    """MEGA-PRESS with `on` and `off` editing pulses; without `off` an ideal pulse that turns nothing."""
    nothing = _nothing(on) if off is None else off
    return {"off": edited_press(te, te1, nothing, **pulses), "on": edited_press(te, te1, on, **pulses)}


def mega_slaser(te, *, on: Pulse, off: Pulse | None = None, **pulses) -> dict[str, Sequence]:
    """MEGA-sLASER with `on` and `off` editing pulses."""
    nothing = _nothing(on) if off is None else off
    return {"off": edited_slaser(te, nothing, **pulses), "on": edited_slaser(te, on, **pulses)}


def hermes(te, te1, editing: Mapping[str, Pulse], **pulses) -> dict[str, Sequence]:
    """Four conditions of edited PRESS: `editing` holds the pulses A (both), B (second), C (first) and D (none)."""
    missing = set("ABCD") - set(editing)
    if missing:
        raise ValueError(f"editing: wanted pulses A, B, C and D, found none for {', '.join(sorted(missing))}")
    conditions = {k: edited_press(te, te1, editing[k], **pulses) for k in "DCBA"}
    return {k: dataclasses.replace(s, name="hermes") for k, s in conditions.items()}


def special(
    te, *, inversion: Pulse = REFOCUS, excitation: Pulse = EXCITE, refocusing: Pulse = REFOCUS, gap=2e-3, reference=4.65
) -> dict[str, Sequence]:
    """SPECIAL: a slice-selective inversion along x in every other scan, then a spin echo along y and z (Mlynarik
    2006).
    """
    excite, refocus, invert = _along(excitation, "y"), _along(refocusing, "z"), _along(inversion, "x")
    echo = [*train([excite, refocus], [te / 2, te / 2], [(1,), (-1,)]), Readout()]
    on = [invert, Spoil(), delay_between(gap, None, None), *echo]
    made = {"off": echo, "on": on}
    return {k: Sequence(v, echo_time=te, reference=reference, name="special") for k, v in made.items()}
