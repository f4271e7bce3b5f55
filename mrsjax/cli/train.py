"""`mrsjax train`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("config", type=click.Path())
@click.option(
    "-o",
    "--out",
    type=click.Path(),
    required=True,
    metavar="DIR",
    help="Folder of the run; one that was stopped goes on.",
)
def train(config: str, out: str):
    """Train a network on artificial or measured spectra as CONFIG (YAML) says.

    \b
    recipe: r1                        # or a .yaml recipe; its basis and sampling are the network's
                                      # or dataset: DIR of mrsjax simulate, or data: FILE (measured) and basis: FILE
    network: {encoder: {name: mlp, widths: [256, 128]}, predicted: [metabolites.shift, phase.phase_zero]}
    loss: {parameters: 1.0}
    training: {steps: 3000, batch: 128}
    members: 4                        # an ensemble; 1 if not given

    DIR gets best/ and last/ (model.npz with its card.json), log.csv, log.json and state.npz.
    """
    from mrsjax.cli.training_config import read_training

    given = read_training(config)
    from mrsjax.cli.console import interruptible, phases, start_jax

    device = start_jax(double=False)
    with phases(device) as (say, _):
        from mrsjax.cli.training_config import run

        say(f"compiling for {device}")
        done = interruptible(
            lambda: run(given, Path(out), lambda line: click.echo(f"mrsjax: {line}", err=True)),
            stopped="interrupted; the same command goes on from the last validation",
        )
    click.echo(
        f"best validation loss {min(r.validation for r in done.history):.4g} at step {done.best_step} of {done.history[-1].step} (ended by {done.ended})"
    )
    click.echo(f"Model: {Path(out) / 'best'}; use it with: mrsjax predict {Path(out) / 'best'} DATA -o DIR")
