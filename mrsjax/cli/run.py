"""`mrsjax run`: preprocess, fit, report."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from mrsjax.cli.hint_options import hint_options


@click.command(
    epilog="--steps FILE: settings of the preprocessing (the --config of `mrsjax preprocess`); --edited: conditions take turns among the transients. What `mrsjax check`"
    " may ask for of RAW (--dwell-s, --ppm-ref, ...) and of the basis (--conjugate-basis, ...) works here too."
)
@click.argument("raw", type=click.Path())
@click.option("--basis", type=click.Path(), required=True, help="Basis set: LCModel .BASIS, FSL-MRS folder.")
@click.option("--water", type=click.Path(), help="Unsuppressed water, same coils.")
@click.option("--ecc", type=click.Path(), help="Water reference for eddy currents alone.")
@click.option("--edited", is_flag=True, hidden=True, help="Conditions of editing take turns among the transients.")
@click.option("--tissue", metavar="gm=..,wm=..,csf=..", help="Volume fractions.")
@click.option("--te-ms", type=float, help="Echo time, where the file does not say it.")
@click.option("--tr-s", type=float, help="Repetition time, where the file does not say it.")
@click.option("--steps", type=click.Path(), hidden=True, help="Settings of the preprocessing, YAML.")
@click.option("--config", type=click.Path(), help="Settings of the fit, YAML.")
@click.option("-o", "--out", type=click.Path(), required=True, metavar="DIR", help="Folder for the results.")
@hint_options(leave_out=("--te-ms", "--tr-s"))
def run(raw, basis, water, ecc, edited, steps, tissue, config, out, **hints):
    """From RAW coils and transients to concentrations and two reports.

    Of edited data the difference (edited minus unedited) is fitted: BASIS is that of the difference. DIR gets what `mrsjax fit` writes; DIR/preprocessing what `mrsjax preprocess` writes.
    """
    from mrsjax.cli.outcome import FILES
    from mrsjax.cli.settings import resolve
    from mrsjax.report.folder import check_folder

    folder = Path(out)
    clean = folder / "preprocessing"
    given = {
        "data": str(clean / "preprocessed.nii.gz"),
        "basis": basis,
        "out": out,
        "water": None if water is None else str(clean / "water.nii.gz"),
        "tissue": tissue,
        # The other hints are of RAW: the preprocessed file says what they said.
        **{k: hints[k] for k in ("te_ms", "tr_s", "conjugate_basis", "basis_ppm_ref", "basis_subspectrum")},
    }
    settings = resolve(given, config)
    if not Path(basis).exists():
        raise ValueError(f"{basis}: wanted a basis set, found none")
    check_folder(folder, list(FILES))

    from mrsjax.cli.preprocess import process

    def checked(fids):
        from mrsjax.cli import inputs

        inputs.check(settings, fids, raw)

    of_raw = {k: v for k, v in hints.items() if "basis" not in k}
    done = process(raw, clean, water=water, ecc=ecc, config=steps, edited=edited, hints=of_raw, checked=checked)
    if done.combined:
        settings = dataclasses.replace(settings, data=str(clean / "difference.nii.gz"))
    from mrsjax.cli import inputs
    from mrsjax.cli.job import run as fit

    fit(
        lambda: (inputs.load(settings), inputs.fingerprints(settings)),
        folder,
        title=Path(raw).name,
        options=settings.as_options(),
        peak=settings.peak,
        model=settings.model,
        posterior=settings.posterior,
    )
