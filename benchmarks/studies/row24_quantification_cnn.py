"""Hatami 2018 (row 24): a CNN with real and imaginary part as channels gives the concentrations of 20 metabolites.

`python -m benchmarks.studies.row24_quantification_cnn`.
"""

import numpy as np

from benchmarks.studies.scores import metabolites, r2, smape, with_prior
from benchmarks.studies.study import METABOLITES, Learner, Study, classical, cpu, draw, main, world
from mrsjax.nn import NetworkSpec, Training

BINS = ((10, 27), (27, 74), (74, 200))


def score(networks, world, samples):
    fids, snr, m = samples.data, samples.labels["snr"], len(world.metabolites)
    truth = samples.truth["amplitudes"][:, :m]
    rows: list[tuple] = [("method", *(f"SNR {a} to {b}: SMAPE of {m} metabolites / %" for a, b in BINS), "median R^2", "CPU ms a spectrum")]  # fmt: skip

    def line(name, found, ms):
        inside = [(snr >= a) & (snr < b) for a, b in BINS]
        return (name, *(smape(found[i], truth[i]) for i in inside), float(np.median(r2(found, truth))), ms)

    found, ms = cpu(lambda: metabolites(networks["cnn"], fids), len(fids))
    rows.append(line("CNN, two channels", found, ms))
    result, ms = classical(world, fids)
    rows.append(line("fit", np.asarray(result.amplitudes)[:, :m], ms))
    rows.append(line("fit, told the mean and spread of the training data", with_prior(result, world)[:, :m], ms))
    mean = draw(world.simulator, 512, seed=1).truth["amplitudes"][:, :m].mean(axis=0)
    rows.append(line("the mean of the training data, always", np.broadcast_to(mean, truth.shape), "-"))
    return rows


STUDY = Study(
    row="24",
    title="Hatami 2018, concentrations by a CNN",
    published="SMAPE lower than QUEST's and a random forest's with and without noise (values not read)",
    reduced="three strided layers, spectra drawn once; the fit (variable projection with macromolecules and baseline) in QUEST's place",
    simulate=world,
    learners={
        "cnn": Learner(
            NetworkSpec(
                encoder={"name": "cnn", "channels": [16, 32, 64], "widths": [256]},
                model=METABOLITES,
                predicted=(),
                amplitudes="network",
            ),
            {"amplitudes": 1.0},
        )
    },
    settings=Training(steps=1600, batch=128, every=200, validation=256, learning_rate=2e-3),
    score=score,
)

if __name__ == "__main__":
    main(STUDY)
