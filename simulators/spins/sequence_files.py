"""Sequences written down in YAML, in the units of a protocol (ms, degrees, ppm, mm).

    name: my-press
    echo_time_ms: 35
    reference_ppm: 3.0
    events:
      - {pulse: ideal, flip_deg: 90, phase_deg: 90}
      - {orders: [-1]}
      - {delay_ms: 3.5}
      - {pulse: slr, purpose: refocusing, duration_ms: 5, time_bandwidth: 6, axis: y, thickness_mm: 20, centre_ppm: 3.0}
      - {orders: [1]}
      - ...
      - readout

Delays are what lies between the end of one pulse and the start of the next.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from simulators.spins import pulse_files, shapes
from simulators.spins.events import Delay, Event, OrderFilter, Readout, Sequence, Spoil
from simulators.spins.presets import slice_gradient
from simulators.spins.pulses import HardPulse, ShapedPulse, Waveform
from simulators.spins.slr import Purpose, slr


def load_sequence(path: str | Path) -> Sequence:
    """The sequence of a YAML file.

    **Raises:** `ValueError` naming the event and the key that is missing or unknown.
    """
    path = Path(path)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("events"), list):
        raise ValueError(f"{path}: wanted a mapping with a list `events`")
    events = []
    for number, entry in enumerate(content["events"]):
        try:
            events.append(_event(entry, path.parent))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no key {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"{path}: event {number} ({entry}): {reason}") from None
    return Sequence(
        events,
        echo_time=content.get("echo_time_ms", 0.0) * 1e-3,
        mixing_time=content.get("mixing_time_ms", 0.0) * 1e-3,
        reference=content.get("reference_ppm", 4.65),
        name=str(content.get("name", path.stem)),
    )


def _event(entry: Any, folder: Path) -> Event:
    if entry == "readout":
        return Readout()
    if entry == "spoil":
        return Spoil()
    if "delay_ms" in entry:
        return Delay(float(entry["delay_ms"]) * 1e-3)
    if "orders" in entry:
        return OrderFilter(*entry["orders"])
    phase = math.radians(entry.get("phase_deg", 0.0))
    if entry["pulse"] == "ideal":
        band = (entry["band_ppm"][0], entry["band_ppm"][1]) if "band_ppm" in entry else None
        return HardPulse(math.radians(entry["flip_deg"]), phase, band=band)
    wave = _waveform(entry, folder)
    gradient = slice_gradient(wave, entry["thickness_mm"] * 1e-3) if "axis" in entry else 0.0
    return ShapedPulse(
        wave,
        centre=entry.get("centre_ppm", 4.65),
        phase=phase,
        gradient=gradient,
        axis=entry.get("axis"),
        rephase=entry.get("rephase", 0.0),
        isodelay=entry.get("isodelay", 0.5),
    )


def _waveform(entry: dict[str, Any], folder: Path) -> Waveform:
    duration = entry["duration_ms"] * 1e-3
    scale: dict[str, float] = {}
    if "flip_deg" in entry:
        scale["flip"] = math.radians(entry["flip_deg"])
    if "b1_max_hz" in entry:
        scale["b1_max"] = entry["b1_max_hz"]
    kind = entry["pulse"]
    if kind == "slr":
        purpose = Purpose[entry.get("purpose", "refocusing").upper()]
        return slr(duration, time_bandwidth=entry.get("time_bandwidth", 6.0), purpose=purpose)
    if kind == "hyperbolic_secant":
        return shapes.hyperbolic_secant(duration, bandwidth=entry["bandwidth_hz"], b1_max=entry["b1_max_hz"])
    if kind == "goia_wurst":
        return shapes.goia_wurst(duration, bandwidth=entry["bandwidth_hz"], b1_max=entry["b1_max_hz"])
    if kind in ("sinc", "gauss", "sinc_gauss", "block"):
        return getattr(shapes, kind)(duration, scale["flip"])
    file = folder / kind
    reader = pulse_files.read_pta if file.suffix.lower() == ".pta" else pulse_files.read_bruker
    return reader(file, duration, **scale)
