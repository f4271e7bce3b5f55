"""The picture of docs/shimming.md: `python -m benchmarks.studies.shim_picture OUT.svg`.

The frontal voxel of the simulated head: its field with least squares and with the tallest line that keeps the volume, and the lines of both.
"""

import sys

import jax
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.studies.shim_three_voxels import JUDGED, VOXELS, shimmed_head
from mrsjax.acquisition.shimming import Cuboid, Harmonics, InversePeak, LostVolume, region, shim


def main():
    jax.config.update("jax_enable_x64", True)
    coils, centre = Harmonics(2), VOXELS["frontal above the sinus"]
    head = shimmed_head(coils)
    seen, fine = (region(head, Cuboid(centre, 20.0), coils, points=n) for n in (8, JUDGED))
    shims = {
        "least squares": shim(seen, coils).on(fine),
        "inverse peak + 20 lost volume": shim(seen, coils, InversePeak() + 20.0 * LostVolume(), starts=3).on(fine),
    }
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), constrained_layout=True)
    k = int(np.argmin(np.abs(head.positions[:, 0, 0, 0] - centre[0])))
    y, z = head.positions[k, :, 0, 1], head.positions[k, 0, :, 2]
    for ax, (name, result) in zip(axes, shims.items(), strict=False):
        change = np.asarray(coils.maps(head.positions[k].reshape(-1, 3)) @ result.currents).reshape(len(y), len(z))
        shown = np.where(head.known[k], head.field[k] + change, np.nan)
        image = ax.pcolormesh(y, z, shown.T, vmin=-60, vmax=60, cmap="RdBu_r", rasterized=True)
        ax.add_patch(plt.Rectangle((centre[1] - 10, centre[2] - 10), 20, 20, fill=False))
        ax.set(
            xlim=(30, 100), ylim=(-30, 40), aspect="equal", title=name, xlabel="anterior (mm)", ylabel="superior (mm)"
        )
        line = result.after.line
        axes[2].plot(line.frequency - line.peak, line.spectrum, label=f"{name}: {float(line.fwhm):.1f} Hz")
    figure.colorbar(image, ax=axes[1], label="field (Hz)")
    axes[2].set(xlim=(-50, 50), xlabel="frequency from the maximum (Hz)", title="line of a singlet")
    axes[2].set_ylim(top=1.35 * axes[2].get_ylim()[1])
    axes[2].legend(fontsize=8, loc="upper center")
    figure.savefig(sys.argv[1], dpi=80)
    for name, result in shims.items():
        print(name, f"FWHM {float(result.after.line.fwhm):.1f} Hz, volume kept {float(result.after.kept):.2f}")


if __name__ == "__main__":
    main()
