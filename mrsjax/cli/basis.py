"""`mrsjax basis`: make, look at, convert and draw basis sets. Only argument parsing; JAX is imported inside the
commands.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import click

SEQUENCES = ("pulse-acquire", "spin-echo", "press", "steam", "slaser", "laser", "mega-press", "mega-slaser")


@click.group()
def basis():
    """Basis sets: simulate one for your sequence, look at it, convert it, draw it."""


@basis.command()
@click.option("--sequence", default="press", show_default=True, help=f"{', '.join(SEQUENCES)}, or a .yaml file.")
@click.option("--te-ms", type=float, help="Echo time, ms.  [default: that of the sequence's protocol]")
@click.option("--te1-ms", type=float, help="PRESS: first echo time, ms.")
@click.option("--te2-ms", type=float, help="PRESS: second echo time, ms.")
@click.option("--tm-ms", type=float, default=10.0, show_default=True, help="STEAM: mixing time, ms.", hidden=True)
@click.option("--field-t", type=float, help="Field strength, T.  [default: 3, or that of --central-frequency-mhz]")
@click.option("--central-frequency-mhz", type=float, help="Spectrometer frequency, MHz.", hidden=True)
@click.option(
    "--points", type=click.IntRange(2), default=2048, show_default=True, help="Points of each FID.", hidden=True
)
@click.option("--dwell-s", type=float, default=5e-4, show_default=True, help="Dwell time, s.", hidden=True)
@click.option(
    "--linewidth-hz", type=float, default=1.0, show_default=True, help="Lorentzian put into the FIDs, Hz.", hidden=True
)
@click.option("--ideal", is_flag=True, help="Ideal pulses: no chemical-shift displacement.")
@click.option(
    "--positions", type=click.IntRange(1), default=32, show_default=True, help="Positions along each axis.", hidden=True
)
@click.option(
    "--metabolites", help="Names, separated by commas, or a spin-system .json file.  [default: 20 of the brain]"
)
@click.option("--macromolecules", is_flag=True, help="Append Gaussian macromolecule lines.", hidden=True)
@click.option("--reference", is_flag=True, help="Append a singlet at 0 ppm.", hidden=True)
@click.option("--fine", is_flag=True, help="More accurate and slower (docs/simulation.md).", hidden=True)
@click.option("--no-cache", is_flag=True, help="Simulate even when the same basis was simulated before.", hidden=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="A .BASIS or .nii.gz file, or a folder (FSL-MRS).",
)
def simulate(out: Path, no_cache: bool, **options):
    """Simulates a basis set by density matrices.

    An edited sequence writes one basis for each condition and their difference: OUT_off, OUT_on, OUT_difference.

    Rarer options (docs/simulation.md): --tm-ms (STEAM), --central-frequency-mhz, --points, --dwell-s, --linewidth-hz,
    --positions, --macromolecules, --reference, --fine, --no-cache.
    """
    if (options["te1_ms"] is None) != (options["te2_ms"] is None) and options["te_ms"] is None:
        raise click.UsageError("--te1-ms and --te2-ms go together, or one of them with --te-ms")
    from mrsjax.cli.console import start_jax

    start_jax()
    from mrsjax import io
    from simulators.spins import commands

    key = _key(options)
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mrsjax" / "basis"
    made = None if no_cache else commands.from_cache(folder, key)
    if made is None:
        made = commands.make(progress=lambda line: click.echo(line, err=True), **options)
        commands.to_cache(folder, key, made)
    else:
        click.echo("the same basis was simulated before: read from the cache (--no-cache simulates it again)", err=True)
    for label, result in made.items():
        ending = ".nii.gz" if out.name.lower().endswith(".nii.gz") else out.suffix
        place = out if label == "" else out.with_name(f"{out.name.removesuffix(ending)}_{label}{ending}")
        place.parent.mkdir(parents=True, exist_ok=True)
        io.write_basis(result, place)
        about = place.with_suffix(".json") if place.suffix else place.parent / f"{place.name}.provenance.json"
        about.write_text(json.dumps(dict(result.origin.header), indent=1) + "\n", encoding="utf-8")
        click.echo(f"{place}: {len(result.names)} entries, {result.sampling.n_points} points; provenance in {about}")


def _key(options: dict) -> str:
    """A name for the options, the contents of the files they name, and the simulator's own source."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    for value in (options["sequence"], options["metabolites"]):
        if value is not None and Path(value).is_file():
            digest.update(Path(value).read_bytes())
    import simulators.spins

    for source in sorted(Path(simulators.spins.__file__).parent.rglob("*")):
        if source.suffix in (".py", ".json"):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:24]


@basis.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
def info(path: Path):
    """What a basis set holds: grid, sequence, and the first point of each entry (its number of protons)."""
    from mrsjax.cli.console import start_jax

    start_jax()
    from mrsjax import io

    found = io.read_basis(path)
    sampling, origin = found.sampling, found.origin
    click.echo(f"{'nucleus':12} {sampling.nucleus} at {float(sampling.central_frequency) / 1e6:.4f} MHz")
    click.echo(f"{'points':12} {sampling.n_points} x {float(sampling.dwell_time) * 1e3:.6g} ms")
    echo = "not given" if origin.echo_time is None else f"{origin.echo_time * 1e3:.6g} ms"
    click.echo(f"{'sequence':12} {origin.sequence or 'not given'}, TE {echo}")
    for name, fid in zip(found.names, found.fids, strict=True):
        click.echo(f"{name:12} |s(0)| = {abs(complex(fid[0])):.4g}")


@basis.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def convert(source: Path, target: Path):
    """Reads a basis set in any known format and writes it as a .BASIS file or a folder (FSL-MRS)."""
    from mrsjax.cli.console import start_jax

    start_jax()
    from mrsjax import io

    found = io.read_basis(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    io.write_basis(found, target)
    click.echo(f"{target}: {len(found.names)} entries")


@basis.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="An .html file.")
@click.option("--ppm", nargs=2, type=float, default=(0.5, 4.5), show_default=True, help="Range of the axis.")
@click.option(
    "--linewidth-hz", type=float, default=4.0, show_default=True, help="Lorentzian added for the picture, Hz."
)
def plot(path: Path, out: Path, ppm: tuple[float, float], linewidth_hz: float):
    """Draws every entry of a basis set as a self-contained HTML page."""
    from mrsjax.cli.console import start_jax

    start_jax()
    import jax.numpy as jnp
    import numpy as np
    import plotly.graph_objects as go

    from mrsjax import io
    from mrsjax.core import to_spectrum

    found = io.read_basis(path)
    decay = np.exp(-np.pi * linewidth_hz * np.asarray(found.sampling.time))
    spectra = np.asarray(jnp.real(to_spectrum(jnp.asarray(found.fids * decay))))
    axis = np.asarray(found.sampling.ppm)
    inside = (axis >= min(ppm)) & (axis <= max(ppm))
    figure = go.Figure()
    for row, name in enumerate(found.names):
        height = max(np.abs(spectra[row, inside]).max(), 1e-12)
        figure.add_scatter(x=axis[inside], y=spectra[row, inside] / height - row, name=name, mode="lines")
    figure.update_xaxes(title="chemical shift (ppm)", autorange="reversed")
    figure.update_yaxes(showticklabels=False)
    figure.update_layout(height=60 * len(found.names) + 200, title=f"{path.name}, each entry to its own height")
    figure.write_html(out, include_plotlyjs=True)
    click.echo(f"{out}: {len(found.names)} entries")
