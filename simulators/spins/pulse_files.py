"""Waveforms from files: Siemens .pta text, Bruker shape text, and pulseq .seq (through pypulseq, an extra).

The text formats hold a shape without a scale; `flip` (rad, on resonance) or `b1_max` (Hz, for adiabatic pulses) and the
duration set it.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from simulators.spins.pulses import Waveform


def _scaled(amplitude: np.ndarray, phase: np.ndarray, duration, flip, b1_max, path: Path) -> Waveform:
    """A waveform whose scale is a flip angle or a largest amplitude."""
    if (flip is None) == (b1_max is None):
        raise ValueError(
            f"{path}: wanted one of flip (rad) and b1_max (Hz), found {'both' if flip is not None else 'none'}"
        )
    if amplitude.max(initial=0.0) <= 0:
        raise ValueError(f"{path}: wanted a pulse with an amplitude above zero")
    wave = Waveform(amplitude / amplitude.max(), phase, duration, name=path.stem)
    return wave.with_flip(flip) if flip is not None else wave.scaled(b1_max)


def read_pta(path: str | Path, duration, *, flip=None, b1_max=None) -> Waveform:
    """A Siemens .pta text: header lines `KEY: value`, then `magnitude phase ; (index)` for each sample, phase in rad.

    **Raises:** `ValueError` when no samples are found or the scale is missing.
    """
    path = Path(path)
    number = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
    rows = re.findall(rf"^\s*({number})\s+({number})\s*;", path.read_text(errors="replace"), re.MULTILINE)
    if not rows:
        raise ValueError(f"{path}: wanted lines `magnitude phase ; (index)` as in a .pta file, found none")
    values = np.array(rows, dtype=float)
    return _scaled(np.abs(values[:, 0]), values[:, 1] + np.pi * (values[:, 0] < 0), duration, flip, b1_max, path)


def read_bruker(path: str | Path, duration, *, flip=None, b1_max=None) -> Waveform:
    """A Bruker shape text (JCAMP-DX): `##XYPOINTS= (XY..XY)`, then `amplitude, phase` with percent and degrees.

    **Raises:** `ValueError` when no samples are found or the scale is missing.
    """
    path = Path(path)
    rows = []
    for line in path.read_text(errors="replace").splitlines():
        words = line.split("$$")[0].replace(",", " ").split()
        if line.lstrip().startswith("##") or len(words) != 2:
            continue
        rows.append([float(w) for w in words])
    if not rows:
        raise ValueError(f"{path}: wanted lines `amplitude, phase` as in a Bruker shape, found none")
    values = np.array(rows)
    return _scaled(values[:, 0], np.deg2rad(values[:, 1]), duration, flip, b1_max, path)


def read_pulseq(path: str | Path, block: int) -> Waveform:
    """The RF pulse of block `block` (counted from 1) of a pulseq .seq file, on its raster, in Hz.

    **Raises:** `ImportError` naming the extra when pypulseq is missing; `ValueError` when the block has no pulse.
    """
    try:
        import pypulseq  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("reading .seq files needs pypulseq: pip install 'mrsjax[pulseq]'") from error
    sequence = pypulseq.Sequence()
    sequence.read(str(path))
    pulse = getattr(sequence.get_block(block), "rf", None)
    if pulse is None:
        raise ValueError(f"{path}: block {block} holds no RF pulse")
    signal = np.asarray(pulse.signal)
    raster = float(np.median(np.diff(pulse.t))) if len(signal) > 1 else float(pulse.shape_dur)
    shift = 2 * math.pi * getattr(pulse, "freq_offset", 0.0) * (np.asarray(pulse.t) - float(pulse.t[len(signal) // 2]))
    phase = np.angle(signal) + shift + getattr(pulse, "phase_offset", 0.0)
    return Waveform(np.abs(signal), phase, raster * len(signal), name=f"{Path(path).stem}:{block}")
