"""A page of random samples of each recipe: `python -m benchmarks.accuracy.artificial_samples [-o docs/artificial-samples.png] [RECIPE ...]`."""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accuracy.artificial_round_trip import drawn
from mrsjax.core import to_spectrum
from simulators.datasets import available, recipe
from simulators.phantoms import Tissue


def in_the_brain(data: dict[str, np.ndarray], dwell_time: float, each: int = 3, voxels: int = 16) -> np.ndarray:
    """Means over some brain voxels of each world, coils combined by their sensitivities, phase and frequency taken off."""
    out = []
    for i, image in enumerate(data["data"]):
        s = data["labels.sensitivity"][i]
        combined = np.sum(image * s.conj()[..., None], axis=-2) / np.sum(np.abs(s) ** 2, axis=-1)[..., None]
        brain = data["labels.fractions"][i][..., [Tissue.GREY, Tissue.WHITE, Tissue.LESION]].sum(-1)
        field = data["truth.field"][i]
        edges = [(m, n // m) for m, n in zip(brain.shape, field.shape, strict=True)]
        hertz = field.reshape([e for pair in edges for e in pair]).mean(axis=(1, 3, 5))
        turn = data["truth.values.phase.phase_zero"][i] + 2 * np.pi * hertz[..., None] * dwell_time * np.arange(image.shape[-1])  # fmt: skip
        still = (combined * np.exp(-1j * turn)).reshape(-1, image.shape[-1])
        order = np.argsort(-brain.ravel(), kind="stable")[: int((brain > 0.9).sum())]
        out += [still[order[j::each][:voxels]].mean(axis=0) for j in range(each)]
    return np.stack(out)


def of_transients(data: np.ndarray) -> np.ndarray:
    """OFF, ON and ON - OFF of edited samples (s, transients, 2, n), the mean of the transients as they are (each off frequency and phase)."""
    off, on = np.moveaxis(data.mean(axis=1), 1, 0)
    return np.stack([off, on, on - off], axis=1).reshape(-1, data.shape[-1])


#: What is drawn, ppm: of images what lies between lipids and water, of shims the water.
RANGES = {"r3": (1.8, 3.6), "r5": (3.6, 5.7)}


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
        sampling = made.simulator.sampling
        ppm = np.asarray(sampling.ppm)
        worlds = made.simulator.dims[:1] == ("x",)
        low, high = RANGES.get(name, (0.2, 5.2))
        inside = (ppm > low) & (ppm < high)
        data = drawn(made.simulator, 2 if worlds else count, args.seed)
        edited = "DIM_EDIT" in made.simulator.dims
        fids = (
            in_the_brain(data, float(sampling.dwell_time))
            if worlds
            else of_transients(data["data"][:2])
            if edited
            else data["data"][:count]
        )
        if name == "r5":
            fids = fids[:, 0]
        spectra = np.asarray(to_spectrum(jnp.asarray(fids)))[:, inside]
        if name == "r5":  # of any phase
            spectra = np.abs(spectra)
        if worlds:  # less the water's tail, a cubic
            x = np.linspace(-1, 1, inside.sum())
            spectra = spectra - np.polynomial.polynomial.polyval(x, np.polynomial.polynomial.polyfit(x, spectra.T, 3))
        for j, row in enumerate(np.real(spectra)):
            size = np.ptp(row[ppm[inside] < 4.2]) if name != "r5" else 2 * np.ptp(row)
            axis.plot(ppm[inside], np.clip(row / size, -1, 1.2) - 1.1 * j, lw=0.6, color="k")
            snr = float(data["labels.snr"][j * 2 // count if worlds or edited else j])
            what = (
                f"{('OFF', 'ON', 'ON - OFF')[j % 3]}, SNR {snr:.0f} of a transient"
                if edited
                else f"SNR {snr:.0f}" + (" of a voxel, mean of 16" if worlds else "")
            )
            axis.text(high - 0.05, -1.1 * j + 0.12, what, fontsize=7)
        axis.set(xlim=(high, low), yticks=[], xlabel="chemical shift (ppm)", title=name)
        if worlds:
            for at, part in ((0.02, "labels.t1w"), (0.35, "labels.flair")):
                small = axis.inset_axes((at, 0.86, 0.3, 0.14))
                small.imshow(data[part][0, :, :, 0].T, origin="lower", cmap="gray")
                small.axis("off")
            axis.set_ylim(top=2.4)
    figure.tight_layout()
    figure.savefig(args.out, dpi=75)


if __name__ == "__main__":
    main()
