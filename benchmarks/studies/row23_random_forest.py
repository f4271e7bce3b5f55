"""Das 2017 (row 23): a random forest gives the concentrations of five metabolites; beside it a network on the same spectra.

`python -m benchmarks.studies.row23_random_forest` (needs scikit-learn, which the extra `dev` installs).
"""

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from benchmarks.studies.scores import correlation, mape, metabolites, r2, slope, totals, with_prior
from benchmarks.studies.study import METABOLITES, Learner, Study, classical, cpu, draw, main, world
from mrsjax.nn import NetworkSpec, Training

FOREST_SEED = 31


def features(network, fids):
    """Real parts in the window on the network's scale, and the scale."""
    import jax

    out, scale = jax.jit(jax.vmap(network.inputs))(np.asarray(fids))
    return np.asarray(out)[..., 0], np.asarray(scale)


def score(networks, world, samples):
    fids, m, names, network = samples.data, len(world.metabolites), list(world.metabolites), networks["mlp"]
    truth = totals(names, samples.truth["amplitudes"][:, :m])
    known = draw(world.simulator, 24 * len(fids), seed=FOREST_SEED)
    x, scale = features(network, known.data)
    forest = RandomForestRegressor(60, min_samples_leaf=3, max_features=0.2, random_state=0)
    forest.fit(x, totals(names, known.truth["amplitudes"][:, :m]) / scale[:, None])
    rows: list[tuple] = [("method", "MAPE of tNAA, tCr, tCho, Glx, Ins / %", "mean R^2", "mean slope",
                          "mean r with the fit", "CPU ms a spectrum", "times faster than the fit")]  # fmt: skip
    result, slow = classical(world, fids)
    fitted = totals(names, np.asarray(result.amplitudes)[:, :m])

    def line(name, found, ms):
        r = float(np.mean(correlation(found, fitted))) if np.ptp(found, axis=0).all() else "-"
        return (name, mape(found, truth), float(np.mean(r2(found, truth))), float(np.mean(slope(found, truth))),
                r, ms, "-" if ms == "-" else slow / ms)  # fmt: skip

    def by_forest():
        x, scale = features(network, fids)
        return forest.predict(x) * scale[:, None]

    rows.append(line(f"random forest of {len(x)} spectra", *cpu(by_forest, len(fids))))
    found, ms = cpu(lambda: metabolites(network, fids), len(fids))
    rows.append(line("MLP, spectra drawn once", totals(names, found), ms))
    rows.append(line("fit", fitted, slow))
    rows.append(
        line(
            "fit, told the mean and spread of the training data", totals(names, with_prior(result, world)[:, :m]), slow
        )
    )
    always = totals(names, known.truth["amplitudes"][:, :m]).mean(axis=0)
    rows.append(line("the mean of the training data, always", np.broadcast_to(always, truth.shape), "-"))
    return rows


STUDY = Study(
    row="23",
    title="Das 2017, random forest",
    published="agreement with LCModel, 60 times faster",
    reduced="constant leaves (theirs: linear), 60 trees of 4 608 spectra, real part of 252 points; PRESS TE 30 simulated",
    simulate=world,
    learners={
        "mlp": Learner(
            NetworkSpec(
                encoder={"name": "mlp", "widths": [256, 128]}, model=METABOLITES, predicted=(), amplitudes="network"
            ),
            {"amplitudes": 1.0},
        )
    },
    settings=Training(steps=1600, batch=128, every=200, validation=256, learning_rate=2e-3),
    score=score,
)

if __name__ == "__main__":
    main(STUDY)
