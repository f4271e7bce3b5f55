"""Tapper 2021 and Ma 2022 (rows 13 and 14): frequency and phase of single spectra by networks, beside the fit and the Cramer-Rao bound.

`python -m benchmarks.studies.row14_frequency_phase`. Spectra of one shape, as theirs, so that the error can be compared; no published table has the bound.
"""

import numpy as np

from benchmarks.studies.study import DRAWN, Learner, Study, World, classical, cpu, main, world
from mrsjax.nn import NetworkSpec, Training
from mrsjax.nn.prediction import encode
from simulators.tissue import ranges

SHIFT, PHASE = "metabolites.shift", "phase.phase_zero"
MODEL = DRAWN | {"macromolecules": "off", "baseline": None}
#: Middles of the ranges, one width: only shift, phase and noise differ.
TABLE = {
    n: [(a + b) / 2, (a + b) / 2 + 1e-4] for n, (a, b) in (dict(ranges.SHAMAEI_2023) | dict(ranges.OTHERS)).items()
}
BINS = ((5, 10), (10, 20), (20, 40), (40, 80))


def simulate() -> World:
    """+-20 Hz, +-90 degrees, 4 Hz lines, no macromolecules and no baseline."""
    return world(
        amplitudes={"table": "none", "ranges": TABLE},
        parameters={
            "phase": {"phase_zero_deg": {"uniform": [-90, 90]}},
            "metabolites": {"shift_hz": {"uniform": [-20, 20]}, "lorentz_hz": {"uniform": [3.0, 3.001]}, "gauss_hz": {"uniform": [2.0, 2.001]}},
        },
        artefacts=[],
        snr={"log_uniform": [5, 80]},
    )  # fmt: skip


def score(networks, world, samples):
    fids, snr, values = samples.data, samples.labels["snr"], samples.truth["values"]
    truth = np.stack([values["metabolites"]["shift"], np.degrees(values["phase"]["phase_zero"])])
    rows: list[tuple] = [("method", *(f"SNR {a} to {b}: error in Hz, in degrees" for a, b in BINS), "CPU ms a spectrum")]  # fmt: skip

    def line(name, shift, phase, ms):
        error = np.stack([shift, np.degrees(phase)]) - truth
        parts = [error[:, (snr >= a) & (snr < b)] for a, b in BINS]
        cells = (f"{p[0].mean():.2f} +- {p[0].std():.2f}, {p[1].mean():.1f} +- {p[1].std():.1f}" for p in parts)
        return (name, *cells, ms)

    def found(*names):
        values, ms = zip(*(cpu(lambda n=n: encode(networks[n], fids)[0], len(fids)) for n in names), strict=True)
        return values[0]["metabolites"]["shift"], values[-1]["phase"]["phase_zero"], sum(ms)

    rows.append(line("two MLPs, magnitude and real part (Tapper)", *found("mlp, frequency", "mlp, phase")))
    rows.append(line("CNN (Ma)", *found("cnn")))
    result, ms = classical(world, fids, **MODEL)
    rows.append(line("fit", np.asarray(result.parameters[SHIFT]), np.asarray(result.parameters[PHASE]), ms))
    sd = [np.asarray(result.parameters_sd[n]) for n in (SHIFT, PHASE)]
    inside = [(snr >= a) & (snr < b) for a, b in BINS]
    bounds = (f"{np.median(sd[0][i]):.2f}, {np.degrees(np.median(sd[1][i])):.1f}" for i in inside)
    rows.append(("Cramer-Rao bound, amplitudes and widths unknown", *bounds, "-"))
    return rows


def _learner(encoder, parts, *predicted):
    spec = NetworkSpec(encoder=encoder, inputs={"parts": parts}, predicted=predicted, model=MODEL)
    return Learner(spec, {"parameters": 1.0})


MLP = {"name": "mlp", "widths": [256, 128]}
STUDY = Study(
    row="13, 14",
    title="Tapper 2021 (MLPs) and Ma 2022 (CNN), frequency and phase correction",
    published="MLP 0.00 +- 0.03 Hz, -0.11 +- 0.25 degrees; CNN at 12 dB 0.01 +- 0.01 Hz, 0.12 +- 0.09 degrees (MLP 0.02, 0.19), at 1.5 dB 0.01 +- 0.02 Hz, -0.07 +- 0.44 degrees",
    reduced="PRESS TE 30 of one shape (MEGA-PRESS of one shape); SNR is peak over noise sd (how their dB are defined is not known here); 252 points (1024)",
    simulate=simulate,
    learners={
        "mlp, frequency": _learner(MLP, "magnitude", SHIFT),
        "mlp, phase": _learner(MLP, "real", PHASE),
        "cnn": _learner({"name": "cnn", "channels": [16, 32, 32], "widths": [128]}, "complex", SHIFT, PHASE),
    },
    settings=Training(steps=500, batch=64, every=100, validation=256, learning_rate=2e-3),
    score=score,
    count=256,
)

if __name__ == "__main__":
    main(STUDY)
