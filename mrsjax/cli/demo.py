"""`mrsjax demo`."""

from __future__ import annotations

from pathlib import Path

import click

#: mmol/kg of tissue water: round numbers inside the ranges of healthy adults (Gudmundson 2023).
CONCENTRATIONS = {
    "NAA": 12.0,
    "NAAG": 1.5,
    "Cr": 5.5,
    "PCr": 4.5,
    "GPC": 1.2,
    "PCh": 0.6,
    "Glu": 11.0,
    "Gln": 3.0,
    "Ins": 7.5,
    "GABA": 1.5,
    "GSH": 1.5,
    "Lac": 0.8,
    "Asp": 1.8,
    "Asc": 1.0,
    "Gly": 0.6,
    "Glc": 1.0,
    "PE": 1.5,
    "Scyllo": 0.35,
    "Tau": 1.5,
    "Ala": 0.4,
}


@click.command()
@click.option(
    "-o", "--out", type=click.Path(), default="mrsjax-demo", show_default=True, help="Folder for the results."
)
def demo(out: str):
    """Simulate a brain spectrum (PRESS TE 30, 3 T), fit it, write the report.

    The spectrum comes from the packaged basis and the signal model, with water, noise, shift and phase; nothing is
    downloaded.
    """
    from mrsjax.cli.job import run

    truth: dict[str, float] = {}

    def load():
        given, amounts = simulated()
        truth.update(amounts)
        return given, []

    analysis = run(load, Path(out), title="Simulated brain spectrum (mrsjax demo)", options={"demo": True})
    names = list(analysis.quantities.names)
    for name in ("tNAA", "tCr", "tCho", "Glx", "Ins"):
        j = names.index(name)
        value, sd = (
            a[0, j] for a in (analysis.quantities.water_scaled_molal, analysis.quantities.water_scaled_molal_sd)
        )
        click.echo(f"  {name:5} {value:6.2f} ± {sd:.2f} mmol/kg (simulated {truth[name]:.2f})")


def simulated():
    """A spectrum and its water as `Inputs`, and the true concentrations of metabolites and sums, mmol/kg."""
    import jax.numpy as jnp
    import numpy as np

    from mrsjax.analysis import Water
    from mrsjax.cli.inputs import Inputs
    from mrsjax.core import FIDs, to_spectrum
    from mrsjax.core.data import Acquisition
    from mrsjax.core.metabolites import SUMS, canonical
    from mrsjax.data import default_basis
    from mrsjax.inference.quantification import Timing, Tissue, attenuation, water_scale
    from mrsjax.physics import default_model
    from mrsjax.physics.relaxation import TISSUES, relaxation_table

    basis = default_basis()
    sampling = basis.sampling
    model = default_model(basis, sampling)
    timing, table, tissue = Timing(0.03, 2.0, 0.03, 2.0), relaxation_table(3.0), Tissue(0.55, 0.38, 0.07)

    # Amplitudes from concentrations: the water scaling of the analysis, backwards.
    water = 4.0e4
    of_water = [attenuation(0.03, 2.0, table.water[t].t1, table.water[t].t2) for t in TISSUES]
    of_metabolite = [[attenuation(0.03, 2.0, t.t1, t.t2) for t in table.of(canonical(n))] for n in model.names]
    scale, _ = water_scale(
        jnp.asarray(water),
        jnp.asarray(1.0),
        jnp.asarray(tissue.fractions),
        jnp.asarray(of_water),
        jnp.asarray(of_metabolite),
    )
    amounts = np.array([CONCENTRATIONS.get(n, NUISANCE.get(n, 2.0)) for n in model.names])
    values = model.start()
    values["metabolites"] |= {"shift": jnp.asarray(2.5), "lorentz": jnp.asarray(3.0), "gauss": jnp.asarray(12.0)}
    values["macromolecules"] |= {"shift": jnp.asarray(2.5)}
    values["phase"] |= {"phase_zero": jnp.asarray(0.5)}
    clean = np.asarray(model.signal(values, jnp.asarray(amounts / np.asarray(scale))))

    rng = np.random.default_rng(2026)
    height = np.abs(to_spectrum(np.asarray(clean))).max()
    noise = height / 100 * (rng.normal(size=clean.shape) + 1j * rng.normal(size=clean.shape))
    time = np.asarray(sampling.time)
    eddy = np.exp(1j * (0.5 + 0.8 * np.exp(-time / 0.03)))
    reference = water * np.exp(-np.pi * 6.0 * time - (np.pi * 4.0 * time) ** 2 / (4 * np.log(2))) * eddy

    acquisition = Acquisition(echo_time=0.03, repetition_time=2.0, sequence="PRESS (simulated)", source="mrsjax demo")
    fids = FIDs(clean + noise, sampling, (), acquisition)
    given = Inputs(fids, basis, Water(FIDs(reference, sampling, (), acquisition), timing, tissue, table), None, ())
    truth = dict(CONCENTRATIONS)
    truth |= {total: sum(CONCENTRATIONS.get(p, 0.0) for p in parts) for total, parts in SUMS.items()}
    return given, truth


#: Amplitudes of what is no metabolite, in the same unit; the other macromolecular lines get 2.
NUISANCE = {
    "-CrCH2": 0.0,
    "MM094": 7.0,
    "MM122": 3.0,
    "MM143": 6.0,
    "MM170": 4.0,
    "MM205": 6.0,
    "MM227": 4.0,
    "MM301": 3.0,
}
