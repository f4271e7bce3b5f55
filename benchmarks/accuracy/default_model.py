"""What each choice of the default model is worth: `python -m benchmarks.accuracy.default_model [SHARED] [--seeds 777 888] [--count 48]`.

Variants of `press35_mismatch/generate.py` with other seeds (the case itself is for reporting, benchmarks.accuracy.cases) and, where the data are there, the 12
subjects with Klose's correction beside Osprey. Printed for each change of one option (of the model, or the fit's tolerance): mean absolute percentage error of the sums, the same relative to tCr, mean
absolute error of all metabolites, bias of Ins and Glu; and on the subjects ratios to tCr of mI and Glu with their correlation with Osprey's.
"""

import argparse
import csv
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Any

import jax
import numpy as np

from benchmarks.accuracy.cases import load
from benchmarks.accuracy.real_spectra import twelve_subjects
from mrsjax.inference import fit
from mrsjax.physics import default_model

SUMS = {"tNAA": ("NAA", "NAAG"), "tCr": ("Cr", "PCr"), "tCho": ("GPC", "PCh"), "Glx": ("Glu", "Gln"), "Ins": ("Ins",)}
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"own_width": 0.5},
    {"own_width": 0.0},
    {"own_shift": 0.25},
    {"lineshape": "voigt"},
    {"baseline": 2.5},
    {"baseline": 6.0},
    {"macromolecules": "basis"},
    {"macromolecules": "off"},
    {"lipids": True},
    {"water_tails": 0},
    {"creatine_ch2": 0.0},
    {"tolerance": 0.001},
)


def variant(case: pathlib.Path, seed: int, folder: pathlib.Path):
    """FIDs, basis and truth {name: amplitudes} of the generator run with another seed."""
    script = folder / f"generate_{seed}.py"
    script.write_text(re.sub(r"default_rng\(\d+\)", f"default_rng({seed})", (case / "generate.py").read_text()))
    (folder / str(seed)).mkdir()
    out = folder / str(seed) / "spectra.npz"
    subprocess.run(
        [sys.executable, script, case.parent / "press35_synthetic" / "spectra.npz", out], check=True, cwd=folder
    )
    fids, basis = load(out.parent)
    with np.load(out) as a:
        truth = dict(zip([str(n) for n in a["truth_names"]], a["truth"].T, strict=True))
    return fids, basis, truth


def errors(result, truth) -> str:
    """The columns of the table for one fit."""
    estimate = {n: np.asarray(result.amplitudes)[:, result.names.index(n)] for n in truth}
    relative = {
        k: np.sum([estimate[n] for n in parts], axis=0) / np.sum([truth[n] for n in parts], axis=0) - 1
        for k, parts in SUMS.items()
    } | {"Glu": estimate["Glu"] / truth["Glu"] - 1}
    absolute = np.mean([np.abs(relative[k]).mean() for k in SUMS])
    ratio = np.mean([np.abs((1 + relative[k]) / (1 + relative["tCr"]) - 1).mean() for k in SUMS if k != "tCr"])
    mae = np.mean([np.abs(estimate[n] - truth[n]).mean() for n in truth])
    return (
        f"{100 * absolute:6.2f} {100 * ratio:6.2f} {mae:6.3f} {100 * relative['Ins'].mean():+6.1f} "
        f"{100 * relative['Glu'].mean():+6.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    shared = pathlib.Path(__file__).parents[3] / "shared"
    parser.add_argument("shared", nargs="?", type=pathlib.Path, default=shared)
    parser.add_argument("--seeds", type=int, nargs="+", default=[777])
    parser.add_argument("--count", type=int, default=48, help="spectra of each seed")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    with tempfile.TemporaryDirectory() as folder:
        parts = [variant(args.shared / "cases" / "press35_mismatch", s, pathlib.Path(folder)) for s in args.seeds]
    basis = parts[0][1]
    fids = np.concatenate([p[0][: args.count] for p in parts])
    truth = {n: np.concatenate([p[2][n][: args.count] for p in parts]) for n in parts[0][2]}
    real_fids, real_basis, folder = twelve_subjects(args.shared / "data")
    with open(folder / "osprey_results.csv", newline="") as f:
        osprey = [
            {k: float(v) / float(r["tCr"]) for k, v in r.items() if k in ("mI", "Glu")} for r in csv.DictReader(f)
        ]
    print(f"{len(fids)} spectra, seeds {args.seeds}; then 12 subjects: mean ratio to tCr and r with Osprey")
    print(
        f"{'change':24s} {'sums %':>6s} {'ratios':>6s} {'MAE':>6s} {'Ins':>6s} {'Glu':>6s} | {'mI':>12s} {'Glu':>12s}"
    )
    for change in CHANGES:
        options = {k: v for k, v in change.items() if k != "tolerance"}
        how: dict[str, Any] = {"tolerance": change["tolerance"], "max_iterations": 300} if options != change else {}
        row = errors(fit(default_model(basis, basis.sampling, **options), fids, **how), truth)
        seen = []
        if change.get("macromolecules") != "basis":  # the subjects' basis has none
            result = fit(default_model(real_basis, real_fids.sampling, **options), real_fids.spectra, **how)
            for name, part in (("mI", "Ins"), ("Glu", "Glu")):
                ours = np.asarray(result.ratio((part,))[0])
                seen.append(f"{ours.mean():6.2f} {np.corrcoef(ours, [o[name] for o in osprey])[0, 1]:5.2f}")
        print(
            f"{' '.join(f'{k}={v}' for k, v in change.items()) or 'defaults':24s} {row} | {' '.join(seen)}", flush=True
        )


if __name__ == "__main__":
    main()
