"""Laplace and NUTS beside the Cramer-Rao bound on the default model: `python -m benchmarks.accuracy.posteriors [FOLDER]`.

One spectrum of the default model (20 metabolites, 15 macromolecules, spline baseline, own shifts and widths), simulated (seed 3) or, where FOLDER has one, measured: `data.raw`
with `3t.basis` of ../shared/data/svs_3t_press30. CPU time, R-hat, effective draws, and for amplitudes above 5 bounds and below: spread over bound, distance of the
mean from the fit in bounds, and mean difference of the 16, 50 and 84 % quantiles of the two.
"""

import argparse
import pathlib
import time

import jax
import numpy as np

from benchmarks.speed.fit import spectra
from mrsjax import io
from mrsjax.data import default_basis
from mrsjax.inference import fit
from mrsjax.inference.posterior import Laplace, Nuts, posterior
from mrsjax.physics import default_model


def spectrum(folder: str | None):
    """Model and FID."""
    if folder is None:
        basis = default_basis()
        model = default_model(basis, basis.sampling)
        return model, spectra(model, 1, seed=3)
    place = pathlib.Path(folder)
    data = io.read(place / "data.raw", central_frequency=127.7861e6, dwell_time=5e-4)
    return default_model(io.read_basis(place / "3t.basis"), data.sampling), np.asarray(data.spectra)


def timed(call):
    """Result and CPU seconds, compilation counted."""
    start = time.process_time()
    return call(), time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--warmup", type=int, default=Nuts().warmup)
    parser.add_argument("--draws", type=int, default=Nuts().draws)
    parser.add_argument("--pilots", type=int, default=Nuts().pilots)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--accept", type=float, default=Nuts().target_accept)
    parser.add_argument("--depth", type=int, default=Nuts().depth)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    model, fids = spectrum(given.folder)
    result = fit(model, fids)
    laplace, quick = timed(lambda: posterior(model, fids, result, Laplace(), key=jax.random.key(1)))
    method = Nuts(given.warmup, given.draws, pilots=given.pilots, target_accept=given.accept, depth=given.depth)
    nuts, slow = timed(lambda: posterior(model, fids, result, method, key=jax.random.key(given.seed)))
    (r_hat, ess), (r_theta, ess_theta) = nuts.diagnose(nuts.amplitudes), nuts.diagnose(nuts.theta)
    best, bound = np.asarray(result.amplitudes)[0], np.asarray(result.crlb)[0]
    a, b = (x.amplitudes.reshape(-1, len(best)) for x in (laplace, nuts))
    worst = np.argsort(-r_hat[0])[:4]
    print(
        f"status {int(result.status[0])}, {nuts.theta.shape[-1]} parameters, {len(best)} amplitudes\n"
        f"laplace: {quick:.0f} s CPU with compilation, effective draws {laplace.weighted[0]:.0f} of {len(a)}\n"
        f"nuts, {method.chains} chains of {method.warmup} + {method.draws} after {method.pilots} pilots: {slow:.0f} s CPU with compilation; amplitudes: R-hat at most {r_hat.max():.3f}, effective draws"
        f" at least {ess.min():.0f}, median {np.median(ess):.0f} of {len(b)}; parameters: {r_theta.max():.3f}, {ess_theta.min():.0f}; divergent {nuts.divergent[0]:.0f}\n"
        f"mixing worst: {', '.join(f'{nuts.names[i]} {r_hat[0, i]:.3f}' for i in worst)}\n"
    )
    print(
        "| amplitudes | number | sd / bound, laplace | nuts | mean - fit, laplace | nuts | quantiles, laplace - nuts |"
    )
    print("|---|---|---|---|---|---|---|")
    apart = np.abs(np.subtract(*(np.quantile(x, (0.16, 0.5, 0.84), axis=0) for x in (a, b)))).mean(axis=0) / bound
    for name, rows in (("above 5 bounds", best > 5 * bound), ("below", best <= 5 * bound)):
        cells = [x for y in ("std", "mean") for z in (a, b) for x in [_of(y, z, best, bound)[rows].mean()]]
        print(f"| {name} | {rows.sum()} | " + " | ".join(f"{x:.2f}" for x in [*cells, apart[rows].mean()]) + " |")


def _of(what, draws, best, bound):
    return draws.std(axis=0) / bound if what == "std" else (draws.mean(axis=0) - best) / bound


if __name__ == "__main__":
    main()
