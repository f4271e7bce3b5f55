"""An editing pulse of MEGA-PRESS for GABA shaped by gradient through the density matrices and the signal model.

    nice python benchmarks/accuracy/editing_pulse.py

Published: sinc-Gaussian editing pulses of 14 ms at 1.9 (on) and 7.5 ppm (off), TE 68 ms, 3 T (Mullins et al. 2014). The
target is the Cramer-Rao bound of GABA in the difference spectrum, 0.5 .. 4.1 ppm, beside the co-edited macromolecule at
3.0 ppm (a pair 1.70/2.99 ppm, J 7.3 Hz, as strong as GABA, 14 Hz wide) and what else is edited or left over. Unknown
are all amplitudes (each with a prior of its own size, so that what a pulse removes is no longer to be determined), a
common shift, Lorentz and Gauss width, and the phase. The duration and the timing stay; the pulse is the published one
plus 10 sine waves with complex amplitudes, its carrier is free, B1 may grow by half. What is minimised is the mean of
the logarithm over three frequency offsets, so that drift costs the result no more than it costs the published pulse.

Localisation is ideal: the gain is that of the editing pulse alone. The end is computed again with the exact path.
"""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

jax.config.update("jax_enable_x64", True)

from mrsjax.core import Sampling  # noqa: E402
from simulators import spins  # noqa: E402
from simulators.spins import presets  # noqa: E402

SAMPLING = Sampling(1e-3, 123.25e6, 256)
CONCENTRATION = {"GABA": 1.5, "MM30": 1.5, "Glu": 9.0, "Gln": 2.8, "GSH": 1.2, "NAA": 11.0, "NAAG": 1.2, "Cr": 8.5,
                 "GPC": 1.6, "Ins": 6.0, "Asp": 2.0, "Tau": 1.5}  # fmt: skip
OFFSETS, WAVES, NODES, NOISE = (-5.0, 0.0, 5.0), 10, 24, 1.0
PUBLISHED = presets.editing_pulse(1.9)
MACROMOLECULE = spins.SpinSystem([spins.SpinGroup([1.70, 2.99], [(0, 1, 7.3)], scale=1.0)], "MM30")
SYSTEMS = [MACROMOLECULE if n == "MM30" else spins.metabolite(n) for n in CONCENTRATION]


def conditions(x, nodes: int | None = NODES):
    """On and off with the pulse of the parameters `x`: carrier (ppm), then amplitudes of the waves (Hz)."""
    wave = PUBLISHED.waveform
    u = (jnp.arange(wave.n_samples) + 0.5) / wave.n_samples
    waves = jnp.sin(jnp.pi * u * jnp.arange(1, WAVES + 1)[:, None])
    shape = wave.amplitude * jnp.exp(1j * wave.phase) + (x[1 : WAVES + 1] + 1j * x[WAVES + 1 :]) @ waves
    made = spins.Waveform(jnp.abs(shape), jnp.angle(shape), wave.duration)
    on, off = (spins.ShapedPulse(made, centre=c, nodes=nodes) for c in (x[0], x[0] + 5.6))
    return spins.editing.mega_press(0.068, 0.012, on=on, off=off), made.amplitude


def difference(x, offset, accuracy=spins.STANDARD, nodes: int | None = NODES):
    """Difference of on and off for each system at a frequency offset (Hz), and B1 of the pulse."""
    made, b1 = conditions(x, nodes)
    on, off = (
        spins.signals(SYSTEMS, made[k], SAMPLING, b0_offset=offset, normalise=False, accuracy=accuracy)
        for k in ("on", "off")
    )
    return on - off, b1


def bound(columns):
    """Cramer-Rao bound of GABA relative to its amplitude, noise `NOISE` in each point of both conditions."""
    amounts = jnp.asarray(list(CONCENTRATION.values()))
    t = SAMPLING.time
    line = jnp.exp(-jnp.pi * 3.0 * t - (jnp.pi * 3.0 * t) ** 2 / (4 * jnp.log(2.0)))
    broad = jnp.exp(-((jnp.pi * 14.0 * t) ** 2) / (4 * jnp.log(2.0)))
    is_broad = jnp.asarray([n == "MM30" for n in CONCENTRATION])[:, None]
    columns = amounts[:, None] * columns * jnp.where(is_broad, broad, line)
    signal = columns.sum(0)
    design = jnp.concatenate(
        [columns, jnp.stack([2j * jnp.pi * t * signal, -t * signal, -(t**2) * signal, 1j * signal])]
    )
    design = design.at[:, 0].multiply(0.5)
    spectra = jnp.fft.fftshift(jnp.fft.fft(design, norm="ortho"), axes=-1)
    spectra = spectra * ((SAMPLING.ppm > 0.5) & (SAMPLING.ppm < 4.1))
    fisher = jnp.real(spectra @ spectra.conj().T) / (2 * NOISE**2)
    prior = jnp.asarray([0.0] + [1.0] * (len(CONCENTRATION) - 1) + [0.0] * 4)
    fisher = fisher + jnp.diag(prior)
    scale = 1 / jnp.sqrt(jnp.diagonal(fisher))
    inverse = jnp.linalg.solve(fisher * scale[:, None] * scale, jnp.eye(len(fisher))[0])
    return jnp.sqrt(inverse[0]) * scale[0]


def cost(x):
    """Mean log bound over the offsets, and a wall above 1.5 times the published B1."""
    logs = [jnp.log(bound(difference(x, offset)[0])) for offset in OFFSETS]
    over = jnp.maximum(conditions(x)[1] / PUBLISHED.waveform.amplitude.max() - 1.5, 0.0)
    return jnp.stack(logs).mean() + 10.0 * jnp.sum(over**2)


def report(label: str, x, **how) -> list[float]:
    """Bounds at each offset, and what is left of GABA, macromolecule and creatine in the difference."""
    found = [difference(jnp.asarray(x), o, **how)[0] for o in OFFSETS]
    bounds = [float(bound(c)) for c in found]
    rows = {n: list(CONCENTRATION).index(n) for n in ("GABA", "MM30", "Cr")}
    t = np.asarray(SAMPLING.time)
    inside = (np.asarray(SAMPLING.ppm) > 2.85) & (np.asarray(SAMPLING.ppm) < 3.15)

    def area(name):
        fid = np.asarray(found[1][rows[name]]) * np.exp(-np.pi * 6 * t)
        fid[0] /= 2
        reference = spins.signals([spins.singlet("s", 3.0)], conditions(jnp.asarray(x), NODES)[0]["off"], SAMPLING,
                                  normalise=False)[0, 0]  # fmt: skip
        return np.fft.fftshift(np.fft.fft(fid / complex(reference))).real[inside].sum() / 128

    areas = ", ".join(f"{n} {area(n):.2f}" for n in rows)
    print(
        f"{label}: bound {', '.join(f'{100 * b:.2f}' for b in bounds)} % at {OFFSETS} Hz; area at 3 ppm, protons: {areas}"
    )
    return bounds


def main() -> None:
    """The published pulse, the optimised one, and the check of the gradient."""
    start = time.process_time()
    value = jax.jit(jax.value_and_grad(cost))
    x0 = np.concatenate([[1.9], np.zeros(2 * WAVES)])
    rng = np.random.default_rng(0)
    there, along = x0 + 0.5 * rng.normal(size=x0.size) * np.r_[0.01, np.ones(2 * WAVES)], rng.normal(size=x0.size)
    h = 1e-5
    slope = float(value(there)[1] @ along)
    step = float(value(there + h * along)[0] - value(there - h * along)[0]) / (2 * h)
    print(f"gradient against differences: {abs(slope / step - 1):.0e} ({time.process_time() - start:.0f} CPU s so far)")
    before = report("published", x0)
    scale = np.r_[0.05, np.full(2 * WAVES, 5.0)]
    for label, free in (("carrier alone", np.r_[1.0, np.zeros(2 * WAVES)]), ("carrier and shape", np.ones(x0.size))):

        def scaled(y, free=free):
            f, g = value(jnp.asarray(x0 + scale * y * free))
            return float(f), np.asarray(g) * scale * free

        found = minimize(scaled, np.zeros(x0.size), jac=True, method="L-BFGS-B", options={"maxiter": 60})
        x = x0 + scale * found.x * free
        after = report(f"{label} ({found.nfev} evaluations), carrier {x[0]:.3f} ppm", x)
        gain = np.exp(np.mean(np.log(after)) - np.mean(np.log(before)))
        print(f"{label}: bound {gain:.3f} of the published pulse's; largest B1 "
              f"{float(conditions(jnp.asarray(x))[1].max() / PUBLISHED.waveform.amplitude.max()):.2f} of it")  # fmt: skip
    exact = dict(accuracy=spins.EXACT, nodes=None)
    gain = np.array(report("the same, exact path", x, **exact)) / np.array(report("published, exact path", x0, **exact))
    print(f"gain with the exact path at each offset: {gain.round(3)}; {time.process_time() - start:.0f} CPU s")


if __name__ == "__main__":
    main()
