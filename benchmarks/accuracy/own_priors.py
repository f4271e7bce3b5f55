"""Are the reported uncertainties right where the truth is drawn from the fit's own model and priors? `python -m benchmarks.accuracy.own_priors [-n 128]`.

The default model of the packaged basis. Parameters with a prior are drawn from it (own shifts and widths of metabolites and macromolecules, shape of the line, delay); shift +-4 Hz, Lorentz width 1.5 to
4 Hz, Gauss width 3 to 6.3 Hz, phase +-23 degrees; amplitudes about those of a normal brain, spread 25 % (macromolecules 30 % around a common size, their prior). Error over reported standard deviation
(rms; metabolites above three of them) and how often the 95 % interval holds the truth, for the default line and a Voigt line (no shape to draw).
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import to_spectrum
from mrsjax.core.metabolites import SUMS
from mrsjax.data import default_basis
from mrsjax.inference import fit
from mrsjax.inference.starting import TYPICAL
from mrsjax.inference.varpro import Tree
from mrsjax.physics import SignalModel, default_model

RANGES = {"shift": (-4.0, 4.0), "lorentz": (1.5, 4.0), "gauss": (9.0, 40.0), "phase_zero": (-0.4, 0.4)}


def drawn(model: SignalModel, count: int, seed: int):
    """FIDs without noise and their amplitudes."""
    rng, tree = np.random.default_rng(seed), Tree(model)
    sd, mean, low, high = (np.asarray(x) for x in (tree.sd, tree.mean, tree.lower, tree.upper))
    known = np.isfinite(sd)
    flat = np.where(known, mean + np.where(known, sd, 0.0) * rng.normal(size=(count, len(sd))), np.asarray(tree.start))
    values = jax.vmap(tree.unravel)(jnp.asarray(np.clip(flat, low, high)))
    for group, name in (("metabolites", "shift"), ("metabolites", "lorentz"), ("metabolites", "gauss"), ("phase", "phase_zero")):  # fmt: skip
        values[group][name] = jnp.asarray(rng.uniform(*RANGES[name], count))
    values["macromolecules"]["shift"] = values["metabolites"]["shift"] + jnp.asarray(rng.normal(size=count))
    typical = np.array([TYPICAL.get(n, 1.0) for n in model.names])
    amplitudes = typical * np.clip(rng.normal(1, 0.25, (count, len(typical))), 0.1, None)
    broad = np.array([n.startswith("MM") for n in model.names])
    spread = np.clip(rng.normal(1, 0.3, (count, broad.sum())), 0.05, None)
    amplitudes[:, broad] = rng.uniform(4, 8, (count, 1)) * spread
    amplitudes[:, model.names.index("-CrCH2")] = 0
    return np.asarray(jax.jit(jax.vmap(model.signal))(values, jnp.asarray(amplitudes))), amplitudes


def noisy(fids, sampling, snr: float, seed: int):
    """With noise: height at NAA over the standard deviation of its real part."""
    rng, ppm = np.random.default_rng(seed), np.asarray(sampling.ppm)
    height = np.abs(np.asarray(jax.vmap(to_spectrum)(fids)))[:, (ppm > 1.9) & (ppm < 2.15)].max(axis=1)
    noise = rng.normal(size=fids.shape) + 1j * rng.normal(size=fids.shape)
    return fids + noise * (height / snr)[:, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--count", type=int, default=128)
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    basis = default_basis()
    names = ("NAA", "Glu", "Ins", "GSH", "GABA")
    print(f"{given.count} spectra a row, seed {given.seed}\n")
    print(f"| line | SNR | converged | rms | in 95 % | {' | '.join((*names, *SUMS))} |\n|{'---|' * (5 + len(names) + len(SUMS))}")  # fmt: skip
    for line in ("free", "voigt"):
        model = default_model(basis, basis.sampling, lineshape=line)
        clean, truth = drawn(model, given.count, given.seed)
        for snr in (30, 80, 200):
            result = fit(model, noisy(clean, model.sampling, snr, given.seed + snr))
            z = (np.asarray(result.amplitudes) - truth) / np.asarray(result.crlb)
            real = np.isin(result.names, result.metabolites)
            strong = z[:, real][(truth > 3 * np.asarray(result.crlb))[:, real]]
            cells = [_rms(z[:, result.names.index(n)]) for n in names]
            for parts in SUMS.values():
                value, sd = (np.asarray(x) for x in result.total(parts))
                cells.append(
                    _rms((value - sum(truth[:, result.names.index(n)] for n in parts if n in result.names)) / sd)
                )
            good = int(np.sum(np.asarray(result.status) == 0))
            inside = 100 * np.mean(np.abs(strong) < 1.96)
            print(f"| {line} | {snr} | {good} | {_rms(strong)} | {inside:.1f} | {' | '.join(cells)} |", flush=True)


def _rms(z) -> str:
    return f"{np.sqrt(np.mean(z**2)):.2f}"


if __name__ == "__main__":
    main()
