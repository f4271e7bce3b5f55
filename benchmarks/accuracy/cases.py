"""Synthetic spectra with truth: `python -m benchmarks.accuracy.cases [SHARED_CASES] [-o DIR]`.

Fits `press35_synthetic` (with its generating groups) and `press35_mismatch` with the defaults, with the default model before its choices of baseline and own lines, and
with soft priors on the ratios of weak metabolites (off unless asked for; LCModel has such by default), writes one CSV a fit for `score.py` and prints its table. Beside it: the scatter of the estimates against the reported standard deviation, convergence, and CPU time.
"""

import argparse
import csv
import pathlib
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.analysis.model_choice import model_of_file
from mrsjax.core import BasisSet, Sampling, Status
from mrsjax.inference import fit
from mrsjax.inference.varpro import Tree, stacked
from mrsjax.physics import Gauss, Group, Lorentz, OwnLine, Phase, SignalModel, default_model, polynomial, window_of


def load(folder: pathlib.Path):
    """FIDs, basis and truth of a case."""
    a = np.load(folder / "spectra.npz")
    sampling = Sampling(
        float(a["dwell_time_s"]),
        float(a["central_frequency_mhz"]) * 1e6,
        a["fids"].shape[1],
        ppm_ref=float(a["ppm_ref"]),
    )
    return a["fids"].astype(complex), BasisSet(a["basis"], a["names"], sampling)


def generating_model(basis: BasisSet) -> SignalModel:
    """One Voigt line for the metabolites, its own for each macromolecule, a complex second-order polynomial."""
    s = basis.sampling
    metabolites = tuple(n for n in basis.names if not n.startswith("MM"))
    own = OwnLine()
    groups = [Group(jnp.asarray(basis.select(metabolites).fids), Lorentz() * Gauss(), own, "metabolites", metabolites)]
    for name in basis.names:
        if name.startswith("MM"):
            groups.append(Group(jnp.asarray(basis.select([name]).fids), Lorentz() * Gauss(), own, name, (name,), 5.0))
    window = window_of(s, 0.2, 4.2)
    ppm = np.asarray(s.ppm)[window[0] : window[1]]
    return SignalModel(tuple(groups), Phase(1e-3), polynomial(ppm, 2), (), (), s, window)


def run(label: str, model: SignalModel, fids, folder: pathlib.Path, out: pathlib.Path) -> None:
    """Fit, write the CSV that score.py reads, print what it does not."""
    fit(model, fids[:8])  # compile
    start = time.process_time()
    result = fit(model, fids)
    cpu = (time.process_time() - start) / len(fids)
    amplitudes, crlb = np.asarray(result.amplitudes), np.asarray(result.crlb)
    names = [n for n in result.names if n in result.metabolites]
    columns = [result.names.index(n) for n in names]
    with open(out / f"{label}.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["spectrum", *names, "cpu_s"])
        writer.writerows([i, *row[columns], cpu] for i, row in enumerate(amplitudes))
    with open(folder / "truth.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    truth = np.array([[float(r[n]) for n in names] for r in rows])
    z = (amplitudes[:, columns] - truth) / crlb[:, columns]
    away = truth > 3 * crlb[:, columns]
    status = np.bincount(np.asarray(result.status), minlength=len(Status))
    print(
        f"{label}: converged {status[0]} of {len(fids)}, iterations {np.mean(np.asarray(result.iterations)):.1f}, {1e3 * cpu:.1f} ms CPU a spectrum; "
        f"rms error / reported sd (truth above 3 sd) {np.sqrt(np.mean(z[away] ** 2)):.2f}, within 1.96 sd {100 * np.mean(np.abs(z[away]) < 1.96):.1f} %"
    )
    if label == "defaults":
        k = names.index("GABA")
        weak(truth[:, k], amplitudes[:, columns[k]], crlb[:, columns[k]], folder)
        few, all_names = (
            _normal(bounds_of_amplitudes(model, result, n)[:, n.index("GABA")], truth[:, k])
            for n in (result.metabolites, result.names)
        )
        print(
            f"GABA: normal errors where only the metabolites' amplitudes are unknown {few}, with those of the macromolecules {all_names}"
        )


def weak(truth, estimate, sd, folder: pathlib.Path) -> None:
    """GABA, weaker than its bound: what of a mean absolute error is noise, what a tool's prior takes off it, and which estimate follows the truth."""
    said = [
        f"GABA: error {_off(estimate, truth)}, of normal errors of the reported sd {_normal(sd, truth)}; r with the truth: ours {_r(estimate, truth)}"
    ]
    for tool in sorted(folder.glob("lcmodel*.csv")) + sorted(folder.glob("fsl_mrs*.csv")):
        with open(tool, newline="") as f:
            theirs = np.array([float(row["GABA"] or "nan") for row in csv.DictReader(f)])
        said.append(f"{tool.stem} {_r(theirs, truth)} (error {_off(theirs, truth)})")
    print(", ".join(said) + f"; error of the mean truth said of every spectrum: {_off(truth.mean(), truth)}")


def bounds_of_amplitudes(model: SignalModel, result, names) -> np.ndarray:
    """Cramer-Rao bounds (s, names) of noise alone, where these amplitudes are all that is unknown (lines, phase, baseline and other components are known)."""
    columns = jnp.asarray([result.names.index(n) for n in names])
    tree = Tree(model)

    def one(theta, noise):
        rows = stacked(model.design(tree.unravel(theta))[0][columns]) / noise
        return rows @ rows.T

    grams = jax.jit(jax.vmap(one))(result.state.theta, result.noise_sd)
    return np.sqrt(np.diagonal(np.linalg.inv(np.asarray(grams)), axis1=1, axis2=2))


def _normal(sd, truth) -> str:
    return f"{100 * np.sqrt(2 / np.pi) * np.mean(sd / truth):.1f} %"


def _off(estimate, truth) -> str:
    return f"{100 * np.nanmean(np.abs(estimate / truth - 1)):.1f} %"


def _r(estimate, truth) -> str:
    there = np.isfinite(estimate)
    return f"{np.corrcoef(estimate[there], truth[there])[0, 1]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "cases", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[3] / "shared" / "cases"
    )
    parser.add_argument("-o", "--out", type=pathlib.Path, default=pathlib.Path("out/cases"))
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    for case in ("press35_synthetic", "press35_mismatch"):
        folder, out = args.cases / case, args.out / case
        out.mkdir(parents=True, exist_ok=True)
        fids, basis = load(folder)
        models = {}
        if case == "press35_synthetic":
            models["generating_groups"] = generating_model(basis)
        models["defaults"], said = model_of_file(basis, basis.sampling, fids, {})
        print(case, *said, sep="\n")
        kind = "basis" if "the basis' macromolecules. Tried" in said[0] else "parametric"
        models["without_choices"] = default_model(basis, basis.sampling, macromolecules=kind)
        models["published_ratios"], _ = model_of_file(basis, basis.sampling, fids, {"ratios": "published"})
        for label, model in models.items():
            run(label, model, fids, folder, out)
        files = [f"ours_{label}={out / label}.csv" for label in models]
        subprocess.run([sys.executable, str(args.cases / "score.py"), str(folder), *files], check=True)


if __name__ == "__main__":
    main()
