"""`mrsjax check`: the doctor."""

from __future__ import annotations

import re

import click

from mrsjax.cli.hint_options import basis_hints, hint_options, read_hints

_COLOURS = {"ok": "green", "note": None, "warning": "yellow", "error": "red"}


@click.command(
    epilog="Also: --tr-s, --nucleus, --points, --basis-ppm-ref, --basis-subspectrum, --conjugate-basis. Exit code 2 when"
    " a file has an error."
)
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--basis", type=click.Path(), help="A basis set to check against the data.")
@hint_options(visible=("--dwell-s", "--central-frequency-mhz", "--te-ms", "--ppm-ref", "--conjugate"))
def check(files: tuple[str, ...], basis: str | None, **options):
    """Says in words what each of FILES is, what is wrong with it, and what to run next.

    Dimensions, units of times, mirror image, shift of the main peaks, noise, zero or NaN spectra; with --basis also
    dwell time, field, echo time and missing metabolites.
    """
    from mrsjax.cli.console import start_jax

    start_jax()
    from mrsjax import io
    from mrsjax.cli.words import as_arguments, in_options, next_command
    from mrsjax.io.findings import worst

    hints, of_basis = read_hints(options), basis_hints(options)
    given = as_arguments(hints, of_basis)
    sick = False
    for number, path in enumerate(files):
        findings = io.check(path, basis, basis_hints=of_basis, **hints)
        sick |= worst(findings) is io.Level.ERROR
        click.echo(("\n" if number else "") + click.style(path, bold=True))
        mended = given
        for f in findings:
            level = f.level.name.lower()
            click.echo(f"  {click.style(f'{level:8}', fg=_COLOURS[level])}{f.topic:12}{f.message}")
            fix = in_options(f.fix, of_basis=f.topic == "basis" or "basis is mirrored" in f.message)
            if fix.startswith("give --conjugate") and fix.removeprefix("give") in given:
                fix = fix.replace("give", "leave out")
            if f.topic in ("shift", "points") and fix.startswith("give --"):
                option = fix.removeprefix("give ")
                mended = re.sub(rf" {option.split()[0]} \S+", "", mended) + f" {option}"
            if f.topic == "next":
                fix = next_command(fix.replace("leave out", "give"), path, basis, mended)
            if fix:
                click.echo(f"{'':22}-> {fix}")
    return 2 if sick else 0
