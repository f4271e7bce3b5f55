"""Accuracy of D(t) of a voxel by a Gauss-Legendre rule: `python -m benchmarks.accuracy.shim_quadrature`.

Voxels of 20 mm of the simulated head after least squares, rules of some points along each edge against 40; the largest difference of D(t) in the first 100 ms. The
measured field is interpolated linearly on a map of 4 mm, so that the rule meets kinks: convergence is that of a piecewise linear field.
"""

import jax
import numpy as np

from benchmarks.studies.shim_three_voxels import VOXELS, shimmed_head
from mrsjax.acquisition.shimming import Cuboid, Harmonics, region, shim

TIME = np.arange(0.0, 0.1, 1e-3)
RULES = (4, 6, 8, 10, 14)


def decay(field: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """D(t) by the sum itself, about the mean field."""
    return np.exp(2j * np.pi * np.outer(TIME, field - weight @ field)) @ weight


def main():
    jax.config.update("jax_enable_x64", True)
    coils = Harmonics(2)
    head = shimmed_head(coils)
    print("| voxel | " + " | ".join(f"{n} points" for n in RULES) + " |\n" + "|---" * (len(RULES) + 1) + "|")
    for name, centre in VOXELS.items():
        box = Cuboid(centre, 20.0)
        fine = region(head, box, coils, points=40)
        currents = shim(fine, coils).currents
        wanted = decay(np.asarray(fine.predicted(currents)), np.asarray(fine.weight))
        errors = []
        for n in RULES:
            r = region(head, box, coils, points=n)
            errors.append(np.abs(decay(np.asarray(r.predicted(currents)), np.asarray(r.weight)) - wanted).max())
        print(f"| {name} | " + " | ".join(f"{e:.4f}" for e in errors) + " |", flush=True)


if __name__ == "__main__":
    main()
