"""Tapper 2021 and Ma 2022 (rows 13 and 14): frequency and phase of single spectra by an MLP and a CNN, beside the fit and the Cramer-Rao bound.

`python -m benchmarks.studies.row14_frequency_phase`. No published table has the bound.
"""

import numpy as np

from benchmarks.studies.study import Study, World, cpu, main
from mrsjax.data import default_basis
from mrsjax.inference import fit
from mrsjax.nn import NetworkSpec, Training
from mrsjax.nn.prediction import encode
from mrsjax.physics import default_model
from simulators.datasets.recipe import parse

RECIPE = """
name: frequency and phase
summary: recipe r1 on 1024 points without macromolecules, with +-20 Hz and +-90 degrees
sampling: {points: 1024, spectral_width_hz: 2000, central_frequency_mhz: 123.25}
basis: default
amplitudes: {table: shamaei2023}
parameters:
  phase: {phase_zero_deg: {uniform: [-90, 90]}}
  metabolites: {shift_hz: {uniform: [-20, 20]}, lorentz_hz: {uniform: [1, 5.1]}, gauss_hz: {uniform: [0, 4.8]}}
artefacts:
  - baseline: {strength: {log_uniform: [0.002, 0.05]}, range_ppm: [-0.5, 5.0], spacing_ppm: 0.5}
snr: {log_uniform: [5, 100]}
"""
PREDICTED = ("metabolites.shift", "phase.phase_zero")
#: No own lines: the bound is for a shared shift and phase.
MODEL = {"lineshape": "voigt", "macromolecules": "off", "own_shift": 0, "own_width": 0}


def simulate() -> World:
    """`RECIPE` with the packaged basis."""
    simulator = parse(RECIPE, "row14").simulator
    return World(simulator, default_basis(), simulator.model.sampling)


def score(networks, world, samples):
    fids, snr = samples.data.astype(complex), samples.labels["snr"]
    truth = np.stack([samples.truth["values"][g][p] for g, p in (n.split(".") for n in PREDICTED)])
    degrees, bins = 180 / np.pi, ((5, 13.6), (13.6, 36.8), (36.8, 100))
    rows: list[tuple] = [
        ("method", *(f"SNR {a:g}-{b:g}: mean abs. error Hz / deg" for a, b in bins), "CPU ms a spectrum")
    ]

    def line(name, shift, phase, ms):
        error = np.abs(np.stack([shift - truth[0], degrees * (phase - truth[1])]))
        cells = [error[:, (snr >= a) & (snr < b)].mean(axis=1) for a, b in bins]
        return (name, *(f"{c[0]:.3f} / {c[1]:.2f}" for c in cells), ms)

    for name, network in networks.items():
        values, ms = cpu(lambda n=network: encode(n, fids)[0], len(fids))
        rows.append(line(name, values["metabolites"]["shift"], values["phase"]["phase_zero"], ms))
    model = default_model(world.basis, world.sampling, **MODEL)
    result, ms = cpu(lambda: fit(model, fids), len(fids))
    shift, phase = (np.asarray(result.parameters[n]) for n in PREDICTED)
    rows.append(line("fit, cold start", shift, phase, ms))
    bound = [np.asarray(result.parameters_sd[n]) * np.sqrt(2 / np.pi) for n in PREDICTED]
    rows.append(line("Cramer-Rao bound (as mean abs. error)", truth[0] + bound[0], truth[1] + bound[1], "-"))
    return rows


def _spec(encoder, seed=0):
    return NetworkSpec(encoder=encoder, predicted=PREDICTED, model=MODEL, seed=seed)


STUDY = Study(
    row="13, 14",
    title="Tapper 2021 (MLP) and Ma 2022 (CNN), frequency and phase correction",
    published="MLP 0.00+-0.03 Hz, -0.11+-0.25 deg (simulated); CNN at 12 dB 0.01+-0.01 Hz, 0.12+-0.09 deg (MLP 0.02, 0.19), at 1.5 dB 0.01+-0.02 Hz, -0.07+-0.44 deg",
    reduced="simulated PRESS TE 30 with varying concentrations, widths and baseline, no macromolecules (theirs: MEGA-PRESS of fixed shape); one network for both",
    simulate=simulate,
    specs={
        "mlp": _spec({"name": "mlp", "widths": [256, 128]}),
        "cnn": _spec({"name": "cnn", "channels": [16, 32, 32], "widths": [128]}),
    },
    losses={"mlp": {"parameters": 1.0}, "cnn": {"parameters": 1.0}},
    settings=Training(steps=1500, batch=128, every=250, validation=256, learning_rate=2e-3),
    score=score,
    count=192,
)

if __name__ == "__main__":
    main(STUDY)
