"""One run: load, fit, write, announce, with phases on the console and Ctrl-C obeyed at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from mrsjax.cli.console import interruptible, phases, start_jax


def computed(
    load: Callable[[], Any],
    note: Callable[[str], None],
    progress: Callable[[int, int], None] | None,
    peak: str,
    model: Mapping[str, Any] | None,
    method: Callable[[Any], Any] | None = None,
    say: Callable[[str], None] | None = None,
) -> Any:
    """The `Analysis` of the `Inputs` that `load` returns; its notes, and those of the inputs, go to `note` as lines."""
    from mrsjax.analysis import analyse

    given = load()
    for sentence in given.notes:
        note(f"mrsjax: note: {sentence}")
    analysis = analyse(
        given.fids,
        given.basis,
        water=given.water,
        mask=given.mask,
        peak=peak,
        model_options=model,
        method=None if method is None else method(given),
        progress=progress,
        say=say,
    )
    for sentence in analysis.notes:
        note(f"mrsjax: note: {sentence}")
    return dataclasses.replace(analysis, notes=(*given.notes, *analysis.notes))


def run(
    load: Callable[[], tuple[Any, list[dict[str, str]]]],
    out: Path,
    *,
    title: str,
    options: Mapping[str, Any],
    peak: str = "tNAA",
    model: Mapping[str, Any] | None = None,
    method: Callable[[Any], Any] | None = None,
    posterior: str | None = None,
) -> Any:
    """Runs a fit, writes its folder and returns the `Analysis`.

    **Arguments:** `load` returns the `Inputs` and the fingerprints of the files; it runs after JAX is set up. `method`: `analysis.Method` of the inputs,
    in place of the fit. `posterior`: a word of `cli.posterior.METHODS`.
    """
    from mrsjax.cli import outcome
    from mrsjax.cli.posterior import posterior_table

    clock = outcome.Clock()
    device = start_jax()
    with phases(device) as (say, progress):

        def work():
            say("reading")
            given, files = load()

            def note(line):
                click.echo(line, err=True)

            say(f"compiling for {device} (kept for the next run)")
            analysis = computed(lambda: given, note, progress, peak, model, method, say)
            if posterior is None:
                return analysis, files, None
            say("posterior")
            return analysis, files, posterior_table(analysis, posterior)

        analysis, files, table = interruptible(work)
        say("writing")
        outcome.write(analysis, out, title, options, files, device, clock, posterior=table)
    outcome.announce(analysis, out)
    return analysis
