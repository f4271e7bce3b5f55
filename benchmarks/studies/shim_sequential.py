"""Study row 3 (Becker et al. 2022b) without networks: shimming X, Y, Z, Z2 of a spectrometer from its spectra alone.

`python -m benchmarks.studies.shim_sequential [CASES [SEED]]`: simulated spectrometer (simulators.phantoms.spectrometer), 100 random distortions scaled to a line of
3.5 to 4.5 Hz FWHM, target below 1 Hz in at most 10 acquisitions. Published on a real 80 MHz bench-top spectrometer with a ConvLSTM: 87 of 100. Nothing
here is a reproduction of that number: the spectrometer is simulated. `row03_conv_lstm` has the network on the same cases.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from benchmarks.studies.shim_cases import HEADER, LONG, MOST, SAMPLING, Method, cases, judge, narrow, width
from mrsjax.acquisition.shimming.sequential import Specimen, shim_by_spectra
from simulators.phantoms.spectrometer import Spectrometer, channels, tube


class Done(Exception):
    """Raised inside an optimiser when the line is narrow enough or the acquisitions are used up."""


def specimen(spread: float = 1.2) -> Specimen:
    """What the agent assumes: ideal channels on a coarser tube than the simulated one, and the simulation's homogeneous width, known to a factor of 1.6."""
    place, weight = tube(4, 8, 12)
    maps = channels(Spectrometer.names, place, weight)
    return Specimen(
        jnp.asarray(weight),
        jnp.asarray(maps),
        jnp.full(4, spread),
        SAMPLING,
        lorentz=0.5,
        lorentz_sd=0.5,
        model_error=0.01,
    )


def agent(s: Spectrometer, seed: int) -> np.ndarray:
    """Ours: the field inferred through the differentiable model."""
    done = shim_by_spectra(
        s.acquire, specimen(), noise_sd=s.noise_sd, good_enough=narrow, most=MOST, key=jax.random.key(seed)
    )
    return done.settings[-1]


def _counted(s: Spectrometer, most: int, free: tuple[int, ...]):
    """Minus the height of the line as a function of the free channels, and the last setting."""
    last = {"setting": np.zeros(4)}

    def height(values):
        if s.acquisitions >= most:
            raise Done
        last["setting"] = np.zeros(4)
        last["setting"][list(free)] = values
        fid = s.acquire(last["setting"])
        if narrow(fid):
            raise Done
        return -float(np.abs(np.fft.fft(fid, 4 * len(fid))).max())

    return height, last


def nelder_mead(s: Spectrometer, most: int, free: tuple[int, ...] = (0, 1, 2, 3)) -> np.ndarray:
    """Simplex on the height of the line, first simplex of 1 Hz a channel."""
    height, last = _counted(s, most, free)
    k = len(free)
    simplex = np.concatenate([np.zeros((1, k)), np.eye(k)])
    try:
        while True:
            end = minimize(
                height,
                simplex[0],
                method="Nelder-Mead",
                options={"initial_simplex": simplex, "xatol": 1e-2, "fatol": 1e-3},
            )
            simplex = end.x + 0.3 * np.concatenate([np.zeros((1, k)), np.eye(k)])
    except Done:
        return last["setting"]


def parabola(s: Spectrometer, most: int, free: tuple[int, ...] = (0, 1, 2, 3)) -> np.ndarray:
    """Channel by channel: three heights, the vertex of their parabola; steps halve after each round."""
    height, last = _counted(s, most, free)
    x, step = np.zeros(len(free)), 1.0
    try:
        here = height(x)
        while True:
            for e in step * np.eye(len(free)):
                up, down = height(x + e), height(x - e)
                curve = up + down - 2 * here
                move = 0.5 * (down - up) / curve if curve > 0 else (1.0 if up < down else -1.0)
                trial = x + np.clip(move, -2, 2) * e
                there = height(trial)
                options = [(here, x), (there, trial), (up, x + e), (down, x - e)]
                here, x = min(options, key=lambda o: o[0])
            step = max(0.5 * step, 0.1)
    except Done:
        return last["setting"]


#: The classical searches of rows 2 and 3.
SEARCHES: dict[str, Method] = {
    "Nelder-Mead, at most 10": lambda s, _: nelder_mead(s, MOST),
    "Nelder-Mead, at most 100": lambda s, _: nelder_mead(s, LONG),
    "parabola, at most 10": lambda s, _: parabola(s, MOST),
    "parabola, at most 100": lambda s, _: parabola(s, LONG),
}


def main():
    jax.config.update("jax_enable_x64", True)
    count, seed = (int(x) for x in (sys.argv[1:] + ["100", "0"][len(sys.argv) - 1 :])[:2])
    world = cases(count, seed, first=1000 * (seed + 1))
    start = [width(s.clean(np.zeros(4))) for s in world]
    print(f"start: FWHM {min(start):.2f} to {max(start):.2f} Hz, median {np.median(start):.2f}\n{HEADER}")
    rows = judge("model-based agent, at most 10", agent, world)
    print(
        "failures (case, FWHM, acquisitions):",
        [(i, round(r.fwhm, 2), r.acquisitions) for i, r in enumerate(rows) if not r.success],
    )
    for name, method in SEARCHES.items():
        judge(name, method, world)


if __name__ == "__main__":
    main()
