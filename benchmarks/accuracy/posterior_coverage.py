"""Laplace and NUTS on many spectra of six metabolites: `python -m benchmarks.accuracy.posterior_coverage [-n 48]`.

Six metabolites of the packaged basis (256 points, one Voigt line, no baseline) in two worlds: SNR of NAA 60, and 8, where some of them are within their noise. Seed 5.
Spread over the Cramer-Rao bound, coverage of 90 % intervals, agreement of the two, R-hat and effective draws.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import Sampling
from mrsjax.core.fourier import to_spectrum
from mrsjax.data import default_basis
from mrsjax.inference import fit
from mrsjax.inference.posterior import Laplace, Nuts, posterior
from mrsjax.physics import default_model

AMOUNTS = {"NAA": 10.0, "Cr": 8.0, "GPC": 2.0, "Ins": 6.0, "Glu": 9.0, "Lac": 1.0}
NUTS = Nuts(warmup=200, draws=400, target_accept=0.8, depth=7)


def spectra(count: int, snr: float, seed: int):
    """Model, FIDs and true amplitudes; shift +-2 Hz, phase +-0.3 rad."""
    basis, truth = default_basis().select(tuple(AMOUNTS)), np.array(list(AMOUNTS.values()))
    model = default_model(
        basis,
        Sampling(1 / 2000, basis.sampling.central_frequency, 256),
        lineshape="voigt", macromolecules="off", baseline=None, own_shift=0.0, own_width=0.0, creatine_ch2=0.0, water_tails=0,
    )  # fmt: skip
    rng, values = np.random.default_rng(seed), model.start()

    @jax.vmap
    def clean(shift, phase):
        line = {"shift": shift, "lorentz": jnp.asarray(3.0), "gauss": jnp.asarray(16.0)}
        there = {"metabolites": values["metabolites"] | line, "phase": values["phase"] | {"phase_zero": phase}}
        return model.signal(there, jnp.asarray(truth))

    fids = np.asarray(clean(rng.uniform(-2, 2, count), rng.uniform(-0.3, 0.3, count)))
    height = np.abs(np.asarray(to_spectrum(jnp.asarray(fids)))).max(axis=1, keepdims=True)
    return model, fids + (rng.normal(size=fids.shape) + 1j * rng.normal(size=fids.shape)) * height / snr, truth


def numbers(found):
    return " ".join(f"{x:.2f}" for x in found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--count", type=int, default=48)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print("| SNR | amplitude over bound | method | spread over bound: " + ", ".join(AMOUNTS) + " | in 90 % intervals | R-hat at most | effective draws: least, median | CPU s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for snr in (60.0, 8.0):
        model, fids, truth = spectra(given.count, snr, seed=5)
        result = fit(model, fids)
        bound, quantiles = np.asarray(result.crlb), {}
        strength = numbers(np.median(np.asarray(result.amplitudes) / bound, axis=0))
        for name, method in (("laplace", Laplace(400)), ("nuts", NUTS)):
            start = time.process_time()
            drawn = posterior(model, fids, result, method, key=jax.random.key(1))
            spent = time.process_time() - start
            draws = drawn.amplitudes.reshape(given.count, -1, len(truth))
            low, *middle, high = np.quantile(draws, (0.05, 0.16, 0.5, 0.84, 0.95), axis=1)
            quantiles[name] = np.stack(middle)
            r_hat, effective = drawn.diagnose(drawn.amplitudes)
            inside = 100 * np.mean((low < truth) & (truth < high))
            print(f"| {snr:.0f} | {strength} | {name} | {numbers(np.mean(draws.std(axis=1) / bound, axis=0))} | {inside:.1f} % | {r_hat.max():.3f} |"
                  f" {effective.min():.0f}, {np.median(effective):.0f} of {draws.shape[1]} | {spent:.0f} |")  # fmt: skip
        apart = np.abs(quantiles["laplace"] - quantiles["nuts"]) / bound
        print(
            f"16, 50 and 84 % quantiles of the two apart by {apart.mean():.2f} bounds (mean over {given.count} spectra)"
        )


if __name__ == "__main__":
    main()
