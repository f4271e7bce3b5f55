"""`mrsjax predict`."""

from __future__ import annotations

from pathlib import Path

import click

from mrsjax.cli.hint_options import hint_options


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data", type=click.Path())
@click.option("--water", type=click.Path(), help="Unsuppressed water of the same voxel(s), for concentrations.")
@click.option("--tissue", metavar="gm=..,wm=..,csf=..", help="Volume fractions, or maps on the grid of an MRSI.")
@click.option("--mask", type=click.Path(), help="Image of the voxels to analyse.")
@click.option(
    "--iterations",
    type=click.IntRange(0, 60),
    default=None,
    show_default="3; none after a network that gives the amplitudes itself",
    help="Fit steps from where the network points.",
)
@click.option("-o", "--out", type=click.Path(), required=True, metavar="DIR", help="Folder for the results.")
@hint_options(visible=("--te-ms", "--tr-s"))
def predict(model: str, iterations: int | None, **options):
    """Spectra of DATA through the network in MODEL, a folder of `mrsjax train`.

    DIR gets what `mrsjax fit` writes, with the method named. A network refuses data that it was not made for, and says which
    spectra are unlike its training data.
    """
    from mrsjax.cli.settings import resolve

    settings = resolve({**options, "basis": model}, None)
    out = Path(str(settings.out))
    from mrsjax.cli.outcome import FILES
    from mrsjax.report.folder import check_folder

    check_folder(out, list(FILES))
    from mrsjax.cli.job import run
    from mrsjax.cli.learned import inputs_of, method_of, steps_of

    steps = steps_of(model, iterations)
    run(
        lambda: inputs_of(settings, model),
        out,
        title=Path(str(settings.data)).name,
        options={
            **settings.as_options(),
            "basis": None,
            "network": str(Path(model).absolute()),
            "iterations": steps,
        },
        peak=settings.peak,
        method=lambda given: method_of(model, given, steps),
    )
