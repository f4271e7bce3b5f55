"""`mrsjax convert`."""

from __future__ import annotations

from pathlib import Path

import click

from mrsjax.cli.hint_options import basis_hints, hint_options, read_hints


@click.command(
    epilog="Formats are known by their content (SOURCE) and extension (TARGET): docs/formats.md. Also: --ppm-ref,"
    " --points, --nucleus, --conjugate-basis, --basis-ppm-ref, --basis-subspectrum."
)
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--basis", type=click.Path(), help="RAW files: a basis whose dwell time and frequency hold for SOURCE.")
@click.option("--force", is_flag=True, help="Replace TARGET.")
@hint_options(visible=("--dwell-s", "--central-frequency-mhz", "--te-ms", "--tr-s", "--conjugate"))
def convert(source: str, target: Path, basis: str | None, force: bool, **options):
    """Reads SOURCE, data or a basis set in any known format, and writes it as TARGET's extension says.

    Data: .nii.gz (NIfTI-MRS), .raw or .h2o (LCModel), .txt (jMRUI). Basis: .basis (LCModel), .nii.gz or a folder (FSL-MRS).
    What was written is read again and compared.
    """
    if target.exists() and not force:
        raise ValueError(f"{target}: exists already; give --force to replace it, or another name")
    if target.exists() and Path(source).exists() and target.samefile(source):
        raise ValueError(f"{target}: wanted another file than the source")
    from mrsjax.cli.console import start_jax

    start_jax()
    import numpy as np

    from mrsjax import io
    from mrsjax.io.check_data import dims_in_words
    from mrsjax.io.grid import referenced

    found = io.detect(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    if found.read is None:
        data = io.read_basis(source, **basis_hints(options))
        io.write_basis(data, target)
        again = io.read_basis(target).select(data.names)
        what = f"{len(data.names)} entries"
    else:
        data = io.read(source, basis=basis, **read_hints(options))
        io.write(data, target, method="Format conversion", details=f"mrsjax convert, from {found.name}")
        again = io.read(target)
        what = dims_in_words(data)
    # Most formats hold one reference only, so both are put on it before they are compared.
    before, after = referenced(data), referenced(again)
    largest = float(np.nanmax(np.abs(before - after)) / max(np.nanmax(np.abs(before)), 1e-300))
    click.echo(
        f"{target}: {io.detect(target).name}, {what}; read again: largest difference {largest:.1e} of the largest value"
    )
