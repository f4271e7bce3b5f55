"""A page of random samples of each recipe: `python -m benchmarks.accuracy.artificial_samples [-o docs/artificial-samples.png] [RECIPE ...]`."""

import argparse

import jax
import numpy as np

from benchmarks.accuracy.artificial_round_trip import drawn
from mrsjax.core import to_spectrum
from simulators.datasets import available, recipe


def main() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", default=available())
    parser.add_argument("-o", "--out", default="docs/artificial-samples.png")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    count = 6
    figure, axes = plt.subplots(1, len(args.recipes), figsize=(4 * len(args.recipes), 6), squeeze=False)
    for axis, name in zip(axes[0], args.recipes, strict=True):
        made = recipe(name)
        ppm = np.asarray(made.simulator.model.sampling.ppm)
        inside = (ppm > 0.2) & (ppm < 5.2)
        data = drawn(made.simulator, count, args.seed)
        fids = data["data"].reshape(count, -1, len(ppm))[:, 0]
        spectra = np.asarray(to_spectrum(fids)).real[:, inside]
        for j, row in enumerate(spectra):
            size = np.ptp(row[ppm[inside] < 4.2])
            axis.plot(ppm[inside], np.clip(row / size, -1, 1.2) - 1.1 * j, lw=0.6, color="k")
            axis.text(5.15, -1.1 * j + 0.12, f"SNR {float(data['labels.snr'][j]):.0f}", fontsize=7)
        axis.set(xlim=(5.2, 0.2), yticks=[], xlabel="chemical shift (ppm)", title=name)
    figure.tight_layout()
    figure.savefig(args.out, dpi=75)


if __name__ == "__main__":
    main()
