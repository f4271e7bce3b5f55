"""Sequences with selective pulses and published timings.

No vendor publishes its waveforms in a form that may be copied, so the pulses here are designed (slr.py, shapes.py)
with the duration and bandwidth in the arguments; measured waveforms go in through pulse_files.py. Shifts in ppm, times
in s, lengths in m.
"""

from __future__ import annotations

import math
from functools import lru_cache

from simulators.spins import sequences
from simulators.spins.editing import hermes as hermes_conditions
from simulators.spins.editing import mega_press as mega_press_conditions
from simulators.spins.editing import mega_slaser as mega_slaser_conditions
from simulators.spins.editing import special as special_conditions
from simulators.spins.events import Sequence
from simulators.spins.isotopes import gamma_bar
from simulators.spins.profiles import bandwidth
from simulators.spins.pulses import HardPulse, ShapedPulse, Waveform
from simulators.spins.shapes import dual_band, goia_wurst, shifted, sinc_gauss
from simulators.spins.slr import Purpose, slr

#: The pulse designs are expensive beside everything else that a preset does.
_slr = lru_cache(maxsize=32)(slr)


def slice_gradient(waveform: Waveform, thickness: float, nucleus: str = "1H") -> float:
    """Gradient (T/m) for a slice of `thickness` m: bandwidth / (gamma/2pi thickness)."""
    return bandwidth(waveform) / (gamma_bar(nucleus) * thickness)


def selective(
    waveform: Waveform, thickness: float, axis: str, *, centre: float, phase: float = 0.0, rephase: float = 0.0
) -> ShapedPulse:
    """A slice-selective pulse of `thickness` m along `axis`, on resonance at `centre` ppm."""
    gradient = slice_gradient(waveform, thickness)
    return ShapedPulse(waveform, centre=centre, phase=phase, gradient=gradient, axis=axis, rephase=rephase)


def _excitation(selective_excitation: bool, thickness: float, axis: str, centre: float):
    """A slice-selective 90 (SLR, 2.6 ms, 2.3 kHz) about y, or an ideal one."""
    if not selective_excitation:
        return sequences.EXCITE
    wave = _slr(2.6e-3, time_bandwidth=7.0, purpose=Purpose.EXCITATION)
    return selective(wave, thickness, axis, centre=centre, phase=math.pi / 2, rephase=0.5)


def _refocusing(thickness: float, centre: float) -> ShapedPulse:
    """An SLR refocusing pulse of 5 ms and 1.2 kHz along y."""
    wave = _slr(5e-3, time_bandwidth=6.0, purpose=Purpose.REFOCUSING)
    return selective(wave, thickness, "y", centre=centre)


def _goia(thickness: float, centre: float) -> ShapedPulse:
    """The GOIA-WURST(16,4) pulse of Andronesi et al. 2010: 3.5 ms, 20 kHz, 817 Hz."""
    return selective(goia_wurst(3.5e-3, bandwidth=20e3, b1_max=817.0), thickness, "y", centre=centre)


def spin_echo(te: float = 0.030, *, thickness: float = 0.02, centre: float = 3.0) -> Sequence:
    """A spin echo with an SLR refocusing pulse; the excitation is ideal."""
    return sequences.spin_echo(te, refocusing=_refocusing(thickness, centre), reference=centre)


def press(
    te: float = 0.030,
    te1: float | None = None,
    *,
    thickness: float = 0.02,
    centre: float = 3.0,
    duration: float = 5e-3,
    time_bandwidth: float = 6.0,
    selective_excitation: bool = False,
) -> Sequence:
    """PRESS with SLR refocusing pulses (5 ms, 1.2 kHz: a displacement of 10 % of the slice a ppm at 3 T).

    TE 30 or 35 ms is the short-TE protocol of most studies at 3 T (Wilson et al. 2019).
    """
    wave = _slr(duration, time_bandwidth=time_bandwidth, purpose=Purpose.REFOCUSING)
    refocusing = selective(wave, thickness, "y", centre=centre)
    excitation = _excitation(selective_excitation, thickness, "x", centre)
    return sequences.press(te, te1, excitation=excitation, refocusing=refocusing, reference=centre)


def steam(te: float = 0.020, tm: float = 0.010, *, thickness: float = 0.02, centre: float = 3.0) -> Sequence:
    """STEAM with three SLR excitation pulses; TE 20, TM 10 ms as in common use at 3 T (Wilson et al. 2019)."""
    x, y, z = (_excitation(True, thickness, axis, centre) for axis in "xyz")
    return sequences.steam(te, tm, excitation=(x, y, z), reference=centre)


def slaser(
    te: float = 0.030,
    *,
    thickness: float = 0.02,
    centre: float = 3.0,
    duration: float = 3.5e-3,
    sweep: float = 20e3,
    b1_max: float = 817.0,
    selective_excitation: bool = False,
) -> Sequence:
    """Semi-LASER with GOIA-WURST(16,4) pulses: 3.5 ms, 20 kHz, 817 Hz (Andronesi et al. 2010); equal spacing."""
    wave = goia_wurst(duration, bandwidth=sweep, b1_max=b1_max)
    refocusing = selective(wave, thickness, "y", centre=centre)
    excitation = _excitation(selective_excitation, thickness, "x", centre)
    return sequences.semi_laser(te, excitation=excitation, refocusing=refocusing, reference=centre)


def laser(te: float = 0.040, *, thickness: float = 0.02, centre: float = 3.0) -> Sequence:
    """LASER with the pulses of `slaser`, an ideal excitation, and equal spacing."""
    return sequences.laser(te, refocusing=_goia(thickness, centre), reference=centre)


def special(te: float = 0.0085, *, thickness: float = 0.02, centre: float = 3.0) -> dict[str, Sequence]:
    """SPECIAL with SLR pulses: inversion along x (5 ms), excitation along y, refocusing along z (Mlynarik 2006)."""
    inversion = selective(_slr(5e-3, time_bandwidth=8.0, purpose=Purpose.INVERSION), thickness, "x", centre=centre)
    return special_conditions(
        te,
        inversion=inversion,
        excitation=_excitation(True, thickness, "y", centre),
        refocusing=_refocusing(thickness, centre),
        gap=5e-3,
        reference=centre,
    )


def editing_pulse(centre: float, duration: float = 14e-3) -> ShapedPulse:
    """A sinc-Gaussian editing pulse at `centre` ppm."""
    return ShapedPulse(sinc_gauss(duration), centre=centre)


def mega_press(
    te: float = 0.068,
    te1: float = 0.012,
    *,
    on: float = 1.9,
    off: float = 7.5,
    duration: float = 14e-3,
    thickness: float = 0.03,
    centre: float = 3.0,
) -> dict[str, Sequence]:
    """MEGA-PRESS for GABA: TE 68 ms, 14 ms editing pulses at 1.9 (on) and 7.5 ppm (off) (Mullins et al. 2014)."""
    return mega_press_conditions(
        te,
        te1,
        on=editing_pulse(on, duration),
        off=editing_pulse(off, duration),
        refocusing=_refocusing(thickness, centre),
        reference=centre,
    )


def mega_slaser(
    te: float = 0.080,
    *,
    on: float = 1.9,
    off: float = 7.5,
    duration: float = 14e-3,
    thickness: float = 0.03,
    centre: float = 3.0,
) -> dict[str, Sequence]:
    """MEGA-sLASER for GABA: the editing pulses of `mega_press`, the refocusing pulses of `slaser`."""
    return mega_slaser_conditions(
        te,
        on=editing_pulse(on, duration),
        off=editing_pulse(off, duration),
        refocusing=_goia(thickness, centre),
        reference=centre,
    )


def hermes(
    te: float = 0.080,
    te1: float = 0.013,
    *,
    first: float = 1.9,
    second: float = 4.56,
    off: float = 7.5,
    duration: float = 20e-3,
    central_frequency: float = 123.25e6,
    ideal_localisation: bool = True,
    thickness: float = 0.03,
    centre: float = 3.0,
) -> dict[str, Sequence]:
    """HERMES of GABA (1.9) and GSH (4.56 ppm): TE 80 ms, 20 ms editing pulses (Saleh et al. 2016).

    The dual-lobe pulse is the sum of two frequency-shifted copies, so `central_frequency` (Hz) is needed here.
    `thickness` (m) and `centre` (ppm) are those of SLR refocusing pulses when `ideal_localisation` is off.
    """
    wave = sinc_gauss(duration)
    middle = (first + second) / 2
    half = (second - first) / 2 * 1e-6 * central_frequency
    pulses: dict[str, ShapedPulse | HardPulse] = {
        "A": ShapedPulse(dual_band(wave, -half, half), centre=middle),
        "B": ShapedPulse(shifted(wave, half), centre=middle),
        "C": ShapedPulse(shifted(wave, -half), centre=middle),
        "D": ShapedPulse(wave, centre=off),
    }
    refocusing = sequences.REFOCUS if ideal_localisation else _refocusing(thickness, centre)
    return hermes_conditions(te, te1, pulses, refocusing=refocusing, reference=centre)


def l_cosy(te: float = 0.030, t1=0.0, *, thickness: float = 0.03, centre: float = 2.5, order: int = 1) -> Sequence:
    """L-COSY with SLR pulses along x, y and z; TE 30 ms (Thomas et al. 2001)."""
    return sequences.l_cosy(
        te,
        t1,
        excitation=_excitation(True, thickness, "x", centre),
        refocusing=_refocusing(thickness, centre),
        mixing=_excitation(True, thickness, "z", centre),
        order=order,
        reference=centre,
    )
