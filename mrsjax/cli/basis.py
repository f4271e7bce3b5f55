"""`mrsjax basis`: make, look at, convert and draw basis sets. Only argument parsing; JAX is imported inside the
commands.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

#: As in simulators.spins.catalogue, which `--help` does not import.
SEQUENCES = (
    "pulse-acquire", "spin-echo", "press", "steam", "slaser", "laser", "special", "mega-press", "mega-slaser", "hermes",
    "j-press", "l-cosy",
)  # fmt: skip


@click.group()
def basis():
    """Basis sets: simulate one for your sequence, look at it, convert it, draw it."""


@basis.command()
@click.option("--sequence", default="press", show_default=True, help=f"{', '.join(SEQUENCES)}, or a .yaml file.")
@click.option("--te-ms", type=float, help="Echo time, ms.  [default: that of the sequence's protocol]")
@click.option("--te1-ms", type=float, help="PRESS: first echo time, ms.")
@click.option("--te2-ms", type=float, help="PRESS: second echo time, ms.")
@click.option("--tm-ms", type=float, help="STEAM: mixing time, ms.  [default: 10]", hidden=True)
@click.option("--edit-on-ppm", type=float, help="Editing pulse, ppm.  [default: 1.9]", hidden=True)
@click.option("--edit-off-ppm", type=float, help="Editing pulse of the other condition, ppm.", hidden=True)
@click.option(
    "--increments",
    type=click.IntRange(2),
    help="Timings of a 2-D series.  [default: 32 j-press, 64 l-cosy]",
    hidden=True,
)
@click.option("--step-ms", type=float, help="Between them, ms.  [default: 10 j-press, 0.8 l-cosy]", hidden=True)
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
    "--metabolites",
    help="Names, separated by commas (GSH:Tkac2008 takes other published values), or a spin-system .json file.  "
    "[default: 20 of the brain]",
)
@click.option(
    "--macromolecules",
    is_flag=False,
    flag_value="parametric",
    help="Append Gaussian macromolecule lines, or the measured spectrum in a file.",
    hidden=True,
)
@click.option("--reference", is_flag=True, help="Append a singlet at 0 ppm.", hidden=True)
@click.option("--fine", is_flag=True, help="More accurate and slower (docs/simulation.md).", hidden=True)
@click.option("--no-cache", is_flag=True, help="Simulate even when the same basis was simulated before.", hidden=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="A .BASIS or .nii.gz file, or a folder (FSL-MRS); .nii.gz for j-press and l-cosy.",
)
def simulate(out: Path, no_cache: bool, **options):
    """Simulates a basis set by density matrices.

    An edited sequence writes one basis for each condition and their differences: OUT_off, OUT_on, OUT_difference;
    hermes OUT_A to OUT_D, OUT_gaba, OUT_gsh, OUT_sum. j-press and l-cosy write their timings along DIM_INDIRECT_0.

    \b
    Rarer options (docs/simulation.md):
      --tm-ms (STEAM), --edit-on-ppm, --edit-off-ppm,
      --increments, --step-ms (2-D), --central-frequency-mhz,
      --points, --dwell-s, --linewidth-hz, --positions,
      --macromolecules, --reference, --fine, --no-cache.
    """
    if (options["te1_ms"] is None) != (options["te2_ms"] is None) and options["te_ms"] is None:
        raise click.UsageError("--te1-ms and --te2-ms go together, or one of them with --te-ms")
    if _ending(out).lower() not in ("", ".basis", ".nii", ".nii.gz"):
        raise click.UsageError(f"-o wants a .BASIS or .nii.gz file, or a folder (a name without extension), not {out}")
    if options["sequence"] in ("j-press", "l-cosy") and not _ending(out).lower().startswith(".nii"):
        raise click.UsageError(f"{options['sequence']} has two dimensions in time: -o wants a .nii.gz file, not {out}")
    from mrsjax.cli.console import interruptible, start_jax

    start_jax()
    from mrsjax import io
    from simulators.spins import cache, commands
    from simulators.spins.series import BasisSeries

    named = [options[k] for k in ("sequence", "metabolites", "macromolecules")]
    key = cache.name_of(options, [v for v in named if v is not None and Path(v).is_file()])
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mrsjax" / "basis"
    if options["macromolecules"] not in (None, "parametric"):
        options["macromolecules"] = _measured(Path(options["macromolecules"]))
    made = None if no_cache else cache.from_cache(folder, key)
    if made is None:
        made = interruptible(lambda: commands.make(progress=lambda line: click.echo(line, err=True), **options))
        cache.to_cache(folder, key, made)
    else:
        click.echo("the same basis was simulated before: read from the cache (--no-cache simulates it again)", err=True)
    for label, result in made.items():
        place = out if label == "" else out.with_name(f"{out.name.removesuffix(_ending(out))}_{label}{_ending(out)}")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(result, BasisSeries):
            io.write(_as_fids(result), place)
        else:
            io.write_basis(result, place)
        about = _provenance(place)
        about.write_text(json.dumps(dict(result.origin.header), indent=1) + "\n", encoding="utf-8")
        indirect = f" x {len(result.values)} {result.what}" if isinstance(result, BasisSeries) else ""
        points = f"{result.sampling.n_points} points{indirect}"
        click.echo(f"{place}: {len(result.names)} entries, {points}; provenance in {about}")


def _measured(path: Path):
    """A measured macromolecule spectrum as a basis of one entry."""
    import numpy as np

    from mrsjax import io
    from mrsjax.core import BasisSet
    from mrsjax.core.basis import BasisOrigin

    fids = io.read(path)
    spectra = np.asarray(fids.spectra)
    if len(spectra) != 1:
        raise ValueError(f"macromolecules: wanted one spectrum, found {len(spectra)} in {path}; average them first")
    return BasisSet(spectra, ["MM_measured"], fids.sampling, BasisOrigin(source=path.name))


def _ending(path: Path) -> str:
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix


def _provenance(path: Path) -> Path:
    """The JSON file beside a basis that says how it was made."""
    name = path.name.removesuffix(_ending(path))
    return path.with_name(f"{name}.json" if _ending(path) else f"{name}.provenance.json")


def _as_fids(series):
    """A 2-D series as NIfTI-MRS holds it: entries along DIM_USER_0, timings along DIM_INDIRECT_0."""
    from mrsjax.core import FIDs
    from mrsjax.core.data import Acquisition

    timings = [float(v) for v in series.values]
    header = {
        "SpectrometerFrequency": [float(series.sampling.central_frequency) / 1e6],
        "ResonantNucleus": [series.sampling.nucleus],
        "dim_5": "DIM_USER_0",
        "dim_5_info": "entries of a basis set",
        "dim_5_header": {"BasisEntry": {"Value": list(series.names), "Description": "name of each entry"}},
        "dim_6": "DIM_INDIRECT_0",
        "dim_6_info": f"{series.what} of each spectrum",
        "dim_6_header": {"EchoTime": timings}
        if series.what == "EchoTime"
        else {series.what: {"Value": timings, "Description": "evolution time, s"}},
        "BasisOrigin": {"Value": dict(series.origin.header), "Description": "how the basis was made"},
    }
    echo_time = None if series.what == "EchoTime" else series.origin.echo_time
    acquisition = Acquisition(echo_time=echo_time, sequence=series.origin.sequence, header=header)
    return FIDs(series.fids, series.sampling, ("DIM_USER_0", "DIM_INDIRECT_0"), acquisition)


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
    about = _provenance(path)
    made = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else None
    if isinstance(made, dict) and "open_systems" in made:
        click.echo(f"how it was made: {about}")
        for name, note in made["open_systems"].items():
            click.echo(f"{name}: {note}")


@basis.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def convert(source: Path, target: Path):
    """Reads a basis set in any known format and writes it as a .BASIS or .nii.gz file, or a folder (FSL-MRS)."""
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
    import numpy as np
    import plotly.graph_objects as go

    from mrsjax import io
    from mrsjax.core import to_spectrum

    found = io.read_basis(path)
    decay = np.exp(-np.pi * linewidth_hz * np.asarray(found.sampling.time))
    spectra = np.real(to_spectrum(np.asarray(found.fids) * decay))
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
