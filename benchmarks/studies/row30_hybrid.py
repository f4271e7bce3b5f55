"""Shamaei 2023 (row 30) as a hybrid: the encoder gives the shared non-linear parameters, amplitudes are solved exactly, the fit refines.

`python -m benchmarks.studies.row30_hybrid`. The question: the accuracy of our own fit from a cold start at a tenth of its time?
"""

import jax
import numpy as np

from benchmarks.studies.scores import TOTALS, mape, r2, totals
from benchmarks.studies.study import DRAWN, Learner, Study, cpu, main, world
from mrsjax.core.compilation import bound, jit
from mrsjax.inference import fit
from mrsjax.inference.batch import map_rows
from mrsjax.inference.one_step import one_step
from mrsjax.inference.varpro import single
from mrsjax.nn import NetworkSpec, Training, layers
from mrsjax.nn.prediction import encode
from mrsjax.physics import default_model
from mrsjax.physics.decimation import decimated

PREDICTED = (
    "metabolites.shift",
    "metabolites.lorentz",
    "metabolites.gauss",
    "phase.phase_zero",
    "macromolecules.shift",
    "macromolecules.lorentz",
)


def projected(network, short, fids):
    """Exact amplitudes at the network's parameters, by the short model; single precision, no Cramer-Rao bounds; slot by slot, as the fit works."""
    return map_rows(bound(_projected, network, short), fids)


@jit
def _projected(network, short, fids):
    def one(fid):
        found = network.encode(fid)
        return found.noise * layers.project(short, found.problem, found.values)

    return jax.vmap(one)(fids)


def score(networks, world, samples):
    fids, m, names = samples.data.astype(complex), len(world.metabolites), list(world.metabolites)
    truth, network, count = samples.truth["amplitudes"][:, :m], networks["mlp"], len(samples.data)
    sums, true = list(TOTALS.values()), totals(names, truth)
    model = default_model(world.basis, world.sampling, **DRAWN)
    cold, full = cpu(lambda: fit(model, fids), count)
    rows: list[tuple] = [("method", "error of tNAA, tCr, tCho, Glx, Ins / %", "bias of these / %", "coverage of their 90 % intervals / %",
                          "median R^2 of 20 metabolites", "CPU ms a spectrum", "time / cold fit", "not converged / %")]  # fmt: skip

    def line(name, amplitudes, ms, result=None):
        found = np.asarray(amplitudes)[:, :m]
        covered = undone = "-"
        off = totals(names, found) - true
        if result is not None:
            sd = np.stack([np.asarray(result.total(parts)[1]) for parts in sums], axis=1)
            covered = 100 * float(np.mean(np.abs(off) < 1.645 * sd))
            undone = 100 * float(np.mean(np.asarray(result.status) != 0))
        bias = 100 * float(np.mean(np.abs(off.mean(axis=0)) / true.mean(axis=0)))
        return (name, mape(totals(names, found), true), bias, covered, float(np.median(r2(found, truth))), ms, ms / full, undone)  # fmt: skip

    rows.append(line("fit, cold start", cold.amplitudes, full, cold))
    values, encoding = cpu(lambda: encode(network, fids)[0], count)
    short, data = single(decimated(network.model)), np.asarray(samples.data, np.complex64)
    found, ms = cpu(lambda: projected(network, short, data), count)
    rows.append(line("encoder, exact amplitudes, no Cramer-Rao bounds", found, ms))
    for name, of in (("shared parameters", model.coarse()), ("all parameters", model)):
        result, ms = cpu(lambda of=of: one_step(of, fids, values), count)
        rows.append(line(f"one step of {name} from the encoder", result.amplitudes, ms + encoding, result))
    for iterations in (0, 2, 59):
        result, ms = cpu(lambda k=iterations: fit(model, fids, start=values, max_iterations=1 + k), count)
        rows.append(line(f"fit from the encoder, {iterations} iterations", result.amplitudes, ms + encoding, result))  # fmt: skip
    return rows


STUDY = Study(
    row="30, hybrid",
    title="Shamaei 2023 with variable projection and refinement",
    published="(nothing: the hybrid is ours)",
    reduced="MLP, supervised, in place of the autoencoder",
    simulate=world,
    learners={
        "mlp": Learner(
            NetworkSpec(encoder={"name": "mlp", "widths": [256, 128]}, predicted=PREDICTED, model=DRAWN),
            {"parameters": 1.0},
        )
    },
    settings=Training(steps=20000, batch=128, every=2000, validation=256, learning_rate=2e-3),
    score=score,
    count=512,
)

if __name__ == "__main__":
    main(STUDY)
