"""What the studies count: errors of amplitudes `(spectra, metabolites)`, all in the order of the world's metabolites."""

import numpy as np

from mrsjax.core.metabolites import SUMS

#: The sums that are large enough in every spectrum for a relative error to mean something.
TOTALS = {**SUMS, "Ins": ("Ins",)}


def totals(names, table) -> np.ndarray:
    """tNAA, tCr, tCho, Glx, Ins: `(spectra, 5)`."""
    return np.stack(
        [np.sum([table[:, names.index(p)] for p in parts if p in names], axis=0) for parts in TOTALS.values()], axis=1
    )


def mape(found, truth) -> float:
    """Mean absolute percentage error, %."""
    return 100 * float(np.mean(np.abs(found / truth - 1)))


def smape(found, truth) -> float:
    """Symmetric mean absolute percentage error |a - b| / ((|a| + |b|) / 2), %, 0 to 200 (Hatami 2018)."""
    return 100 * float(np.mean(np.abs(found - truth) / (0.5 * (np.abs(found) + np.abs(truth)))))


def r2(found, truth) -> np.ndarray:
    """1 - mean squared error over the variance of the truth, for each column; below 0: worse than saying the mean."""
    return 1 - np.mean((found - truth) ** 2, axis=0) / np.var(truth, axis=0)


def slope(found, truth) -> np.ndarray:
    """Slope of the regression of what was found on the truth, for each column: 1 unbiased, 0 the mean of the training data."""
    x, y = truth - truth.mean(axis=0), found - found.mean(axis=0)
    return (x * y).sum(axis=0) / (x * x).sum(axis=0)


def correlation(a, b) -> np.ndarray:
    """Pearson's r for each column."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))


def mean_sd(x) -> str:
    """Mean and standard deviation."""
    return f"{np.mean(x):.2f} +- {np.std(x):.2f}"


def metabolites(network, fids) -> np.ndarray:
    """Amplitudes of a network that gives them itself: `(spectra, metabolites)`."""
    from mrsjax.nn.prediction import encode

    return np.asarray(encode(network, fids)[1])


def with_prior(result, world) -> np.ndarray:
    """What a fit says once it is told the mean and the spread of the training data, as the networks are: `(spectra, amplitudes)`.

        x = m + S (S + C)^-1 (c - m)

    with amplitudes c of covariance C (Cramer-Rao) and the normal distribution (m, S) of the training data's amplitudes.
    """
    from benchmarks.studies.study import draw

    known = draw(world.simulator, 512, seed=1).truth["amplitudes"]
    mean, spread = known.mean(axis=0), np.diag(known.var(axis=0))
    found, covariance = np.asarray(result.amplitudes), np.asarray(result.covariance)
    return mean + (spread @ np.linalg.solve(spread + covariance, (found - mean)[..., None]))[..., 0]
