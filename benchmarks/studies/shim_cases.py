"""The 100 cases of study rows 2 and 3: simulated bench-top spectrometers with random distortions, and how an outcome is judged.

All methods see noisy FIDs only and stop when the noisy line is below `STOP`; success is judged on the noiseless line of the last acquisition.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mrsjax.core import Sampling
from simulators.phantoms.spectrometer import Spectrometer

TARGET, STOP, MOST, LONG = 1.0, 0.95, 10, 100
SAMPLING = Sampling(1 / 48.0, 80e6, 96)  # the water line after decimation: 48 Hz, 2 s
#: Settings of a spectrometer: (s) -> the last one tried.
Method = Callable[[Spectrometer, int], np.ndarray]


class Outcome(NamedTuple):
    """One case of one method: true FWHM at the end (Hz), acquisitions used, whether the noiseless line is below the target."""

    fwhm: float
    acquisitions: int
    success: bool


def width(fid: np.ndarray) -> float:
    """FWHM (Hz) of the real line of a FID whose phase is that of its first points, between the crossings of half the height next to the maximum."""
    n = 16 * len(fid)
    half = fid.copy()
    half[0] *= 0.5
    spectrum = np.fft.fftshift(np.fft.fft(half, n))
    step = 1.0 / (float(SAMPLING.dwell_time) * n)
    real = (spectrum * np.exp(-1j * np.angle(fid[:3].sum()))).real
    top = int(np.argmax(real))
    below = real < real[top] / 2
    left, right = top - int(np.argmax(below[top::-1])), top + int(np.argmax(below[top:]))
    edge = lambda i, j: i + (j - i) * (real[top] / 2 - real[i]) / (real[j] - real[i])  # noqa: E731
    return float(edge(right, right - 1) - edge(left, left + 1)) * step


def narrow(fid: np.ndarray) -> bool:
    """The common rule to stop: the line of a noisy FID is below `STOP`."""
    return width(fid) < STOP


def cases(n: int, seed: int = 0, *, active: tuple[int, ...] = (1, 1, 1, 1), first: int = 1000) -> list[Spectrometer]:
    """Spectrometers with random distortions, scaled so that the line at setting 0 is 3.5 to 4.5 Hz wide; `active`: channels that are distorted; `first`: seed of
    the first one's gains, leakage and noise.
    """
    rng = np.random.default_rng(seed)
    out = []
    while len(out) < n:
        direction = rng.uniform(-1, 1, 4) * active
        wanted = rng.uniform(3.5, 4.5)
        s = Spectrometer(direction, sampling=SAMPLING, seed=first + len(out))
        low, high = 0.0, 6.0
        for _ in range(30):  # the width grows with the distortion
            middle = 0.5 * (low + high)
            s.distortion = middle * direction
            low, high = (middle, high) if width(s.clean(np.zeros(4))) < wanted else (low, middle)
        s.distortion = high * direction
        out.append(s)
    return out


HEADER = (
    "| method | below 1 Hz | acquisitions (median, largest of successes) | FWHM at the end (median, worst, Hz) | CPU s |\n"
    "|---|---|---|---|---|"
)


def judge(name: str, method: Method, all_cases: list[Spectrometer]) -> list[Outcome]:
    """Runs a method on fresh copies of the cases and prints its line of the table."""
    rows, began = [], time.process_time()
    for i, case in enumerate(all_cases):
        s = copy.deepcopy(case)
        true = width(s.clean(method(s, i)))
        rows.append(Outcome(true, s.acquisitions, true < TARGET))
    used = [r.acquisitions for r in rows if r.success] or [0]
    fwhm = [r.fwhm for r in rows]
    print(
        f"| {name} | {sum(r.success for r in rows)} of {len(rows)} | {np.median(used):.0f}, {max(used)} | {np.median(fwhm):.2f}, {max(fwhm):.2f}"
        f" | {time.process_time() - began:.0f} |",
        flush=True,
    )
    return rows
