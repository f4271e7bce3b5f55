"""What a simulated basis says about how it was made."""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import Any

from mrsjax.core import Sampling
from simulators.spins.accuracy import Accuracy
from simulators.spins.events import Delay, OrderFilter, Readout, Sequence, Spoil, _known
from simulators.spins.isotopes import gamma_bar
from simulators.spins.pulses import HardPulse, ShapedPulse
from simulators.spins.systems import SpinSystem


def event_line(event: Any) -> str:
    """One line of text about an event, in the units a reader expects (ms, degrees, ppm)."""
    degrees = 180 / 3.141592653589793

    def show(x, scale=1.0):
        value = _known(x)
        return "traced" if value is None else f"{value * scale:.6g}"

    if isinstance(event, HardPulse):
        band = "" if event.band is None else f", band {show(event.band[0])} +- {show(event.band[1] / 2)} ppm"
        return f"ideal {show(event.flip, degrees)} deg, phase {show(event.phase, degrees)} deg{band}"
    if isinstance(event, ShapedPulse):
        where = "" if event.axis is None else f", gradient {show(event.gradient, 1e3)} mT/m along {event.axis}"
        wave = event.waveform
        return (
            f"{wave.name}, {wave.n_samples} samples in {show(wave.duration, 1e3)} ms at {show(event.centre)} ppm, "
            f"phase {show(event.phase, degrees)} deg, largest B1 {show(wave.amplitude.max())} Hz{where}"
        )
    if isinstance(event, Delay):
        return f"delay {show(event.duration, 1e3)} ms"
    if isinstance(event, OrderFilter):
        return f"keep coherence orders {event.orders}"
    if isinstance(event, Spoil):
        return "spoil (order 0 stays)"
    if isinstance(event, Readout):
        return "readout"
    return repr(event)


def open_systems(systems: Many[SpinSystem]) -> dict[str, str]:
    """What is not settled about the systems, by name."""
    return {s.name: s.notes for s in systems if not s.settled}


def describe(
    systems: Many[SpinSystem], sequence: Sequence, sampling: Sampling, *, accuracy: Accuracy, positions: Any
) -> dict[str, Any]:
    """Provenance as plain text and numbers, for `BasisOrigin.header` and for files."""
    return {
        "program": "mrsjax simulators.spins",
        "version": "0.1.0",
        "sequence": sequence.name,
        "echo_time_s": _known(sequence.echo_time),
        "mixing_time_s": _known(sequence.mixing_time),
        "events": [event_line(e) for e in sequence.events],
        "nucleus": sampling.nucleus,
        "gamma_bar_hz_per_t": gamma_bar(sampling.nucleus),
        "convention": "+Hz = higher ppm, amplitude 1 a proton",
        "accuracy": repr(accuracy),
        "positions": positions if isinstance(positions, int) else {k: len(v) for k, v in positions.items()},
        "systems": {s.name: s.source for s in systems},
        "open_systems": open_systems(systems),
    }
