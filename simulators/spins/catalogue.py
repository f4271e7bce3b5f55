"""The sequences that the command line knows by name, ideal and shaped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from simulators.spins import editing, presets, sequences
from simulators.spins.events import Sequence


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is asked of a sequence; `None` stands for the usual value. Times in s, shifts in ppm, frequency in Hz.

    `edit_on`, `edit_off`: centres of the editing pulses; `increments`, `step`: of a 2-D series.
    """

    te: float | None = None
    te1: float | None = None
    tm: float | None = None
    edit_on: float | None = None
    edit_off: float | None = None
    increments: int | None = None
    step: float | None = None
    ideal: bool = False
    central_frequency: float = 123.25e6


@dataclasses.dataclass(frozen=True)
class Edited:
    """Conditions of one experiment and their combinations (series.py).

    `unit`: the condition or combination whose uncoupled proton gives 1; `single`: the only one that is a spectrum by
    itself, `None` when all are.
    """

    conditions: Mapping[str, Sequence]
    combine: Mapping[str, Mapping[str, float]]
    unit: str
    single: str | None = None


@dataclasses.dataclass(frozen=True)
class Series:
    """A sequence that is repeated with another timing: `build(value)` for each of `values` (s); `what` names them."""

    build: Callable[..., Sequence]
    values: np.ndarray
    what: str


Made = Sequence | Edited | Series


def _or(value: float | None, usual: float) -> float:
    return usual if value is None else value


def _pulse_acquire(p: Protocol) -> Made:
    return sequences.pulse_acquire()


def _spin_echo(p: Protocol) -> Made:
    return (sequences if p.ideal else presets).spin_echo(_or(p.te, 0.030))


def _press(p: Protocol) -> Made:
    return (sequences if p.ideal else presets).press(_or(p.te, 0.030), p.te1)


def _steam(p: Protocol) -> Made:
    return (sequences if p.ideal else presets).steam(_or(p.te, 0.020), _or(p.tm, 0.010))


def _slaser(p: Protocol) -> Made:
    return (sequences.semi_laser if p.ideal else presets.slaser)(_or(p.te, 0.030))


def _laser(p: Protocol) -> Made:
    return (sequences if p.ideal else presets).laser(_or(p.te, 0.040))


def _special(p: Protocol) -> Made:
    made = (editing if p.ideal else presets).special(_or(p.te, 0.0085))
    return Edited(made, editing.SPECIAL, unit="special", single="special")


def _mega(conditions: Mapping[str, Sequence]) -> Made:
    return Edited(conditions, {"difference": editing.MEGA["difference"]}, unit="off")


def _mega_press(p: Protocol) -> Made:
    te, te1, on = _or(p.te, 0.068), _or(p.te1, 0.012), _or(p.edit_on, 1.9)
    if not p.ideal:
        return _mega(presets.mega_press(te, te1, on=on, off=_or(p.edit_off, 7.5)))
    off = None if p.edit_off is None else editing.editing_band(p.edit_off)
    return _mega(editing.mega_press(te, te1, on=editing.editing_band(on), off=off))


def _mega_slaser(p: Protocol) -> Made:
    te, on = _or(p.te, 0.080), _or(p.edit_on, 1.9)
    if not p.ideal:
        return _mega(presets.mega_slaser(te, on=on, off=_or(p.edit_off, 7.5)))
    off = None if p.edit_off is None else editing.editing_band(p.edit_off)
    return _mega(editing.mega_slaser(te, on=editing.editing_band(on), off=off))


def _hermes(p: Protocol) -> Made:
    made = presets.hermes(
        _or(p.te, 0.080), _or(p.te1, 0.013), central_frequency=p.central_frequency, ideal_localisation=p.ideal
    )
    combine = {"gaba": editing.HERMES["first"], "gsh": editing.HERMES["second"], "sum": editing.HERMES["sum"]}
    return Edited(made, combine, unit="D")


def _j_press(p: Protocol) -> Made:
    """TE1 stays, TE2 grows."""
    first, te1 = _or(p.te, 0.030), _or(p.te1, 0.012)
    values = first + _or(p.step, 0.010) * np.arange(p.increments or 32)
    make = sequences.press if p.ideal else presets.press
    return Series(lambda te: make(te, te1), values, "EchoTime")


def _l_cosy(p: Protocol) -> Made:
    te, values = _or(p.te, 0.030), _or(p.step, 0.0008) * np.arange(p.increments or 64)
    make = (sequences if p.ideal else presets).l_cosy
    return Series(lambda t1: make(te, t1), values, "t1")


#: name -> (what makes it, which timings it takes).
SEQUENCES: dict[str, tuple[Callable[[Protocol], Made], frozenset[str]]] = {
    "pulse-acquire": (_pulse_acquire, frozenset()),
    "spin-echo": (_spin_echo, frozenset({"te"})),
    "press": (_press, frozenset({"te", "te1"})),
    "steam": (_steam, frozenset({"te", "tm"})),
    "slaser": (_slaser, frozenset({"te"})),
    "laser": (_laser, frozenset({"te"})),
    "special": (_special, frozenset({"te"})),
    "mega-press": (_mega_press, frozenset({"te", "te1", "edit_on", "edit_off"})),
    "mega-slaser": (_mega_slaser, frozenset({"te", "edit_on", "edit_off"})),
    "hermes": (_hermes, frozenset({"te", "te1"})),
    "j-press": (_j_press, frozenset({"te", "te1", "increments", "step"})),
    "l-cosy": (_l_cosy, frozenset({"te", "increments", "step"})),
}
_TIMINGS = ("te", "te1", "tm", "edit_on", "edit_off", "increments", "step")


def build(name: str, protocol: Protocol) -> Made:
    """The sequence `name`.

    **Raises:** `ValueError` for an unknown name, and for a timing that the sequence does not have.
    """
    if name not in SEQUENCES:
        raise ValueError(f"sequence: wanted one of {', '.join(SEQUENCES)} or a .yaml file, found {name!r}")
    make, takes = SEQUENCES[name]
    for timing in _TIMINGS:
        if getattr(protocol, timing) is not None and timing not in takes:
            owners = ", ".join(n for n, (_, t) in SEQUENCES.items() if timing in t)
            raise ValueError(f"{timing}: {name} does not have it; it belongs to {owners}")
    return make(protocol)
