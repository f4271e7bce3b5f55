"""Echo times of PRESS chosen by gradient: the Cramer-Rao bound of one metabolite through the signal model.

    nice python benchmarks/accuracy/basis_echo_times.py [GABA] [Gln] [GSH] [2HG]

The spectrum is sum_m c_m b_m(t; TE1, TE2) exp(-TE/T2) times a Lorentz-Gauss line, plus Gaussian macromolecule lines
with their own T2 and amplitudes, in white noise of the same size at every TE, 0.5 .. 4.1 ppm. Unknown are all
amplitudes, a common shift, a common Lorentz and Gauss width, and the phase. The bound is differentiable in TE1 and TE2
through the density matrices; L-BFGS-B follows that gradient from the published timing and from two others, and the
best end is reported.

Concentrations (mmol/L) are round values for grey matter. T2 = 180 ms for metabolites, 30 ms for macromolecules; line
width 5 Hz; the shapes of the pulses are ideal here, so the gain is that of the timing alone.
"""

from __future__ import annotations

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

jax.config.update("jax_enable_x64", True)

from mrsjax.core import Sampling  # noqa: E402
from mrsjax.physics.macromolecules import MACROMOLECULES, peak_fids  # noqa: E402
from simulators import spins  # noqa: E402

SAMPLING = Sampling(5e-4, 123.25e6, 1024)
T2, T2_MACROMOLECULES = 0.180, 0.030
CONCENTRATION = {
    "Ala": 0.6, "Asc": 1.0, "Asp": 2.0, "Cr": 4.5, "GABA": 1.5, "Gln": 2.8, "Glu": 9.0, "GPC": 1.0, "GSH": 1.2,
    "Ins": 6.0, "Lac": 0.6, "NAA": 11.0, "NAAG": 1.2, "PCh": 0.6, "PCr": 4.0, "PE": 1.5, "Scyllo": 0.3, "Tau": 1.5,
}  # fmt: skip
#: Published PRESS timings (TE1, TE2) in ms: short TE; for 2HG Choi et al. 2012 (Nat Med 18:624), TE 97 = 32 + 65.
PUBLISHED = {"GABA": (10.0, 20.0), "Gln": (10.0, 20.0), "GSH": (10.0, 20.0), "2HG": (32.0, 65.0)}
STARTS = ((30.0, 40.0), (20.0, 80.0))
BOUNDS = ((8.0, 120.0), (12.0, 150.0))


def bound(te1, te2, target: str):
    """Cramer-Rao bound of `target` relative to its amplitude, for noise of standard deviation 1 in each point."""
    table = CONCENTRATION if target in CONCENTRATION else {**CONCENTRATION, target: 2.0}
    te = te1 + te2
    basis = spins.signals(spins.metabolites(list(table)), spins.press(te, te1), SAMPLING)
    t = SAMPLING.time
    line = jnp.exp(-jnp.pi * 3.0 * t - (jnp.pi * 3.0 * t) ** 2 / (4 * jnp.log(2.0)))
    columns = basis * line * jnp.exp(-te / T2)
    mm = peak_fids(MACROMOLECULES, SAMPLING) * jnp.exp(-te / T2_MACROMOLECULES)
    signal = jnp.asarray(list(table.values())) @ columns
    everything = signal + 6.0 * mm.sum(0)
    nuisance = jnp.stack([2j * jnp.pi * t * signal, -t * signal, -(t**2) * signal, 1j * everything])
    design = jnp.concatenate([columns, mm, nuisance])
    design = design.at[:, 0].multiply(0.5)
    spectra = jnp.fft.fftshift(jnp.fft.fft(design, norm="ortho"), axes=-1)
    inside = (SAMPLING.ppm > 0.5) & (SAMPLING.ppm < 4.1)
    spectra = spectra * inside
    fisher = jnp.real(spectra @ spectra.conj().T)
    scale = 1 / jnp.sqrt(jnp.diagonal(fisher))
    row = list(table).index(target)
    inverse = jnp.linalg.solve(fisher * scale[:, None] * scale, jnp.eye(len(fisher))[row])
    return jnp.sqrt(inverse[row]) * scale[row] / table[target]


def optimise(target: str) -> None:
    """The best timing for `target` against the published one."""

    def value_and_slope(x):
        value, slope = jax.value_and_grad(lambda y: jnp.log(bound(y[0] * 1e-3, y[1] * 1e-3, target)))(jnp.asarray(x))
        return float(value), np.asarray(slope)

    start = time.process_time()
    published = np.exp(value_and_slope(PUBLISHED[target])[0])
    h = 1e-3
    x = np.array((41.0, 57.0))
    slope = value_and_slope(x)[1]
    steps = [(value_and_slope(x + h * e)[0] - value_and_slope(x - h * e)[0]) / (2 * h) for e in np.eye(2)]
    ends = []
    for first in (PUBLISHED[target], *STARTS):
        found = minimize(value_and_slope, first, jac=True, method="L-BFGS-B", bounds=BOUNDS, options={"maxiter": 25})
        ends.append((np.exp(found.fun), found.x, found.nfev))
        print(f"  {target}: from {first[0]:.0f}/{first[1]:.0f} to {found.x[0]:.1f}/{found.x[1]:.1f} ms, "
              f"bound relative to published {ends[-1][0] / published:.3f}, {found.nfev} evaluations")  # fmt: skip
    best = min(ends, key=lambda e: e[0])
    print(
        f"{target}: published {PUBLISHED[target][0]:.0f}/{PUBLISHED[target][1]:.0f} ms, "
        f"best {best[1][0]:.1f}/{best[1][1]:.1f} ms, "
        f"CRLB {best[0] / published:.3f} of the published timing's (gradient against differences: "
        f"{np.abs(slope - steps).max() / np.abs(slope).max():.0e}; {time.process_time() - start:.0f} CPU s)"
    )


if __name__ == "__main__":
    for name in sys.argv[1:] or PUBLISHED:
        optimise(name)
