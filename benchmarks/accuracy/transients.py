"""Frequency and phase error of spectral registration beside the Cramer-Rao bound: `python -m benchmarks.accuracy.transients [--transients N] [--robust | --beside]`.

Transients of the packaged PRESS TE 30 basis at 3 T with a drift of +-20 Hz and +-90 degrees (uniform) and a residual of water and lipid whose size and phase change from transient to
transient. SNR in dB is the mean power of the metabolite FID over that of the noise in the time domain (2048 points), our reading of Ma 2022, who does not define it. The errors are
those about the common offset of the series. Published on their own simulations (studies.md rows 13, 14): MLP 0.00+-0.03 Hz, -0.11+-0.25 degrees; CNN 0.01+-0.01 Hz, 0.12+-0.09 degrees at
12 dB; 0.01+-0.02 Hz, -0.07+-0.44 degrees at 1.5 dB.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.cli.demo import CONCENTRATIONS
from mrsjax.data import default_basis
from mrsjax.processing import align, beside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transients", type=int, default=128)
    parser.add_argument("--robust", action="store_true")
    parser.add_argument("--beside", action="store_true", help="changing water and lipid left out of the comparison")
    given = parser.parse_args()
    count = given.transients
    jax.config.update("jax_enable_x64", True)
    basis = default_basis()
    sampling = basis.sampling
    t = np.asarray(sampling.time)
    amounts = np.array([CONCENTRATIONS.get(n, 0.0) for n in basis.names])
    clean = amounts @ np.asarray(basis.fids) * np.exp(-np.pi * 5.0 * t)
    power = np.mean(np.abs(clean) ** 2)
    rng = np.random.default_rng(2026)

    def nuisance(ppm, width):
        f = float(sampling.to_hz(ppm))
        line = np.exp(2j * np.pi * f * t - np.pi * width * t) * np.abs(clean[0])
        return rng.uniform(0, 1, (count, 1)) * np.exp(1j * rng.uniform(-np.pi, np.pi, (count, 1))) * line

    if given.beside:
        lines = beside.subspace(sampling)
        run = jax.jit(lambda d: align(d, sampling, nuisance=lines, limit_hz=50.0)[1])
    else:
        run = jax.jit(lambda d: align(d, sampling, window=(1.8, 4.2), limit_hz=50.0, robust=given.robust)[1])
    print(f"{count} transients, {sampling.n_points} points")
    print("SNR dB  nuisance   frequency Hz mean+-SD  CRLB    phase deg mean+-SD   CRLB")
    began = time.process_time()
    for with_nuisance in (False, True):
        for decibel in (12.0, 6.0, 3.0, 1.5):
            variance = power / 10 ** (decibel / 10)
            hz, phase = rng.uniform(-20, 20, count), rng.uniform(-np.pi / 2, np.pi / 2, count)
            noise = np.sqrt(variance / 2) * (rng.normal(size=(count, t.size)) + 1j * rng.normal(size=(count, t.size)))
            dirty = clean + (nuisance(4.68, 8.0) + nuisance(1.3, 25.0) if with_nuisance else 0.0)
            data = dirty * np.exp(1j * (2 * np.pi * hz[:, None] * t + phase[:, None])) + noise
            drift = run(jnp.asarray(data))
            df = np.asarray(drift.frequency) - hz
            turn = np.exp(1j * (np.asarray(drift.phase) - phase))
            dp = np.rad2deg(np.angle(turn * np.conj(turn.mean())))
            energy, d = np.abs(clean) ** 2 / (variance / 2), 2 * np.pi * t
            bound = np.sqrt(np.diag(np.linalg.inv([[energy @ d**2, energy @ d], [energy @ d, energy.sum()]])))
            df = df - np.median(df)
            print(
                f"{decibel:5.1f}   {'yes' if with_nuisance else 'no ':3s}    {df.mean():+8.3f} +- {df.std():.3f}      {bound[0]:.3f}"
                f"   {dp.mean():+8.2f} +- {dp.std():.2f}      {np.rad2deg(bound[1]):.2f}"
            )
    print(f"CPU {time.process_time() - began:.1f} s, compilation included")


if __name__ == "__main__":
    main()
