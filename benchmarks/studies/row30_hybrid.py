"""Shamaei 2023 (row 30) as a hybrid: the encoder gives the shared non-linear parameters, amplitudes are solved exactly, the fit refines.

`python -m benchmarks.studies.row30_hybrid`. The comparison is with our own fit from a cold start, same model, same spectra.
"""

import numpy as np

from benchmarks.studies.study import Study, World, cpu, main
from mrsjax.core.metabolites import SUMS
from mrsjax.data import default_basis
from mrsjax.inference import fit
from mrsjax.nn import NetworkSpec, Training
from mrsjax.nn.prediction import encode
from mrsjax.physics import default_model
from simulators.datasets import recipe

TOTALS = {**SUMS, "Ins": ("Ins",)}


def simulate() -> World:
    """Recipe R1 with the packaged basis."""
    simulator = recipe("r1").simulator
    return World(simulator, default_basis(), simulator.model.sampling)


def errors(names, found, truth, own_names) -> tuple[float, float]:
    """Mean absolute percentage error of the sums, and mean R^2 over the metabolites."""
    sums = []
    for parts in TOTALS.values():
        x, y = (
            sum(table[:, rows.index(p)] for p in parts if p in rows)
            for table, rows in ((found, names), (truth, own_names))
        )
        sums.append(np.mean(np.abs(x / y - 1)))
    r2 = []
    for name in own_names:
        if name in names and not name.startswith(("MM", "Lip")):
            x, y = truth[:, own_names.index(name)], found[:, names.index(name)]
            r2.append(1 - np.mean((x - y) ** 2) / np.var(x))
    return 100 * float(np.mean(sums)), float(np.median(r2))


def score(networks, world, samples):
    fids, truth = samples.data.astype(complex), samples.truth["amplitudes"]
    model = default_model(world.basis, world.sampling)
    own, count = list(world.simulator.model.names), len(fids)
    names = list(model.names)
    rows: list[tuple] = [
        (
            "method",
            "error of tNAA, tCr, tCho, Glx, Ins / %",
            "median R^2 of 20 metabolites",
            "CPU ms a spectrum",
            "time / cold fit",
            "not converged / %",
        )
    ]
    cold, full = cpu(lambda: fit(model, fids), count)

    def line(name, result, ms):
        undone = 100 * float(np.mean(np.asarray(result.status) != 0))
        return (name, *errors(names, np.asarray(result.amplitudes), truth, own), ms, ms / full, undone)

    rows.append(line("fit, cold start", cold, full))
    values, encoding = cpu(lambda: encode(networks["mlp"], fids)[0], count)
    rows.append(("encoder alone", "-", "-", encoding, encoding / full, "-"))
    for iterations in (0, 1, 3, 59):
        result, ms = cpu(lambda k=iterations: fit(model, fids, start=values, max_iterations=1 + k), count)
        rows.append(line(f"encoder, exact amplitudes, {iterations} iterations", result, ms + encoding))
    return rows


STUDY = Study(
    row="30",
    title="Shamaei 2023, physics-informed autoencoder, here with variable projection and refinement",
    published="R^2 on 10 000 simulated signals comparable to traditional fitting; numeric MM best; at least 12 000 samples needed",
    reduced="simulated (recipe r1, PRESS TE 30, 20 metabolites, 15 free MM lines, spline baseline); MLP in place of the ConvNet, supervised",
    simulate=simulate,
    specs={
        "mlp": NetworkSpec(
            encoder={"name": "mlp", "widths": [256, 128]},
            predicted=(
                "metabolites.shift",
                "metabolites.lorentz",
                "metabolites.gauss",
                "phase.phase_zero",
                "macromolecules.shift",
            ),
        )
    },
    losses={"mlp": {"parameters": 1.0}},
    settings=Training(steps=2000, batch=128, every=250, validation=256, learning_rate=2e-3),
    score=score,
    count=128,
)

if __name__ == "__main__":
    main(STUDY)
