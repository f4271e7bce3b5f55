"""Artificial data fitted again: `python -m benchmarks.accuracy.artificial_round_trip [-n 200] [--recipe r1]`.

Spectra of a recipe without baseline, fitted with the model that made them: the error over the reported standard deviation (root mean square, wanted 1), the
fraction inside the 95 % interval, and the bias, for each metabolite; amplitudes above three standard deviations in the middle column. Then the same spectra with
the recipe's baseline and the default model.
"""

import argparse
import time

import equinox as eqx
import jax
import numpy as np

from mrsjax.core import Sampling
from mrsjax.data import default_basis
from mrsjax.inference import fit
from mrsjax.physics import SignalModel, default_model, no_baseline, window_of
from simulators.datasets import recipe
from simulators.datasets.blocks import blocks


def fit_model(model: SignalModel, low: float = 0.2, high: float = 4.2) -> SignalModel:
    """The generating model on a fit window, in the session's precision."""
    wide = jax.tree.map(
        lambda x: x.astype(np.result_type(x.dtype, np.float64)) if eqx.is_inexact_array(x) else x, model
    )
    s = wide.sampling
    sampling = Sampling(s.dwell_time, s.central_frequency, s.n_points, ppm_ref=s.ppm_ref)
    window = window_of(sampling, low, high)
    base = no_baseline(np.asarray(sampling.ppm)[slice(*window)])
    return SignalModel(wide.groups, wide.phase, base, (), (), sampling, window)


def drawn(simulator, count: int, seed: int) -> dict[str, np.ndarray]:
    parts = list(blocks(simulator, seed, 0, -(-count // simulator.block) * simulator.block))
    return {k: np.concatenate([p[k] for p in parts])[:count] for k in parts[0]}


def table(result, truth: np.ndarray, names: tuple[str, ...]) -> None:
    index = [result.names.index(n) for n in names]
    found, sd = np.asarray(result.amplitudes)[:, index], np.asarray(result.crlb)[:, index]
    ok = (np.asarray(result.status) == 0)[:, None] & np.isfinite(sd) & (sd > 0)
    z = np.where(ok, (found - truth) / np.where(ok, sd, 1.0), np.nan)
    strong = np.where(found > 3 * sd, z, np.nan)
    print(f"{'':8} {'rms z':>6} {'>3 sd':>6} {'in 95%':>7} {'bias %':>7} {'MAPE %':>7}")
    for j, name in enumerate(names):
        error = (found - truth)[:, j] / truth[:, j]
        print(
            f"{name:8} {np.sqrt(np.nanmean(z[:, j] ** 2)):6.2f} {np.sqrt(np.nanmean(strong[:, j] ** 2)):6.2f} "
            f"{100 * np.nanmean((np.abs(z) < 1.96)[:, j][ok[:, j]]):7.1f} {100 * np.mean(error):7.1f} {100 * np.mean(np.abs(error)):7.1f}"
        )
    print(
        f"{'all':8} {np.sqrt(np.nanmean(z**2)):6.2f} {np.sqrt(np.nanmean(strong**2)):6.2f} {100 * np.mean(np.abs(z[ok]) < 1.96):7.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--recipe", default="r1")
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    simulator = recipe(args.recipe).spectra
    plain = eqx.tree_at(lambda s: s.artefacts, simulator, ())
    names = simulator.model.groups[0].names
    for title, source, model in (
        ("no baseline, the generating model", plain, fit_model(simulator.model)),
        (
            "with its baseline, the default model (Voigt line)",
            simulator,
            default_model(default_basis(), fit_model(simulator.model).sampling, lineshape="voigt"),
        ),
    ):
        data = drawn(source, args.n, args.seed)
        start = time.process_time()
        result = fit(model, data["data"].astype(np.complex128))
        status = np.bincount(np.asarray(result.status).astype(int)).tolist()
        print(
            f"\n{args.recipe}: {title}; {args.n} spectra, by status {status}, {time.process_time() - start:.0f} s CPU"
        )
        table(result, data["truth.amplitudes"][:, : len(names)].astype(float), names)


if __name__ == "__main__":
    main()
