"""`mrsjax info`."""

from __future__ import annotations

import click


@click.command()
def info():
    """Versions, devices and formats: what to put into a bug report."""
    import platform

    import jax

    from mrsjax.cli.console import start_jax
    from mrsjax.cli.outcome import versions
    from mrsjax.io.formats import FORMATS

    device = start_jax()
    for name, version in versions().items():
        click.echo(f"{name:10} {version}")
    click.echo(f"{'system':10} {platform.platform()}")
    click.echo(f"{'device':10} {device}")
    click.echo(f"{'cache':10} {jax.config.jax_compilation_cache_dir}")  # pyright: ignore[reportAttributeAccessIssue]
    click.echo(f"{'data':10} {', '.join(f.name for f in FORMATS if f.read)}")
    click.echo(f"{'basis':10} {', '.join(f.name for f in FORMATS if f.read_basis)}")
