"""How far our harmonics explain measured shim channels: `python -m benchmarks.accuracy.shim_harmonics DATA`.

DATA holds `b0_shim_calibration_3t` (HarmonizedMRI/B0shimming: eight channels of a Siemens 3 T, differences of field maps).
"""

import pathlib
import sys
from typing import NamedTuple

import numpy as np
from scipy.io import loadmat

from mrsjax.physics.solid_harmonics import CONVENTIONS, harmonic_names, shim_fields


class Row(NamedTuple):
    """One channel: R2 with a constant and all harmonics to second order, the largest coefficient in Siemens units per unit of current."""

    channel: str
    r2: float
    r2_alone: float
    units_per_current: float


def calibration(data: pathlib.Path) -> list[Row]:
    """Fits of the measured channels; the grid is centred on the isocentre, its axes are the scanner's but for the signs."""
    content = loadmat(data / "b0_shim_calibration_3t" / "CalibrationDataSiemensMGH12Dec2020.mat")
    field, known, fov = content["F"], content["mask"] > 0, content["fov"][0] * 10.0
    current = np.diag(content["S"].astype(float))
    axes = [(np.arange(n) - (n - 1) / 2) * f / n for n, f in zip(known.shape, fov, strict=True)]
    position = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)[known]
    unit = np.asarray(shim_fields(position, 2, CONVENTIONS["siemens"]))
    design = np.concatenate([np.ones((len(unit), 1)), unit], axis=1)
    rows = []
    for channel, applied in enumerate(current):
        measured = field[known][:, channel]
        found, *_ = np.linalg.lstsq(design, measured, rcond=None)
        contribution = found[1:] * design[:, 1:].std(axis=0)
        largest = int(np.argmax(np.abs(contribution)))
        alone, *_ = np.linalg.lstsq(design[:, [0, largest + 1]], measured, rcond=None)
        left = [np.var(measured - design @ found), np.var(measured - design[:, [0, largest + 1]] @ alone)]
        r2 = [float(1 - v / np.var(measured)) for v in left]
        rows.append(Row(harmonic_names(2)[largest], r2[0], r2[1], found[1 + largest] / applied))
    return rows


def main():
    print(f"{'channel':8} {'R2':>8} {'R2 own term only':>17} {'Siemens units per unit of current':>34}")
    for row in calibration(pathlib.Path(sys.argv[1])):
        print(f"{row.channel:8} {row.r2:8.5f} {row.r2_alone:17.5f} {row.units_per_current:34.3f}")


if __name__ == "__main__":
    main()
