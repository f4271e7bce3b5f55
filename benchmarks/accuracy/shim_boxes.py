"""Boxes in the vendors' field maps: our currents against scipy, and all objectives side by side.

`python -m benchmarks.accuracy.shim_boxes DATA` (DATA holds `field_maps`): second-order shims of all objectives in nine boxes of 20 mm, then least squares of
third order. Optimised on 8 points along each edge; field, line, volume and bound are those on 16, which no optimiser has seen.
"""

import pathlib
import sys
import time
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import lsq_linear

from mrsjax.acquisition.shimming import (
    CRLB,
    Cuboid,
    Harmonics,
    Huber,
    InversePeak,
    Linewidth,
    LostVolume,
    MeanSquare,
    Objective,
    Percentile,
    Region,
    crlb,
    region,
    shim,
    stack,
    typical_model,
)
from mrsjax.data import default_basis
from mrsjax.io.field_map import read_field_map

MAPS = {
    "GE": ("GE_6_CV_Neuro_HH_Adv_fieldmaphz", "GE_6_CV_Neuro_HH_Adv"),
    "Philips": ("Ph_801_WIP_B0_NS_e2_fieldmaphz", "Ph_801_WIP_B0_NS_e1"),
    "Siemens": ("Si_3_gre_field_magph_e2_ph", "Si_2_gre_field_magph_e1"),
}
#: Centres (mm from the middle of the head's box: right, anterior, superior) of boxes of 20 mm.
BOXES = {"frontal": (0.0, 45.0, 5.0), "temporal": (45.0, 0.0, -15.0), "parietal": (0.0, -40.0, 25.0)}
#: Points along each edge: of the optimiser, of the judge.
SEEN, JUDGED = 8, 16


class Row(NamedTuple):
    """One objective in one box: SD about the carrier (Hz), FWHM (Hz), mean CRLB (relative), volume kept, `ShimStatus`."""

    box: str
    objective: str
    sd: float
    fwhm: float
    bound: float
    kept: float
    status: int


def objectives(bound: CRLB) -> dict[str, Objective]:
    """What is made small."""
    return {
        "mean square": MeanSquare(),
        "Huber 5 Hz": Huber(5.0),
        "percentile 80": Percentile(0.8),
        "lost volume": LostVolume(),
        "linewidth": Linewidth(),
        "inverse peak": InversePeak(),
        "inverse peak + 10 lost volume": InversePeak() + 10.0 * LostVolume(),
        "CRLB": bound + 0.0 * LostVolume(),  # one program for both
        "CRLB + lost volume": bound + 1.0 * LostVolume(),
    }


_sd = eqx.filter_jit(lambda r, c: jnp.sqrt(MeanSquare()(r, c)))


def independent(r: Region) -> np.ndarray:
    """Unlimited least squares by scipy's SVD solver."""
    root = np.sqrt(np.asarray(r.weight))
    scale = np.abs(np.asarray(r.maps)).max(axis=0)
    end = lsq_linear(root[:, None] * np.asarray(r.maps) / scale, -root * np.asarray(r.field), method="bvls", tol=1e-14)
    return end.x / scale


def regions(data: pathlib.Path, order: int, points: int) -> dict[str, Region]:
    """All boxes of all maps, filled up to the same number of points: one program for all."""
    coils, names, found = Harmonics(order, "siemens"), [], []
    for vendor, (name, magnitude) in MAPS.items():
        folder = data / "field_maps"
        field_map = read_field_map(folder / f"{name}.nii", magnitude=folder / f"{magnitude}.nii")
        place = field_map.positions[field_map.known]
        middle = 0.5 * (np.percentile(place, 2, axis=0) + np.percentile(place, 98, axis=0))
        for box, offset in BOXES.items():
            names.append(f"{vendor} {box}")
            found.append(region(field_map, Cuboid(middle + offset, 20.0), coils, points=points))
    batch = stack(found)
    return {name: jax.tree.map(lambda x, i=i: x[i], batch) for i, name in enumerate(names)}


def against_scipy(data: pathlib.Path, order: int) -> list[tuple[str, float, float, int]]:
    """Box, SD about the carrier by our least squares and by scipy's (Hz), status."""
    rows = []
    for name, r in regions(data, order, SEEN).items():
        found = shim(r, Harmonics(order, "siemens"))
        ours, scipy = (float(_sd(r, jnp.asarray(x))) for x in (found.currents, independent(r)))
        rows.append((name, ours, scipy, int(found.status)))
    return rows


def side_by_side(data: pathlib.Path, table: dict[str, Objective], bound: CRLB) -> list[Row]:
    """All boxes with all objectives, second order, unlimited currents."""
    coils, rows = Harmonics(2, "siemens"), []
    fine = regions(data, 2, JUDGED)
    judge = eqx.filter_jit(lambda b, r, c: b(r, c))

    def row(box, label, currents, shown, status):
        sd, value = _sd(fine[box], currents), judge(bound, fine[box], currents)
        return Row(box, label, float(sd), float(shown.line.fwhm), float(value), float(shown.kept), int(status))

    for box, r in regions(data, 2, SEEN).items():
        for i, (label, objective) in enumerate(table.items()):
            began = time.process_time()
            result = shim(r, coils, objective, starts=3).on(fine[box])
            print(f"{box}, {label}: {time.process_time() - began:.0f} s CPU", file=sys.stderr, flush=True)
            if i == 0:
                rows.append(row(box, "before", 0 * result.currents, result.before, 0))
            rows.append(row(box, label, result.currents, result.after, result.status))
    return rows


def main():
    jax.config.update("jax_enable_x64", True)
    data = pathlib.Path(sys.argv[1])
    print("| box | order | ours: SD about the carrier (Hz) | scipy's | status |\n|---|---|---|---|---|")
    for order in (2, 3):
        for name, ours, scipy, status in against_scipy(data, order):
            print(f"| {name} | {order} | {ours:.6f} | {scipy:.6f} | {status} |", flush=True)
    bound = crlb(*typical_model(default_basis()), ("GABA", "GSH", "Gln", "Glu"))
    print_table(side_by_side(data, objectives(bound), bound))


def print_table(rows: list[Row]) -> None:
    """One line a box, one column an objective: FWHM (Hz), mean CRLB (%), volume kept; * where the optimiser did not converge."""
    labels = list(dict.fromkeys(r.objective for r in rows))
    print("\n| box | " + " | ".join(labels) + " |\n" + "|---" * (len(labels) + 1) + "|")
    for box in dict.fromkeys(r.box for r in rows):
        cells = [
            f"{r.fwhm:.1f}, {100 * r.bound:.0f}, {r.kept:.2f}{'*' if r.status else ''}" for r in rows if r.box == box
        ]
        print(f"| {box} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
