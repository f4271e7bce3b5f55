"""Do artificial spectra look like measured ones? `python -m benchmarks.accuracy.artificial_and_measured [-n 48] [--recipe brain r1]`.

The 12 subjects of `svs_3t_philips_press35_12subjects` (after Klose's correction) beside spectra of a recipe with the subjects' basis and sampling. Both are fitted with the default model; the
fit's phase and shift bring them to one place. Printed: median and quartiles of SNR (tNAA), FWHM (tNAA), area of the fitted baseline relative to that of the metabolites,
fit quality (variance of the residual over that of the noise: what the model cannot explain), ratios to tCr. Then the classifier two-sample test (Lopez-Paz and Oquab 2017):
area under the ROC curve of a logistic regression that tells the two apart, on these numbers and on the principal components of the spectra, each spectrum judged by a
classifier that has not seen it (stratified folds); 0.5 means indistinguishable. With 12 measured spectra one standard error is about 0.09 at 0.5.
"""

import argparse
import pathlib

import jax
import numpy as np

from benchmarks.accuracy.artificial_round_trip import drawn
from benchmarks.accuracy.real_spectra import ratios, twelve_subjects
from mrsjax.core import to_spectrum
from mrsjax.inference import fit
from mrsjax.physics import default_model
from simulators.datasets import recipe


def features(model, fids: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Numbers of each spectrum, and its phased, shifted and scaled real part from 0.2 to 4.2 ppm."""
    result = fit(model, fids)
    sampling = model.sampling
    time, ppm = np.asarray(sampling.time), np.asarray(sampling.ppm)
    at = {k: np.asarray(v) for k, v in result.parameters.items()}
    turn = at["phase.phase_zero"][:, None] + 2 * np.pi * at["metabolites.shift"][:, None] * time
    spectra = np.asarray(to_spectrum(fids * np.exp(-1j * turn))).real
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
    numbers = {
        "log SNR": np.log(naa / sd),
        "FWHM tNAA (Hz)": np.array(width),
        "1.4 ppm / tCr": floor[1] / creatine,
        "2.85 ppm / tCr": floor[0] / creatine,
        "water tail 5.3-6.5": np.log10(np.mean(np.abs(smooth[:, far]), axis=1) / creatine),
        "log misfit": np.log10(np.asarray(result.misfit) / inside.sum()),
    }
    numbers |= {f"{k} / tCr": np.asarray(v) for k, v in ratios(result).items()}
    binned = spectra[:, inside] / creatine[:, None]
    binned = binned[:, : binned.shape[1] // 4 * 4].reshape(len(binned), -1, 4).mean(2)
    return numbers, binned


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "data", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[3] / "shared" / "data"
    )
    parser.add_argument("-n", type=int, default=48)
    parser.add_argument("--recipe", nargs="+", default=["brain", "r1"])
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    fids, basis, _ = twelve_subjects(args.data)
    model = default_model(basis, fids.sampling, lineshape="voigt")
    measured, spectra = features(model, np.asarray(fids.spectra))
    sets = {"measured": (measured, spectra)}
    for name in args.recipe:
        simulator = recipe(name, basis=basis, sampling=fids.sampling).simulator
        sets[name] = features(model, drawn(simulator, args.n, 5)["data"].astype(np.complex128))
    print(f"{'':20}" + "".join(f"{name:>26}" for name in sets))
    for key in measured:
        cells = (np.percentile(numbers[key], [25, 50, 75]) for numbers, _ in sets.values())
        print(f"{key:20}" + "".join(f"{m:12.2f} ({a:5.2f},{b:6.2f})" for a, m, b in cells))
    stack = lambda numbers: np.stack(list(numbers.values()), axis=1)  # noqa: E731
    for name, (numbers, shown) in list(sets.items())[1:]:
        each = {k: auc(measured[k][:, None], numbers[k][:, None]) for k in measured}
        print(
            f"{name}: AUC on all numbers {auc(stack(measured), stack(numbers)):.2f}, on 8 components {auc(spectra, shown, components=8):.2f}"
        )
        print("  one number alone: " + ", ".join(f"{k} {max(v, 1 - v):.2f}" for k, v in each.items()))


if __name__ == "__main__":
    main()
