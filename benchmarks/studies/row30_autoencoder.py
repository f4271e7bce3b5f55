"""Shamaei 2023 (row 30): physics-informed autoencoder without labels, with three ways to have macromolecules in its decoder.

`python -m benchmarks.studies.row30_autoencoder`. The hybrid with exact amplitudes is `row30_hybrid`.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from benchmarks.studies.scores import mape, metabolites, r2, totals
from benchmarks.studies.study import DRAWN, METABOLITES, SAMPLING, Learner, Study, World, classical, cpu, main, world
from mrsjax.core import BasisSet
from mrsjax.data import default_basis
from mrsjax.nn import Frozen, NetworkSpec, Training, calibrate, weighted
from mrsjax.physics.macromolecules import MACROMOLECULES, basis_offset, peak_fids
from simulators.tissue import ranges

#: The numeric macromolecules are a component like a metabolite: its name must not start with MM.
NUMERIC = "Numeric"
PREDICTED = ("metabolites.shift", "metabolites.lorentz", "metabolites.gauss", "phase.phase_zero")
CNN = {"name": "cnn", "channels": (16, 32, 64), "widths": (256,)}
#: Relative spread about the lines' known ratios that the regularised variant allows.
SPREAD = 0.1


def simulate() -> World:
    """Shamaei's ranges: shift +-3 Hz, damping 0 to 15 1/s, phase +-9 degrees, macromolecules of one shape; no baseline."""
    basis = default_basis().resample(SAMPLING)
    fids = np.asarray(basis.fids)
    lines = np.asarray(peak_fids(MACROMOLECULES, SAMPLING, basis_offset(basis)))
    shape = np.median(np.abs(fids[:, 0])) * lines.sum(axis=0)
    table = {n: list(p) for n, p in (dict(ranges.SHAMAEI_2023) | dict(ranges.OTHERS)).items()}
    return world(
        basis=BasisSet(np.concatenate([fids, shape[None]]), (*basis.names, NUMERIC), SAMPLING),
        amplitudes={"table": "none", "ranges": table | {NUMERIC: [5.0, 6.1]}},  # 14-17 over 15.5, about the middle of r1
        parameters={
            "phase": {"phase_zero_deg": {"uniform": [-9, 9]}},
            "metabolites": {"shift_hz": {"uniform": [-3, 3]}, "lorentz_hz": {"uniform": [0, 4.8]}, "gauss_hz": {"uniform": [0, 1]}},
        },
        artefacts=[],
        snr={"log_uniform": [20, 200]},
    )  # fmt: skip


def numeric(world: World, seed: int):
    spec = NetworkSpec(encoder=CNN, model=METABOLITES | {"baseline": None}, predicted=PREDICTED, amplitudes="network", seed=seed)  # fmt: skip
    return calibrate(spec, world.basis, world.sampling, world.simulator, seed=seed)


def parametric(world: World, seed: int):
    """Fifteen lines, each with an amplitude of its own, which start at those of the numeric shape."""
    whole = numeric(world, seed)
    basis = world.basis.select([n for n in world.basis.names if n != NUMERIC])
    spec = NetworkSpec(encoder=CNN, model=DRAWN | {"baseline": None}, predicted=PREDICTED, amplitudes="network", seed=seed)  # fmt: skip
    network = calibrate(spec, basis, world.sampling, world.simulator, seed=seed)
    kept, lines = len(basis.names), len(MACROMOLECULES)
    stretch = lambda x: Frozen(jnp.concatenate([x.value[:kept], jnp.repeat(x.value[kept:], lines)]))  # noqa: E731
    where = lambda n: (n.amplitude, n.amplitude_spread)  # noqa: E731
    return eqx.tree_at(where, network, (stretch(whole.amplitude), stretch(whole.amplitude_spread)))


plain = weighted({"signal": 1.0})


def regularised(network, sample, key):
    """`signal`, and a Gaussian prior on the lines' amplitudes about their mean."""
    found = network(sample.data)
    lines = found.amplitudes[-len(MACROMOLECULES) :]
    apart = lines / jnp.mean(lines) - 1
    points = network.model.window[1] - network.model.window[0]
    return plain(network, sample, key) + (found.noise / found.scale) ** 2 * jnp.sum((apart / SPREAD) ** 2) / points


def score(networks, world, samples):
    fids, names = samples.data, [n for n in world.metabolites if n != NUMERIC]
    truth = samples.truth["amplitudes"][:, : len(names)]
    rows: list[tuple] = [("method", "mean R^2 of tNAA, tCr, tCho, Glx, Ins", "MAPE of them / %", "median R^2 of 20 metabolites",
                          "metabolites with R^2 above 0.5", "CPU ms a spectrum")]  # fmt: skip

    def line(name, found, ms):
        sums, true, each = totals(names, found), totals(names, truth), r2(found, truth)
        return (name, float(np.mean(r2(sums, true))), mape(sums, true), float(np.median(each)), f"{np.sum(each > 0.5)}", ms)  # fmt: skip

    for name, network in networks.items():
        found, ms = cpu(lambda n=network: metabolites(n, fids), len(fids))
        rows.append(line(f"autoencoder, {name}", found[:, : len(names)], ms))
    plain_world = world._replace(basis=world.basis.select(names))
    for name, where, options in (("numeric", world, {"macromolecules": "off"}), ("parametric, own shifts and widths", plain_world, {})):  # fmt: skip
        result, ms = classical(where, fids, baseline=None, **options)
        rows.append(line(f"fit, {name}", np.asarray(result.amplitudes)[:, : len(names)], ms))
    return rows


STUDY = Study(
    row="30",
    title="Shamaei 2023, physics-informed autoencoder with three variants of macromolecules",
    published="R^2 comparable to traditional fitting on 10 000 spectra; numeric macromolecules best; at least 12 000 samples needed",
    reduced="3 T PRESS TE 30, three strided layers (depth 6, GELU), spectra drawn once (96 000, 200 epochs), 15 lines (18), loss in the window of 0.2 to 4.2 ppm",
    simulate=simulate,
    learners={
        "numeric": Learner(numeric, plain),
        "parametric": Learner(parametric, plain),
        "regularised": Learner(parametric, regularised),
    },
    settings=Training(steps=300, batch=64, every=100, validation=256, learning_rate=2e-3),
    score=score,
)

if __name__ == "__main__":
    main(STUDY)
