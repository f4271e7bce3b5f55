"""Do artificial spectra look like measured ones? `python -m benchmarks.accuracy.artificial_and_measured [-n 48] [--recipe brain r1] [--set]`.

The 12 subjects of `svs_3t_philips_press35_12subjects` (after Klose's correction) beside spectra of a recipe with the subjects' basis and sampling. Both are fitted with the default model; the
fit's phase and shift bring them to one place. Printed: median and quartiles of SNR (tNAA), FWHM (tNAA), area of the fitted baseline relative to that of the metabolites' part of the fit,
fit quality (variance of the residual over that of the noise: what the model cannot explain), correlation of the residual with itself at three ranges of lags (its structure), ratios to tCr. Then the classifier two-sample test (Lopez-Paz and Oquab 2017):
area under the ROC curve (as it is: below 0.5 the classifier is worse than guessing, which few subjects can do) of a logistic regression that tells the two apart, on these numbers and on the principal components of the spectra, each spectrum judged by a
classifier that has not seen it (stratified folds); 0.5 means indistinguishable. With 6 measured spectra one standard error is about 0.13 at 0.5.

Recipe `brain` is set on every second subject (the first, third, ...) alone and judged on the others. `--set` does that and prints what stands in brain.yaml: factors of the literature's
concentrations (ratio of the medians of the fitted ratios to tCr) and the mean of the residue (least squares of the difference between the mean spectra by the splines of the residue), which are found
together: `ROUNDS` times each takes `DAMPING` of the step to where it would go with the other as it is.
"""

import argparse
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import yaml

from benchmarks.accuracy.artificial_round_trip import drawn
from benchmarks.accuracy.real_spectra import ratios, twelve_subjects
from mrsjax.core import to_spectrum
from mrsjax.inference import evaluate_all, fit
from mrsjax.physics import default_model
from simulators.artefacts import SplineBaseline
from simulators.datasets import recipe
from simulators.datasets.recipe import parse

ROUNDS, DAMPING = 4, 0.7


def structure(residual: np.ndarray, first: int, last: int) -> np.ndarray:
    """Mean correlation of each residual with itself over a range of lags (points of the spectrum)."""
    x = residual - residual.mean(axis=1, keepdims=True)
    power = np.sum(x**2, axis=1)
    return np.mean([np.sum(x[:, lag:] * x[:, :-lag], axis=1) / power for lag in range(first, last + 1)], axis=0)


def features(model, fids: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Numbers of each spectrum, its phased and shifted real part from 0.2 to 4.2 ppm over the height of tCr, and that height over the metabolites' fitted |s(0)|."""
    result = fit(model, fids)
    sampling = model.sampling
    time, ppm = np.asarray(sampling.time), np.asarray(sampling.ppm)
    at = {k: np.asarray(v) for k, v in result.parameters.items()}
    turn = at["phase.phase_zero"][:, None] + 2 * np.pi * at["metabolites.shift"][:, None] * time
    spectra = np.asarray(to_spectrum(jnp.asarray(fids * np.exp(-1j * turn))).real)
    inside = (ppm > 0.2) & (ppm < 4.2)
    noise = spectra[:, (ppm > -2) & (ppm < -0.2)]
    sd = np.std(np.diff(noise, axis=1), axis=1) / np.sqrt(2)
    naa, creatine = (np.max(spectra[:, (ppm > a) & (ppm < b)], axis=1) for a, b in ((1.95, 2.06), (2.97, 3.08)))
    width = []
    for row, top in zip(spectra, naa, strict=True):
        j = int(np.argmax(np.where(np.abs(ppm - 2.01) < 0.05, row, -np.inf)))
        left, right = j, j
        while row[left] > top / 2:
            left -= 1
        while row[right] > top / 2:
            right += 1
        fine = lambda a, b, row=row, top=top: a + (top / 2 - row[a]) / (row[b] - row[a]) * (b - a)  # noqa: E731
        width.append(
            (fine(right - 1, right) - fine(left, left + 1)) * float(sampling.frequency[1] - sampling.frequency[0])
        )
    smooth = np.array([np.convolve(row, np.ones(40) / 40, "same") for row in spectra])
    floor = (
        np.array([np.interp(2.85, ppm, row) for row in smooth]),
        np.array([np.interp(1.4, ppm, row) for row in smooth]),
    )
    far = (ppm > 5.3) & (ppm < 6.5)
    curves = evaluate_all(model, result, fids)
    residual, baseline, fitted = (np.real(np.asarray(x)) for x in (curves.residual, curves.baseline, curves.fit))
    numbers = {
        "log SNR": np.log(naa / sd),
        "FWHM tNAA (Hz)": np.array(width),
        "1.4 ppm / tCr": floor[1] / creatine,
        "2.85 ppm / tCr": floor[0] / creatine,
        "water tail 5.3-6.5": np.log10(np.mean(np.abs(smooth[:, far]), axis=1) / creatine),
        "baseline / metabolites": np.sum(np.abs(baseline), axis=1) / np.sum(np.abs(fitted - baseline), axis=1),
        "residual, lag 1": structure(residual, 1, 1),
        "residual, lags 2-4": structure(residual, 2, 4),
        "residual, lags 5-8": structure(residual, 5, 8),
        "log misfit": np.log10(np.asarray(result.misfit) / inside.sum()),
    }
    numbers |= {f"{k} / tCr": np.asarray(v) for k, v in ratios(result).items()}
    group = model.groups[0]
    area = np.asarray(result.amplitudes)[:, [result.names.index(n) for n in group.names]] @ np.abs(
        np.asarray(group.fids)[:, 0]
    )
    return numbers, spectra[:, inside] / creatine[:, None], creatine / area


def auc(measured: np.ndarray, artificial: np.ndarray, *, components: int | None = None) -> float:
    """Cross-validated area under the ROC curve, mean over ten divisions into folds."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.concatenate([measured, artificial])
    y = np.r_[np.ones(len(measured)), np.zeros(len(artificial))]
    steps = [StandardScaler()] if components is None else [PCA(components, random_state=0), StandardScaler()]
    model = make_pipeline(*steps, LogisticRegression(class_weight="balanced", C=0.3))
    scores = []
    for seed in range(10):
        folds = StratifiedKFold(6, shuffle=True, random_state=seed)
        scores.append(roc_auc_score(y, cross_val_predict(model, x, y, cv=folds, method="decision_function")))
    return float(np.mean(scores))


def table(measured, sets, judged: np.ndarray) -> None:
    """Medians and quartiles, and the two-sample tests against the judged subjects."""
    numbers_of = {"measured": {k: v[judged] for k, v in measured[0].items()}} | {name: x[0] for name, x in sets.items()}
    print(f"{'':20}" + "".join(f"{name:>26}" for name in numbers_of))
    for key in measured[0]:
        cells = (np.percentile(numbers[key], [25, 50, 75]) for numbers in numbers_of.values())
        print(f"{key:20}" + "".join(f"{m:12.2f} ({a:5.2f},{b:6.2f})" for a, m, b in cells))
    stack = lambda numbers: np.stack(list(numbers.values()), axis=1)  # noqa: E731
    here = numbers_of["measured"]
    for name, (numbers, shown) in sets.items():
        each = {k: auc(here[k][:, None], numbers[k][:, None]) for k in here}
        print(
            f"{name}: AUC on all numbers {auc(stack(here), stack(numbers)):.2f}, on 8 components {auc(measured[1][judged], shown, components=8):.2f}"
        )
        print("  one number alone: " + ", ".join(f"{k} {v:.2f}" for k, v in each.items()))


def binned(spectra: np.ndarray) -> np.ndarray:
    return spectra[:, : spectra.shape[1] // 4 * 4].reshape(len(spectra), -1, 4).mean(2)


def factors(measured, artificial, known: dict[str, float]) -> dict[str, float]:
    """Factors of concentrations that bring the medians of the fitted ratios together, times those that are `known`."""
    parts = {"tNAA": ("NAA", "NAAG"), "tCho": ("GPC", "PCh"), "mI": ("Ins",), "Glu": ("Glu",), "GSH": ("GSH",)}
    out = {}
    for target, names in parts.items():
        ratio = np.median(measured[f"{target} / tCr"]) / np.median(artificial[f"{target} / tCr"])
        out |= {n: round(float(ratio * known.get(n, 1.0)), 3) for n in names}
    return out


def mean_residue(artefact: SplineBaseline, sampling, difference: np.ndarray, ridge: float = 0.02) -> list[float]:
    """Areas of the splines whose real spectrum is a difference (relative to |s(0)|) between 0.2 and 4.2 ppm."""
    ppm = np.asarray(sampling.ppm)
    waves = np.asarray(to_spectrum(jnp.asarray(np.asarray(artefact.waves, complex))).real)[
        :, (ppm > 0.2) & (ppm < 4.2)
    ].T
    weight = ridge * np.mean(np.sum(waves**2, axis=0))
    found = np.linalg.solve(waves.T @ waves + weight * np.eye(waves.shape[1]), waves.T @ difference)
    return [round(float(x), 5) for x in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "data", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[3] / "shared" / "data"
    )
    parser.add_argument("-n", type=int, default=48)
    parser.add_argument("--recipe", nargs="+", default=["brain", "r1"])
    parser.add_argument("--set", action="store_true", help="derive the factors and the mean residue of brain.yaml")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    fids, basis, _ = twelve_subjects(args.data)
    model = default_model(basis, fids.sampling, lineshape="voigt")
    measured = features(model, np.asarray(fids.spectra))
    setting = np.arange(len(measured[1])) % 2 == 0

    def made(text_or_name):
        source = parse(yaml.safe_dump(text_or_name), "brain", basis=basis, sampling=fids.sampling) if isinstance(text_or_name, dict) else recipe(text_or_name, basis=basis, sampling=fids.sampling)  # fmt: skip
        return source.spectra, features(model, drawn(source.spectra, args.n, 5)["data"].astype(np.complex128))

    def showing(x):
        return x[0], binned(x[1])

    if args.set:
        content = yaml.safe_load(recipe("brain", basis=basis, sampling=fids.sampling).text)
        brain, residue = (
            content["amplitudes"]["brain"],
            next(e["baseline"] for e in content["artefacts"] if e.get("baseline", {}).get("name") == "residue"),
        )
        for entry, key in ((brain, "factors"), (residue, "mean")):
            entry.pop(key, None)
        here = {k: v[setting] for k, v in measured[0].items()}
        for _ in range(ROUNDS):
            simulator, artificial = made(content)
            known = brain.get("factors", {})
            new = factors(here, artificial[0], known)
            brain["factors"] = {
                k: round(known.get(k, 1.0) * (f / known.get(k, 1.0)) ** DAMPING, 3) for k, f in new.items()
            }
            artefact: Any = next(a for a in simulator.artefacts if a.name == "residue")
            difference = (measured[1][setting].mean(0) - artificial[1].mean(0)) * np.mean(artificial[2])
            step = np.array(mean_residue(artefact, fids.sampling, difference))
            mean = np.array(residue.get("mean", np.zeros(len(step)))) + DAMPING * step
            residue["mean"] = [round(float(x), 5) for x in mean]
        print("factors:", brain["factors"])
        print("mean:", residue["mean"])
        _, artificial = made(content)
        sets = {"brain (set)": showing(artificial)}
    else:
        sets = {name: showing(made(name)[1]) for name in args.recipe}
    for title, subjects in (("the subjects it was set on", setting), ("the other subjects", ~setting)):
        print(f"\n{title}: {subjects.sum()}")
        table(showing(measured), sets, subjects)


if __name__ == "__main__":
    main()
