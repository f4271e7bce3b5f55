"""Rizzo 2023 (row 28): spectrum, spectrogram and FID as input, ensembles of them, and how all lean on the mean of the training data.

`python -m benchmarks.studies.row28_forms_of_input`.
"""

import numpy as np

from benchmarks.studies.scores import metabolites, slope, totals, with_prior
from benchmarks.studies.study import METABOLITES, Learner, Study, classical, cpu, main, world
from mrsjax.nn import NetworkSpec, Training

BINS = ((10, 27), (27, 74), (74, 200))


def score(networks, world, samples):
    fids, snr, names = samples.data, samples.labels["snr"], list(world.metabolites)
    truth = samples.truth["amplitudes"][:, : len(names)]
    header = "root mean squared error over spread, slope"
    rows: list[tuple] = [("method", *(f"SNR {a} to {b}, five sums: {header}" for a, b in BINS),
                          f"SNR {BINS[0][0]} to {BINS[0][1]}, {len(names)} metabolites", f"SNR {BINS[2][0]} to {BINS[2][1]}, {len(names)} metabolites", "CPU ms a spectrum")]  # fmt: skip

    def line(name, found, ms):
        def cell(x, y, low, high):
            inside = (snr >= low) & (snr < high)
            error = np.sqrt(np.mean((x - y)[inside] ** 2, axis=0)) / y.std(axis=0)
            return f"{np.median(error):.2f}, {np.median(slope(x[inside], y[inside])):.2f}"

        sums, true = totals(names, found), totals(names, truth)
        return (name, *(cell(sums, true, *b) for b in BINS), cell(found, truth, *BINS[0]), cell(found, truth, *BINS[2]), ms)  # fmt: skip

    found, times = {}, {}
    for name, network in networks.items():
        found[name], times[name] = cpu(lambda n=network: metabolites(n, fids), len(fids))
        rows.append(line(name, found[name], times[name]))
    alike = [n for n in networks if n.startswith("spectrum, CNN")]
    for name, members in {"ensemble of two seeds": alike, "ensemble of all four": list(networks)}.items():
        rows.append(line(name, np.mean([found[n] for n in members], axis=0), sum(times[n] for n in members)))
    result, ms = classical(world, fids)
    rows.append(line("fit", np.asarray(result.amplitudes)[:, : len(names)], ms))
    rows.append(
        line("fit, told the mean and spread of the training data", with_prior(result, world)[:, : len(names)], ms)
    )
    return rows


def _learner(encoder, inputs, seed=0):
    spec = NetworkSpec(encoder=encoder, inputs=inputs, model=METABOLITES, predicted=(), amplitudes="network", seed=seed)
    return Learner(spec, {"amplitudes": 1.0})


CNN = {"name": "cnn", "channels": [16, 32, 64], "widths": [256]}
STUDY = Study(
    row="28",
    title="Rizzo 2023, forms of input and ensembles",
    published="a heterogeneous ensemble of 24 networks is best; model fitting is still more accurate; networks lean on the mean of the training data at low SNR",
    reduced="three forms in place of 24 networks, spectrogram 31 x 16 (128 x 32), no water output, ensembles by the mean; R1 concentrations",
    simulate=world,
    learners={
        "spectrum, CNN": _learner(CNN, {}),
        "spectrum, CNN, second seed": _learner(CNN, {}, seed=1),
        "spectrogram, 2-D CNN": _learner({"name": "cnn2d"}, {"domain": "spectrogram"}),
        "FID, MLP": _learner({"name": "mlp", "widths": [256, 128]}, {"domain": "fid", "points": 512}),
    },
    settings=Training(steps=400, batch=64, every=100, validation=256, learning_rate=2e-3),
    score=score,
)

if __name__ == "__main__":
    main(STUDY)
