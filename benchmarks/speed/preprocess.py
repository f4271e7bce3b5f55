"""CPU time of `preprocess` for one scan after another: `python -m benchmarks.speed.preprocess`.

Three scans of 4 coils, 16 transients and 1,024 points (NAA and creatine, other noise and coils each time), one after another in one process: the first compiles.
"""

import time

import jax
import numpy as np

from mrsjax.core import FIDs, Sampling
from mrsjax.processing import preprocess


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    sampling = Sampling(5e-4, 123e6, 1024)
    t, rng = np.asarray(sampling.time), np.random.default_rng(0)
    complex_normal = lambda *shape: rng.normal(size=shape) + 1j * rng.normal(size=shape)  # noqa: E731
    signal = sum(h * np.exp((2j * np.pi * float(sampling.to_hz(p)) - 20) * t) for p, h in ((2.01, 1.0), (3.03, 0.6)))
    for k in range(3):
        data = complex_normal(4, 1, 1) * signal + 0.05 * complex_normal(4, 16, 1024)
        began = time.process_time()
        preprocess(FIDs(data, sampling, ("DIM_COIL", "DIM_DYN")))
        print(f"scan {k + 1}: {time.process_time() - began:.2f} s CPU")


if __name__ == "__main__":
    main()
