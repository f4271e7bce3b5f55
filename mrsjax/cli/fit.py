"""`mrsjax fit`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from mrsjax.cli.hint_options import hint_options
from mrsjax.cli.posterior import METHODS


@click.command(
    epilog=(
        "MRSI: --mask FILE, a NIfTI image of the voxels to fit. --posterior laplace (or nuts: exact and slow) adds quantiles"
        " of the posterior, posterior.csv. What `mrsjax check` may ask for: --dwell-s,"
        " --central-frequency-mhz, --ppm-ref, --points, --nucleus, --conjugate, --conjugate-basis, --basis-ppm-ref,"
        " --basis-subspectrum. Everything else (water_te_ms, omit, peak, model options, relaxation times) goes into"
        " --config; a run.yaml repeats its run."
    )
)
@click.argument("data", required=False, type=click.Path())
@click.option("--basis", type=click.Path(), help="Basis set: LCModel .BASIS, FSL-MRS folder.")
@click.option("--water", type=click.Path(), help="Unsuppressed water of the same voxel(s), for concentrations.")
@click.option("--tissue", metavar="gm=..,wm=..,csf=..", help="Volume fractions, or maps on the grid of an MRSI.")
@click.option("--mask", type=click.Path(), hidden=True)
@click.option("--control", type=click.Path(), help="Repeat the run of an LCModel control file with our fit.")
@click.option("--config", type=click.Path(), help="Settings from a file; options given here win.")
@click.option("--posterior", type=click.Choice(METHODS), hidden=True)
@click.option("-o", "--out", type=click.Path(), metavar="DIR", help="Folder for the results.")
@hint_options(visible=("--te-ms", "--tr-s"))
def fit(config: str | None, **options):
    """Fit DATA (one spectrum, a series or an MRSI) and write numbers and a report to DIR.

    DIR gets results.csv, parameters.csv, qc.csv, results.json, report.html and run.yaml.
    """
    from mrsjax.cli.settings import resolve

    settings = resolve(options, config)
    out = Path(str(settings.out))
    # The heavy imports come after the cheap mistakes.
    from mrsjax.report.folder import check_folder

    check_folder(out, ["results.csv", "parameters.csv", "qc.csv", "results.json", "report.html"])

    from mrsjax.cli.job import run

    def load():
        from mrsjax.cli import inputs
        from mrsjax.cli.finished import changes

        given, files = inputs.load(settings), inputs.fingerprints(settings)
        notes = [] if config is None else changes(config, files)
        return dataclasses.replace(given, notes=(*given.notes, *notes)), files

    run(
        load,
        out,
        title=Path(str(settings.data)).name,
        options=settings.as_options(),
        peak=settings.peak,
        model=settings.model,
        posterior=settings.posterior,
    )
