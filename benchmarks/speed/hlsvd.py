"""Water removal in simulated voxels, ours beside hlsvdpropy: `python -m benchmarks.speed.hlsvd [--voxels N] [--peer M]`.

CPU time of N voxels (1024 points, 2 kHz, 3 T) through `remove_peaks_all`, and of M of them through hlsvdpropy (25 singular values, its default dense and, where it runs, its sparse
solver); the error left in 4.35-4.95 ppm and in 0.2-4.1 ppm in units of the noise, and how far the removal moves the amplitudes of the metabolite lines (least squares, lines known), root mean square over
the voxels in units of their Cramer-Rao bound. Prints times for one voxel and their ratio.
"""

import argparse
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import Sampling, to_spectrum
from mrsjax.processing import BandHLSVD, remove_peaks_all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxels", type=int, default=1000)
    parser.add_argument("--peer", type=int, default=5)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    sampling = Sampling(5e-4, 123.25e6, 1024)
    t, ppm = np.asarray(sampling.time), np.asarray(sampling.ppm)
    rng = np.random.default_rng(0)

    def line(at, size, width, gauss=0.0, phase=0.0):
        f = np.asarray(sampling.to_hz(np.asarray(at)))[..., None]
        decay = np.pi * np.asarray(width)[..., None] * t + (np.pi * gauss * t) ** 2 / (4 * np.log(2))
        return np.asarray(size)[..., None] * np.exp(1j * np.asarray(phase)[..., None] + 2j * np.pi * f * t - decay)

    n = given.voxels
    lines = [line(p, a, w) for p, a, w in ((2.01, 12, 5), (3.03, 8, 5), (3.2, 6, 5), (3.9, 5, 5), (1.3, 20, 20))]
    metabolites = sum(lines)
    b0 = rng.normal(0, 0.03, n)
    water = line(4.65 + b0, rng.uniform(500, 4000, n), rng.uniform(3, 6, n), 4.0, rng.uniform(-3, 3, n))
    sd = 0.5
    truth = metabolites + sd * (rng.normal(size=(n, t.size)) + 1j * rng.normal(size=(n, t.size)))
    data = truth + water
    band = BandHLSVD(sampling)
    remove_peaks_all(data[:16], band)
    began = time.process_time()
    clean, _ = remove_peaks_all(data, band)
    ours = (time.process_time() - began) / n

    def left(x, goal):
        e = np.asarray(to_spectrum(jnp.asarray(x - goal)))
        return [
            np.sqrt(np.mean(np.abs(e[:, (ppm > a) & (ppm < b)]) ** 2)) / (sd * 2**0.5)
            for a, b in ((4.35, 4.95), (0.2, 4.1))
        ]

    columns = np.array(lines + [1j * x for x in lines])
    solve = np.linalg.pinv(np.concatenate([np.real(columns), np.imag(columns)], 1).T)
    amplitudes = lambda x: np.concatenate([np.real(x), np.imag(x)], 1) @ solve.T  # noqa: E731
    crlb = sd * np.sqrt(np.diag(solve @ solve.T))

    def moved(x, goal):
        change = (amplitudes(x) - amplitudes(goal)) / crlb
        return np.sqrt(np.mean(change**2, axis=0))

    print(f"amplitudes moved / CRLB, real and imaginary parts: {np.round(moved(clean, truth), 2)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import hlsvdpropy
    m = given.peer
    low, high = (float(sampling.to_hz(p)) for p in (4.35, 4.95))
    print("                       CPU ms / voxel   error in water window   in 0.2-4.1 ppm (noise SD)")
    print(f"mrsjax ({n} voxels)     {1e3 * ours:10.2f} {left(clean, truth)[0]:18.2f} {left(clean, truth)[1]:18.3f}")
    for sparse in (False, True):
        began = time.process_time()
        try:
            for fid in data[:m]:
                hlsvdpropy.hlsvdpro(fid, 25, sparse=sparse)
        except Exception as error:
            print(f"hlsvdpropy sparse={sparse}: {type(error).__name__}: {str(error)[:80]}")
            continue
        theirs = (time.process_time() - began) / m
        print(f"hlsvdpropy sparse={sparse!s:5} ({m}) {1e3 * theirs:10.2f}   ratio {theirs / ours:.0f}")
    out = []
    for fid in data[:m]:
        _, _, hz, decay, size, phase = hlsvdpropy.hlsvd(fid, 25, 0.5)
        take = (hz * 1e3 > low) & (hz * 1e3 < high)
        rate = (2j * np.pi * hz * 1e3 + 1e3 / decay)[take]
        out.append(fid - (size * np.exp(1j * np.deg2rad(phase)))[take] @ np.exp(rate[:, None] * t))
    e = left(np.array(out), truth[:m])
    mine = left(clean[:m], truth[:m])
    print(
        f"same {m} voxels, error in the window / outside: mrsjax {mine[0]:.2f} / {mine[1]:.3f}, hlsvdpropy {e[0]:.2f} / {e[1]:.3f}"
    )


if __name__ == "__main__":
    main()
