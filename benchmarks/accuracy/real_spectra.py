"""Measured spectra beside other tools: `python -m benchmarks.accuracy.real_spectra [SHARED_DATA]`.

The 12 subjects of `svs_3t_philips_press35_12subjects` beside Osprey 2.9.6, `svs_3t_press30` and the 10 voxels of `mrsi_3t_10voxels` beside LCModel: ratios to tCr,
correlation, mean difference. No truth is known here; data/README.md of the test data says how far tools agree with one another.
"""

import argparse
import csv
import pathlib
import time

import jax
import numpy as np

from mrsjax.analysis.model_choice import model_of_file
from mrsjax.core import BasisSet, FIDs, FitResult
from mrsjax.inference import fit
from mrsjax.io import read, read_basis

TARGETS = {
    "tNAA": ("NAA", "NAAG"), "tCho": ("GPC", "PCh"), "mI": ("Ins", "mI"), "Glu": ("Glu",), "Glx": ("Glu", "Gln"), "GSH": ("GSH",),
}  # fmt: skip


def ratios(result: FitResult) -> dict[str, np.ndarray]:
    """Ratio to tCr of each target, one value a spectrum."""
    return {name: np.asarray(result.ratio(parts)[0]) for name, parts in TARGETS.items()}


def compare(title: str, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    """Print r, means and mean difference for each target."""
    print(f"\n{title}\n{'':6s} {'ours':>7s} {'theirs':>7s} {'diff %':>7s} {'r':>6s}   n")
    for name in TARGETS:
        a, b = ours[name], theirs.get(name)
        if b is None:
            continue
        ok = np.isfinite(a) & np.isfinite(b)
        r = np.corrcoef(a[ok], b[ok])[0, 1] if ok.sum() > 2 else np.nan
        print(
            f"{name:6s} {a[ok].mean():7.3f} {b[ok].mean():7.3f} {100 * (a[ok].mean() / b[ok].mean() - 1):7.1f} {r:6.2f} {ok.sum():3d}"
        )


def lcmodel_ratios(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Ratios to total creatine in an LCModel CSV: its own sums, or the sum of what a basis without PCr gives."""
    with open(path, newline="") as f:
        rows = [{k.strip(): v for k, v in row.items()} for row in csv.DictReader(f)]
    rows.sort(
        key=lambda r: (int(r["Row"]), int(r["Col"]))
    )  # LCModel writes voxels from the middle outwards, the data are in order
    reference = "Cr+PCr" if "Cr+PCr" in rows[0] else "Cr"
    column = lambda name: np.array([float(r[f"{name}/{reference}"]) for r in rows])  # noqa: E731
    out = {}
    for target, parts in TARGETS.items():
        present = [p for p in parts if f"{p}/{reference}" in rows[0]]
        if present:
            out[target] = np.sum([column(p) for p in present], axis=0)
    return out


def twelve_subjects(data: pathlib.Path) -> tuple[FIDs, BasisSet, pathlib.Path]:
    """The FIDs of all subjects with the eddy-current phase of their water reference taken off (Klose 1990), as every other tool does;
    the basis; their folder."""
    folder = data / "svs_3t_philips_press35_12subjects"
    pairs = [(f, f.with_name(f.name.replace("_act", "_ref"))) for f in sorted(folder.glob("S*/*_act.SDAT"))]
    both = [(read(a), read(w)) for a, w in pairs]
    spectra = np.concatenate([a.spectra * np.exp(-1j * np.angle(w.spectra)) for a, w in both])
    basis = read_basis(data / "basis_3t_philips_press35" / "3T_PRESS_Philips_35ms_noMM.BASIS")
    wanted = "Asc Asp Cr GABA GPC GSH Gln Glu Ins mI Lac NAA NAAG PCh PCr PE Scyllo sI Tau".split()
    return (
        FIDs(spectra, both[0][0].sampling, ("DIM_DYN",)),
        basis.select([n for n in basis.names if n in wanted]),
        folder,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "data", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[3] / "shared" / "data"
    )
    data = parser.parse_args().data
    jax.config.update("jax_enable_x64", True)

    fids, basis, folder = twelve_subjects(data)
    start = time.process_time()
    model, said = model_of_file(basis, fids.sampling, np.asarray(fids.spectra), {})
    print(*said, sep="\n")
    result = fit(model, fids.spectra)
    print(
        f"12 subjects: status {np.asarray(result.status).tolist()}, {time.process_time() - start:.1f} s CPU with compilation"
    )
    with open(folder / "osprey_results.csv", newline="") as f:
        osprey = list(csv.DictReader(f))
    column = {name: np.array([float(r[name]) / float(r["tCr"]) for r in osprey]) for name in TARGETS}
    compare("12 subjects, PRESS TE 35, beside Osprey 2.9.6", ratios(result), column)
    for name, value in ratios(result).items():
        print(
            f"   between-subject CV of {name}: ours {100 * value.std() / value.mean():.1f} %, Osprey {100 * column[name].std() / column[name].mean():.1f} %"
        )

    folder = data / "svs_3t_press30"
    basis = read_basis(folder / "3t.basis")
    one = read(folder / "data.raw", dwell_time=5e-4, central_frequency=127.786142e6)
    model, said = model_of_file(basis, one.sampling, np.asarray(one.spectra), {})
    print(*said, sep="\n")
    result = fit(model, one.spectra)
    compare("svs_3t_press30 beside LCModel", ratios(result), lcmodel_ratios(folder / "test-reference-out.csv"))

    folder = data / "mrsi_3t_10voxels"
    basis = read_basis(folder / "sim_se_csi_te16.basis")
    many = read(folder / "multi-voxel.met", dwell_time=8e-4, central_frequency=123.23e6)
    fixed = {"baseline": "default", "own_shift": 0.5, "own_width": 0.15}
    for options in ({"window_ppm": (1.9, 4.0)}, {}, fixed, {"creatine_ch2": 0.0}):
        model, said = model_of_file(basis, many.sampling, np.asarray(many.spectra), options)
        print(*said, sep="\n")
        result = fit(model, many.spectra)
        compare(
            f"mrsi_3t_10voxels beside LCModel (its window 1.9-4.0 ppm), ours {options}",
            ratios(result),
            lcmodel_ratios(folder / "test-reference-multi-voxel.csv"),
        )
        print("status", np.asarray(result.status).tolist())


if __name__ == "__main__":
    main()
