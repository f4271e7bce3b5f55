"""`mrsjax simulate`. Only argument parsing; JAX is imported inside the command."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("recipe", required=False)
@click.option(
    "-n", "--count", type=click.IntRange(1), default=1000, show_default=True, help="Number of spectra, or worlds."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder of the data set; an unfinished one is resumed."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Another seed, other data."
)
@click.option("--signals", is_flag=True, help="Also keep the clean signals and what each artefact added.")
@click.option("--shard", type=click.IntRange(1), help="Spectra (worlds) in a file.", hidden=True)
@click.option("--verify", is_flag=True, help="Only compare the files of OUT with their checksums.")
@click.option("--coordinator", help="HOST:PORT of process 0, for several processes.", hidden=True)
@click.option("--process", type=click.IntRange(0), help="Number of this process, from 0.", hidden=True)
@click.option("--processes", type=click.IntRange(1), help="Number of processes.", hidden=True)
def simulate(
    recipe: str, count: int, out: Path, seed: int, signals: bool, shard: int | None, verify: bool,
    coordinator: str | None, process: int | None, processes: int | None,
):  # fmt: skip
    """Writes labelled artificial spectra of RECIPE (a name or a .yaml file) into files; without RECIPE, lists the names.

    The same recipe, seed and number give the same spectrum, whatever the count, the interruptions, the devices and the processes.

    Rarer options (docs/artificial-data.md): --shard; --coordinator, --process and --processes for several processes.
    """
    if out is None and (recipe is not None or verify):
        raise click.UsageError("-o: name the folder of the data set")
    if out is not None and recipe is None and not verify:
        raise click.UsageError(
            "RECIPE: name the recipe of the data set, or --verify one that is there; mrsjax simulate lists the names"
        )
    from mrsjax.cli.console import interruptible, phases, start_jax

    if (coordinator, process, processes).count(None) not in (0, 3):
        raise click.UsageError("--coordinator, --process and --processes go together")
    if coordinator is not None:
        import jax

        jax.distributed.initialize(coordinator, processes, process)
    device = start_jax()
    from simulators.datasets import recipe as load
    from simulators.datasets import store, summaries

    if verify:
        click.echo(f"{out}: {store.verify(out)} shards are what was written")
    elif recipe is None:
        for name, summary in summaries().items():
            click.echo(f"{name:8} {summary}")
    else:
        made = load(recipe)
        with phases(device, doing="simulating") as (_, progress):
            interruptible(
                lambda: store.write(made, count, out, seed=seed, shard=shard, signals=signals, progress=progress),
                stopped="interrupted; finished shards stay, the same command goes on from there",
            )
        click.echo(f"{out}: {count} samples of {made.name}, seed {seed}")
