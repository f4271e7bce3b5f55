"""`mrsjax evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

OUTPUTS = ("scenarios.csv", "scenarios.md", "scenarios.svg")


@click.command()
@click.argument("model", type=click.Path())
@click.option("--scenarios", is_flag=True, required=True, help="The scenario suite, beside the fit.")
@click.option("--count", type=click.IntRange(2, 10000), default=32, show_default=True, help="Spectra a scenario.")
@click.option("--seed", type=int, default=20231, show_default=True, help="Of the spectra; no training key uses it.")
@click.option(
    "--iterations",
    type=click.IntRange(0, 60),
    default=None,
    show_default="3; none after a network that gives the amplitudes itself",
    help="Fit steps after the network.",
)
@click.option("-o", "--out", type=click.Path(), required=True, metavar="DIR", help="Folder for table and figure.")
def evaluate(model: str, scenarios: bool, count: int, seed: int, iterations: int | None, out: str):
    """The network in MODEL, a folder of `mrsjax train`, on artificial spectra that its recipe did not foresee.

    Each scenario changes one thing of the recipe that the network was trained on. DIR gets scenarios.csv, .md and .svg: bias, spread, coverage and failures of
    the fit, of the network alone, adapted to each spectrum, and followed by fit steps, and of the ensemble where MODEL is one; of a network that gives the amplitudes
    itself, alone.
    """
    from mrsjax.report.folder import check_folder

    check_folder(Path(out), list(OUTPUTS))
    from mrsjax.cli.console import interruptible, phases, start_jax

    device = start_jax()
    with phases(device) as (say, _):

        def work():
            from mrsjax.cli.learned import scenario_rows

            note = lambda line: click.echo(f"mrsjax: note: {line}", err=True)  # noqa: E731
            return scenario_rows(model, count, seed, iterations, say=say, note=note)

        rows = interruptible(work)
    from mrsjax.analysis.scenarios import figure, table
    from mrsjax.report import to_csv

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    contents = to_csv([r._asdict() for r in rows]), table(rows), figure(rows)
    for name, content in zip(OUTPUTS, contents, strict=True):
        (folder / name).write_text(content, encoding="utf-8")
    click.echo(contents[1])
