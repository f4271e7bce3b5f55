"""Shamaei 2021 (row 27): wavelet scattering and one dense layer in place of a CNN, and what phase and macromolecules do to both.

`python -m benchmarks.studies.row27_scattering`.
"""

from typing import Any

import numpy as np

from benchmarks.studies.scores import metabolites, r2, smape, with_prior
from benchmarks.studies.study import METABOLITES, Learner, Study, classical, cpu, draw, main, world
from mrsjax.nn import NetworkSpec, Training

R1 = {
    "metabolites": {"shift_hz": {"uniform": [-4, 4]}, "lorentz_hz": {"uniform": [0, 5.1]}, "gauss_hz": {"uniform": [0, 4.8]}},
    "macromolecules": {"shift_hz": {"uniform": [-4, 4]}, "lorentz_hz": {"uniform": [0, 5.0]}, "gauss_hz": {"uniform": [0, 10.0]}},
}  # fmt: skip
#: What the networks did not see in training.
CHANGES: dict[str, dict[str, Any]] = {
    "phase +-90 degrees": {"parameters": {"phase": {"phase_zero_deg": {"uniform": [-90, 90]}}, **R1}},
    "macromolecules twice as large": {
        "amplitudes": {"table": "shamaei2023", "macromolecules": {"uniform": [6.0, 18.0]}}
    },
}


def score(networks, own, samples):
    m = len(own.metabolites)
    sets = {"as trained": samples} | {
        name: draw(world(**change).simulator, len(samples.data), own.seed) for name, change in CHANGES.items()
    }
    rows: list[tuple] = [("method", *(f"{name}: SMAPE / %, median R^2" for name in sets), "CPU ms a spectrum")]

    def line(name, quantify):
        cells, ms = [], 0.0
        for position, part in enumerate(sets.values()):
            found, took = quantify(part.data)
            ms = took if position == 0 else ms
            truth = part.truth["amplitudes"][:, :m]
            cells.append(f"{smape(found, truth):.1f}, {np.median(r2(found, truth)):.2f}")
        return (name, *cells, ms)

    for name, network in networks.items():
        rows.append(line(name, lambda fids, n=network: cpu(lambda: metabolites(n, fids), len(fids))))

    fits = {id(part.data): classical(own, part.data) for part in sets.values()}
    plain = {k: (np.asarray(result.amplitudes)[:, :m], ms) for k, (result, ms) in fits.items()}
    told = {k: (with_prior(result, own)[:, :m], ms) for k, (result, ms) in fits.items()}
    rows.append(line("fit", lambda fids: plain[id(fids)]))
    rows.append(line("fit, told the mean and spread of the training data", lambda fids: told[id(fids)]))
    return rows


def _spec(encoder, inputs):
    return Learner(
        NetworkSpec(encoder=encoder, inputs=inputs, model=METABOLITES, predicted=(), amplitudes="network"),
        {"amplitudes": 1.0},
    )


STUDY = Study(
    row="27",
    title="Shamaei 2021, wavelet scattering",
    published="like Hatami's CNN, better than QUEST, faster, robust to phase and macromolecules (values not read)",
    reduced="scattering of the band 0.2 to 4.2 ppm (252 points, five octaves) in place of the FID; 20 metabolites",
    simulate=world,
    learners={
        "scattering, one dense layer": _spec({"name": "mlp", "widths": [128]}, {"domain": "scattering"}),
        "cnn": _spec({"name": "cnn", "channels": [16, 32, 64], "widths": [256]}, {}),
    },
    settings=Training(steps=600, batch=64, every=100, validation=256, learning_rate=2e-3),
    score=score,
    count=128,
)

if __name__ == "__main__":
    main(STUDY)
