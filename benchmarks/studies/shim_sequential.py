"""Study row 3 (Becker et al. 2022b): shimming X, Y, Z, Z2 of a spectrometer from its spectra alone.

`python -m benchmarks.studies.shim_sequential [CASES]`: simulated spectrometer (simulators.phantoms.spectrometer), 100 random distortions scaled to a line of
3.5 to 4.5 Hz FWHM, target below 1 Hz in at most 10 acquisitions. Published on a real 80 MHz bench-top spectrometer with a ConvLSTM: 87 of 100. Nothing
here is a reproduction of that number: the spectrometer is simulated.

All methods see noisy FIDs only and stop when the noisy line is below the target; success is judged on the noiseless line of the last acquisition.
"""

import sys
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from mrsjax.acquisition.shimming.sequential import Specimen, shim_by_spectra
from mrsjax.core import Sampling
from simulators.phantoms.spectrometer import Spectrometer, channels, tube

TARGET, MOST, LONG = 1.0, 10, 100
SAMPLING = Sampling(1 / 48.0, 80e6, 96)  # the water line after decimation: 48 Hz, 2 s


class Outcome(NamedTuple):
    """One case of one method: true FWHM at the end (Hz), acquisitions used, whether the noiseless line is below the target."""

    fwhm: float
    acquisitions: int
    success: bool


class Done(Exception):
    """Raised inside an optimiser when the line is narrow enough or the acquisitions are used up."""


def width(fid: np.ndarray, noise_sd: float = 0.0) -> float:
    """FWHM (Hz) of the real line of a FID whose phase and frequency are found at the maximum of its spectrum."""
    n, time_ = 16 * len(fid), np.asarray(SAMPLING.time)
    decay = (
        fid * np.exp(-np.pi * 0.3 * time_) if noise_sd else fid
    )  # a little filter against the noise; its width is taken off
    half = decay.copy()
    half[0] *= 0.5
    spectrum = np.fft.fftshift(np.fft.fft(half, n))
    step = 1.0 / (float(SAMPLING.dwell_time) * n)
    phase = np.angle(fid[:3].sum())
    real = (spectrum * np.exp(-1j * phase)).real
    top = int(np.argmax(real))
    below = real < real[top] / 2
    left, right = top - int(np.argmax(below[top::-1])), top + int(np.argmax(below[top:]))
    edge = lambda i, j: i + (j - i) * (real[top] / 2 - real[i]) / (real[j] - real[i])  # noqa: E731
    return float(edge(right, right - 1) - edge(left, left + 1)) * step - (0.3 if noise_sd else 0.0)


def cases(n: int, seed: int = 0) -> list[Spectrometer]:
    """Spectrometers with random distortions, scaled so that the undisturbed line is 3.5 to 4.5 Hz wide."""
    rng = np.random.default_rng(seed)
    out = []
    while len(out) < n:
        direction = rng.uniform(-1, 1, 4)
        wanted = rng.uniform(3.5, 4.5)
        low, high = 0.0, 6.0
        for _ in range(30):  # the width grows with the distortion
            middle = 0.5 * (low + high)
            s = Spectrometer(middle * direction, sampling=SAMPLING, seed=1000 + len(out))
            low, high = (middle, high) if width(s.clean(np.zeros(4))) < wanted else (low, middle)
        out.append(Spectrometer(high * direction, sampling=SAMPLING, seed=1000 + len(out)))
    return out


def _sample() -> Specimen:
    place, weight = tube(4, 8, 12)
    maps = channels(Spectrometer.names, place, weight)
    return Specimen(jnp.asarray(weight), jnp.asarray(maps), jnp.full(4, 1.2), SAMPLING)


def agent(s: Spectrometer, seed: int) -> np.ndarray:
    """Ours: the field inferred through the differentiable model."""
    _, settings = shim_by_spectra(
        s.acquire,
        _sample(),
        noise_sd=s.noise_sd,
        good_enough=lambda f: width(f, s.noise_sd) < TARGET - 0.05,
        most=MOST,
        key=jax.random.key(seed),
    )
    return settings[-1]


def _counted(s: Spectrometer, most: int):
    last = {"setting": np.zeros(4)}

    def height(setting):
        if s.acquisitions >= most:
            raise Done
        last["setting"] = np.array(setting, float)
        fid = s.acquire(setting)
        if width(fid, s.noise_sd) < TARGET - 0.05:
            raise Done
        return -float(np.abs(np.fft.fft(fid, 4 * len(fid))).max())

    return height, last


def nelder_mead(s: Spectrometer, most: int) -> np.ndarray:
    """Simplex on the height of the line, first simplex of 1 Hz a channel."""
    height, last = _counted(s, most)
    simplex = np.concatenate([np.zeros((1, 4)), np.eye(4)])
    try:
        while True:
            end = minimize(
                height,
                simplex[0],
                method="Nelder-Mead",
                options={"initial_simplex": simplex, "xatol": 1e-2, "fatol": 1e-3},
            )
            simplex = end.x + 0.3 * np.concatenate([np.zeros((1, 4)), np.eye(4)])
    except Done:
        return last["setting"]


def parabola(s: Spectrometer, most: int) -> np.ndarray:
    """Channel by channel: three heights, the vertex of their parabola; steps halve after each round."""
    height, last = _counted(s, most)
    x, step = np.zeros(4), 1.0
    try:
        here = height(x)
        while True:
            for k in range(4):
                e = step * np.eye(4)[k]
                up, down = height(x + e), height(x - e)
                curve = up + down - 2 * here
                move = 0.5 * step * (down - up) / curve if curve > 0 else (step if up < down else -step)
                trial = x + np.clip(move, -2 * step, 2 * step) * np.eye(4)[k]
                there = height(trial)
                options = [(here, x), (there, trial), (up, x + e), (down, x - e)]
                here, x = min(options, key=lambda o: o[0])
            step = max(0.5 * step, 0.1)
    except Done:
        return last["setting"]


def run(n: int) -> dict[str, list[Outcome]]:
    """All methods on the same cases; the classical ones also with 100 acquisitions."""
    methods = {
        "model-based agent, at most 10": lambda s, i: agent(s, i),
        "Nelder-Mead, at most 10": lambda s, i: nelder_mead(s, MOST),
        "Nelder-Mead, at most 100": lambda s, i: nelder_mead(s, LONG),
        "parabola, at most 10": lambda s, i: parabola(s, MOST),
        "parabola, at most 100": lambda s, i: parabola(s, LONG),
    }
    out = {}
    for name, method in methods.items():
        rows, began = [], time.process_time()
        for i, s in enumerate(cases(n)):
            setting = method(s, i)
            true = width(s.clean(setting))
            rows.append(Outcome(true, s.acquisitions, true < TARGET))
        out[name] = rows
        good = [r for r in rows if r.success]
        used = np.median([r.acquisitions for r in good]) if good else float("nan")
        print(
            f"| {name} | {len(good)} of {n} | {used:.0f} | {np.median([r.fwhm for r in rows]):.2f} | {time.process_time() - began:.0f} |",
            flush=True,
        )
    return out


def main():
    jax.config.update("jax_enable_x64", True)
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    start = [width(s.clean(np.zeros(4))) for s in cases(n)]
    print(f"start: FWHM {min(start):.2f} to {max(start):.2f} Hz, median {np.median(start):.2f}")
    print(
        "| method | below 1 Hz | acquisitions (median of successes) | FWHM at the end (median, Hz) | CPU s |\n|---|---|---|---|---|"
    )
    run(n)


if __name__ == "__main__":
    main()
