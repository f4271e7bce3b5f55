"""Lee and Kim 2022 (row 31): a Bayesian CNN gives concentrations with aleatoric and epistemic uncertainty.

`python -m benchmarks.studies.row31_bayesian_cnn`. Beyond the paper: coverage, and the uncertainty over the Cramer-Rao bound.
"""

import numpy as np

from benchmarks.studies.monte_carlo_dropout import passes
from benchmarks.studies.scores import correlation, mape, mean_sd, totals
from benchmarks.studies.study import METABOLITES, Learner, Study, classical, cpu, main, world
from mrsjax.nn import NetworkSpec, Training


def score(networks, world, samples):
    fids, m, names = samples.data, len(world.metabolites), list(world.metabolites)
    truth = samples.truth["amplitudes"][:, :m]
    result, slow = classical(world, fids)
    fitted, bound = np.asarray(result.amplitudes)[:, :m], np.asarray(result.crlb)[:, :m]
    rows: list[tuple] = [("method", "MAPE of tNAA, tCr, tCho, Glx, Ins / %", "r of uncertainty and error, 20 metabolites",
                          "inside 68 % / 95 %", "uncertainty over bound, SNR 10 to 27", "SNR 74 to 200", "CPU ms a spectrum")]  # fmt: skip

    def line(name, found, sd, ms):
        error, snr = np.abs(found - truth), samples.labels["snr"]
        inside = [100 * np.mean(error <= z * sd) for z in (1.0, 1.96)]
        ratio = [float(np.median((sd / bound)[i])) for i in (snr < 27, snr >= 74)]
        return (name, mape(totals(names, found), totals(names, truth)), mean_sd(correlation(sd, error)),
                f"{inside[0]:.0f} / {inside[1]:.0f}", *ratio, ms)  # fmt: skip

    (found, aleatoric, epistemic), ms = cpu(lambda: passes(networks["cnn"], fids), len(fids))
    total = np.sqrt(aleatoric**2 + epistemic**2)
    rows.append(line("CNN, aleatoric + epistemic", found, total, ms))
    rows.append(line("CNN, aleatoric alone", found, aleatoric, ms))
    rows.append(line("CNN, epistemic alone", found, epistemic, ms))
    rows.append(line("fit, Cramer-Rao bound", fitted, bound, slow))
    return rows


STUDY = Study(
    row="31",
    title="Lee and Kim 2022, Bayesian CNN",
    published="comparable to LCModel, uncertainty highly correlated with the error (numbers not read)",
    reduced="three strided layers, dropout 0.1, 24 passes, 20 metabolites, spectra drawn once",
    simulate=world,
    learners={
        "cnn": Learner(
            NetworkSpec(
                encoder={"name": "cnn", "channels": [16, 32, 64], "widths": [256], "rate": 0.1},
                model=METABOLITES,
                predicted=(),
                amplitudes="network",
                variance=True,
            ),
            {"likelihood": 1.0},
        )
    },
    settings=Training(steps=800, batch=64, every=200, validation=256, learning_rate=2e-3),
    score=score,
)

if __name__ == "__main__":
    main(STUDY)
