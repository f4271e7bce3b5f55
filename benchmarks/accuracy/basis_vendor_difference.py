"""How far ideal and shaped pulses are from a basis that was made with a vendor's pulses.

    nice python benchmarks/accuracy/basis_vendor_difference.py

`basis_3t_philips_press35` (Osprey's, TE 35 ms, made with a vendor's waveforms that are not ours to ship) against PRESS with ideal
pulses and with SLR refocusing pulses of 5 ms and 1.2 kHz. Each entry is compared within 0.5 .. 4.2 ppm after the best complex
scale, shift and Lorentz-Gauss broadening, since line width and reference differ by convention. Percent of the norm.
"""

from __future__ import annotations

import os
from pathlib import Path

import jax
import numpy as np
from scipy.optimize import minimize

jax.config.update("jax_enable_x64", True)

from mrsjax import io  # noqa: E402
from mrsjax.core.metabolites import canonical  # noqa: E402
from simulators import spins  # noqa: E402
from simulators.spins import presets  # noqa: E402

DATA = Path(os.environ.get("MRSJAX_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def difference(theirs: np.ndarray, ours: np.ndarray, time: np.ndarray, inside: np.ndarray) -> float:
    """Smallest |a - c b(shift, width)| / |a| within the window."""
    half = np.where(np.arange(len(time)) == 0, 0.5, 1.0)

    def spectrum(fid):
        return np.fft.fftshift(np.fft.fft(fid * half))[inside]

    target = spectrum(theirs)

    def rest(p):
        z = spectrum(ours * np.exp(2j * np.pi * p[0] * time - p[1] * time - p[2] * time**2))
        return np.linalg.norm(target - np.vdot(z, target) / np.vdot(z, z) * z) / np.linalg.norm(target)

    starts = ((s, 6.0, 0.0) for s in (-4.0, 0.0, 4.0))
    return min(minimize(rest, s, method="Nelder-Mead", options={"maxiter": 400}).fun for s in starts)


def main() -> None:
    """One line a metabolite."""
    vendor = io.read_basis(DATA / "basis_3t_philips_press35" / "3T_PRESS_Philips_35ms_noMM.BASIS")
    sampling = vendor.sampling
    time, ppm = np.asarray(sampling.time), np.asarray(sampling.ppm)
    inside = (ppm > 0.5) & (ppm < 4.2)
    names = [n for n in vendor.names if canonical(n) in spins.available()]
    systems = [spins.metabolite(n, alternative="FID-A" if n == "Asc" else None) for n in names]
    kinds = {"ideal": spins.press(0.035, 0.0155)}
    for te1 in (12.5, 15.5, 18.5):
        kinds[f"shaped, TE1 {te1} ms"] = presets.press(0.035, te1 * 1e-3)
    rows = {k: np.asarray(spins.signals(systems, s, sampling)) for k, s in kinds.items()}
    table = {
        k: [
            difference(np.asarray(vendor.select([n]).fids[0]), f, time, inside)
            for n, f in zip(names, fids, strict=True)
        ]
        for k, fids in rows.items()
    }
    print("percent", *table, sep="; ")
    for row, name in enumerate(names):
        print(f"{name:7}", "  ".join(f"{100 * v[row]:6.1f}" for v in table.values()))
    print("median ", "  ".join(f"{100 * np.median(v):6.1f}" for v in table.values()))


if __name__ == "__main__":
    main()
