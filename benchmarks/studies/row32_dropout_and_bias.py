"""Rizzo 2022 (row 32): bias at the edges of the training range even without noise, and what Monte Carlo dropout says of it.

`python -m benchmarks.studies.row32_dropout_and_bias`.
"""

import numpy as np

from benchmarks.studies.monte_carlo_dropout import passes
from benchmarks.studies.scores import correlation, mean_sd
from benchmarks.studies.study import METABOLITES, Learner, Study, classical, cpu, draw, main, world
from mrsjax.nn import NetworkSpec, Training

QUIET = {"uniform": [2000, 2001]}


def score(networks, own, samples):
    m, snr = len(own.metabolites), samples.labels["snr"]
    quiet = draw(world(snr=QUIET).simulator, len(samples.data), own.seed)
    rows: list[tuple] = [("method", "SNR 2000: bias over spread, lowest tenth", "middle", "highest tenth", "r of log sd and log bound",
                          "sd over bound, SNR 10 to 27", "SNR 74 to 200", "sd over root mean squared error", "CPU ms a spectrum")]  # fmt: skip
    fits = {name: classical(own, part.data) for name, part in (("quiet", quiet), ("noisy", samples))}
    bound = np.asarray(fits["noisy"][0].crlb)[:, :m]

    def line(name, clean, found, sd, ms):
        truth = quiet.truth["amplitudes"][:, :m]
        order = np.argsort(truth, axis=0)
        tenth = max(len(truth) // 10, 1)
        parts = (order[:tenth], order[len(truth) // 2 - tenth : len(truth) // 2 + tenth], order[-tenth:])
        bias = [float(np.median([(clean - truth)[p[:, j], j].mean() / truth[:, j].std() for j in range(m)])) for p in parts]  # fmt: skip
        ratio = [float(np.median((sd / bound)[i])) for i in (snr < 27, snr >= 74)]
        error = np.sqrt(np.mean((found - samples.truth["amplitudes"][:, :m]) ** 2, axis=0))
        scale = float(np.median(np.sqrt(np.mean(sd**2, axis=0)) / error))
        return (name, *bias, mean_sd(correlation(np.log(sd), np.log(bound))), *ratio, scale, ms)

    (found, _, sd), ms = cpu(lambda: passes(networks["cnn2d"], samples.data), len(samples.data))
    rows.append(line("2-D CNN, Monte Carlo dropout", passes(networks["cnn2d"], quiet.data)[0], found, sd, ms))
    clean, found = (np.asarray(fits[n][0].amplitudes)[:, :m] for n in ("quiet", "noisy"))
    rows.append(line("fit, Cramer-Rao bound", clean, found, bound, fits["noisy"][1]))
    return rows


STUDY = Study(
    row="32",
    title="Rizzo 2022, Monte Carlo dropout and bias",
    published="bias at the edges of the training range even without noise; the standard deviation of dropout does not follow the Cramer-Rao bound",
    reduced="spectrogram 31 x 16 (128 x 32), 16-24-32 channels (300-100-150), spatial dropout 0.2 (0.35), no water reference",
    simulate=world,
    learners={
        "cnn2d": Learner(
            NetworkSpec(
                encoder={"name": "cnn2d", "rate": 0.2},
                inputs={"domain": "spectrogram"},
                model=METABOLITES,
                predicted=(),
                amplitudes="network",
            ),
            {"amplitudes": 1.0},
        )
    },
    settings=Training(steps=800, batch=64, every=200, validation=256, learning_rate=2e-3),
    score=score,
)

if __name__ == "__main__":
    main(STUDY)
