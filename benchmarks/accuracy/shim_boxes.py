"""Boxes in the vendors' field maps: our currents against scipy, and all objectives side by side.

`python -m benchmarks.accuracy.shim_boxes DATA` (DATA holds `field_maps`).
"""

import pathlib
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import lsq_linear

from mrsjax.acquisition.shimming import (
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
    region,
    shim,
)
from mrsjax.io.field_map import read_field_map

MAPS = {
    "GE": ("GE_6_CV_Neuro_HH_Adv_fieldmaphz", "GE_6_CV_Neuro_HH_Adv"),
    "Philips": ("Ph_801_WIP_B0_NS_e2_fieldmaphz", "Ph_801_WIP_B0_NS_e1"),
    "Siemens": ("Si_3_gre_field_magph_e2_ph", "Si_2_gre_field_magph_e1"),
}
#: Centres (mm from the middle of the head's box: right, anterior, superior) of boxes of 20 mm.
BOXES = {"frontal": (0.0, 45.0, 5.0), "temporal": (45.0, 0.0, -15.0), "parietal": (0.0, -40.0, 25.0)}
OBJECTIVES: dict[str, Objective] = {
    "mean square": MeanSquare(),
    "Huber 5 Hz": Huber(5.0),
    "percentile 80": Percentile(0.8),
    "inverse peak": InversePeak(),
    "linewidth": Linewidth(),
    "inverse peak + 10 lost volume": InversePeak() + 10.0 * LostVolume(),
}


class Row(NamedTuple):
    """One objective in one box; `scipy` the field's SD (weighted, Hz) of the independent least squares, nan where the objective is another."""

    box: str
    objective: str
    sd: float
    scipy: float
    fwhm: float
    kept: float
    covered: float
    status: int


def _sd(r: Region, currents: np.ndarray) -> float:
    return float(jnp.sqrt(MeanSquare()(r, jnp.asarray(currents))))


def independent(r: Region) -> np.ndarray:
    """Unlimited least squares by scipy's SVD solver."""
    root = np.sqrt(np.asarray(r.weight))
    scale = np.abs(np.asarray(r.maps)).max(axis=0)
    end = lsq_linear(root[:, None] * np.asarray(r.maps) / scale, -root * np.asarray(r.field), method="bvls", tol=1e-14)
    return end.x / scale


def boxes(data: pathlib.Path, order: int = 2, objectives: dict[str, Objective] = OBJECTIVES) -> list[Row]:
    """All boxes of all maps with all objectives, unlimited currents."""
    coils, rows = Harmonics(order, "siemens"), []
    for vendor, (name, magnitude) in MAPS.items():
        folder = data / "field_maps"
        field_map = read_field_map(folder / f"{name}.nii", magnitude=folder / f"{magnitude}.nii")
        place = field_map.positions[field_map.known]
        middle = 0.5 * (np.percentile(place, 2, axis=0) + np.percentile(place, 98, axis=0))
        for box, offset in BOXES.items():
            r = region(field_map, Cuboid(middle + offset, 20.0), coils, points=8)
            reference = _sd(r, independent(r))
            label = f"{vendor} {box}"
            zero = np.zeros(len(coils.names))
            first = True
            for name_, objective in objectives.items():
                result = shim(r, coils, objective, starts=3)
                if first:
                    before = result.line_before
                    rows.append(
                        Row(
                            label,
                            "before",
                            _sd(r, zero),
                            np.nan,
                            float(before.fwhm),
                            float(result.kept_before),
                            float(r.covered),
                            0,
                        )
                    )
                first = False
                rows.append(
                    Row(label, name_, _sd(r, np.asarray(result.currents)), reference if isinstance(objective, MeanSquare) else np.nan,
                        float(result.line.fwhm), float(result.kept), float(r.covered), int(result.status))
                )  # fmt: skip
    return rows


def main():
    jax.config.update("jax_enable_x64", True)
    print(
        "| box | objective | field SD (Hz) | scipy's (Hz) | FWHM (Hz) | volume kept | known | status |\n|---|---|---|---|---|---|---|---|"
    )
    for row in boxes(pathlib.Path(sys.argv[1])):
        print(f"| {row.box} | {row.objective} | {row.sd:.4f} | {'' if np.isnan(row.scipy) else f'{row.scipy:.4f}'} | {row.fwhm:.2f} |"
              f" {row.kept:.2f} | {row.covered:.2f} | {row.status} |")  # fmt: skip


if __name__ == "__main__":
    main()
