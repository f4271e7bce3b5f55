"""Fitted amplitudes of denoised grids: their scatter beside the bound of the noise before denoising: `python -m benchmarks.accuracy.denoising [--grids N]`.

Grids of 36 voxels (NAA, Cr, choline of smooth weights, lines of 5 Hz, 512 points) are denoised (`processing.low_rank`) and fitted with shift, width and phase free. Prints for each amplitude the standard deviation over the noise
realisations (root mean square over voxels), the bound with the noise before denoising carried along (`fit(noise_sd=...)`), and the bound that the denoised spectra themselves suggest.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import BasisSet, Sampling
from mrsjax.inference import fit
from mrsjax.physics import default_model
from mrsjax.processing import low_rank

SINGLETS = {"NAA": (2.01, 3.0), "Cr": (3.03, 3.0), "GPC": (3.21, 9.0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grids", type=int, default=10)
    runs = parser.parse_args().grids
    jax.config.update("jax_enable_x64", True)
    sampling = Sampling(5e-4, 123.25e6, 512)
    t = np.asarray(sampling.time)
    lines = [h * np.exp((2j * np.pi * float(sampling.to_hz(p)) - np.pi * 0.5) * t) for p, h in SINGLETS.values()]
    basis = BasisSet(np.array(lines), tuple(SINGLETS), sampling)
    model = default_model(
        basis, sampling, lineshape="lorentz", macromolecules="off", baseline=None, own_shift=0, own_width=0,
        water_tails=0, creatine_ch2=0,
    )  # fmt: skip
    rng = np.random.default_rng(6)
    x, y = np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 6), indexing="ij")
    weights = np.stack([10 + 4 * x, 8 - 3 * y, 2 + 0.8 * x * y], axis=-1).reshape(36, 3)
    clean = weights @ np.asarray(basis.fids) * np.exp(-4 * np.pi * t)
    given = clean + 2.0 * (rng.normal(size=(runs, *clean.shape)) + 1j * rng.normal(size=(runs, *clean.shape)))
    found = jax.jit(lambda x: jax.lax.map(low_rank.denoise, x))(jnp.asarray(given))
    stack = np.asarray(found.fids).reshape(runs * 36, -1)
    before = float(jnp.mean(found.noise_sd))
    carried, apparent = fit(model, stack, noise_sd=before), fit(model, stack)
    amplitudes = np.asarray(carried.amplitudes).reshape(runs, 36, -1)
    scatter = np.sqrt(np.mean(np.var(amplitudes, axis=0, ddof=1), axis=0))
    bias = np.sqrt(np.mean((amplitudes.mean(axis=0) - weights) ** 2, axis=0))
    rms = lambda r: np.sqrt(np.mean(np.asarray(r.crlb) ** 2, axis=0))  # noqa: E731
    print(f"noise SD 2, found {before:.3f}; ranks {np.unique(np.asarray(found.rank))}")
    print(
        "        scatter   bound, noise before   bound, noise left   bias (RMS over voxels, with scatter / sqrt(grids))"
    )
    for row in zip(SINGLETS, scatter, rms(carried), rms(apparent), bias, strict=True):
        print(f"{row[0]:6s} {row[1]:8.4f} {row[2]:12.4f} {row[3]:20.4f} {row[4]:18.4f}")


if __name__ == "__main__":
    main()
