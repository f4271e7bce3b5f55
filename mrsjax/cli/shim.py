"""`mrsjax shim`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FILES = (
    "currents.csv", "currents.json", "histogram.csv", "spectrum.csv", "field_before.nii.gz", "field_after.nii.gz", "report.html", "run.yaml",
)  # fmt: skip
OBJECTIVES = ("mean-square", "huber", "percentile", "linewidth", "peak", "crlb")


@click.command(
    epilog=(
        "VOXEL: centre and size in mm (RAS+) x,y,z,dx,dy,dz, with three angles in degrees about x, y, z after them where"
        " the box is turned; or a file: NIfTI-MRS or SPAR data (their geometry), or an image on the map's grid (its"
        " non-zero voxels). COILS: CONVENTION:ORDER (plain, siemens, ge, philips; 1, 2, 3) or a 4-D NIfTI of measured"
        " channels in Hz for one unit. Limits are of the change from where the channels stood when the map was measured."
        " Rarer options (docs/shimming.md): --huber-hz, --percentile, --metabolites and"
        " --basis (crlb), --starts, --mask, --unit, --echo-difference-ms, --unwrap."
    )
)
@click.argument("fieldmap", type=click.Path())
@click.option("--voxel", required=True, metavar="VOXEL", help="What to shim: numbers or a file, see below.")
@click.option("--coils", default="plain:2", show_default=True, metavar="COILS", help="Shim channels, see below.")
@click.option("--objective", type=click.Choice(OBJECTIVES), default="mean-square", help="What to make small.")
@click.option("--volume-weight", type=float, default=1.0, help="Penalty of lost volume: linewidth, peak, crlb.")
@click.option("--limit", "limit", multiple=True, metavar="NAME=LIMIT", help="VALUE (+-) or LOW:HIGH; 0 holds it.")
@click.option("--total-limit", type=float, help="Largest sum of |current|, channels of one unit.")
@click.option("--magnitude", type=click.Path(), help="Magnitude image: where the map counts.")
@click.option("--huber-hz", type=float, default=10.0, hidden=True, help="Where huber turns from square to linear.")
@click.option("--percentile", "level", type=float, default=80.0, hidden=True, help="Percentile of |field|.")
@click.option(
    "--metabolites", hidden=True, help="Whose Cramer-Rao bounds; GABA,GSH,Gln,Glu as far as the basis has them."
)
@click.option("--basis", type=click.Path(), hidden=True, help="Basis set for crlb and the spectrum.")
@click.option("--starts", type=click.IntRange(1, 64), default=4, hidden=True, help="Starts of a gradient method.")
@click.option("--mask", type=click.Path(), hidden=True, help="Image, not 0 where the map counts.")
@click.option("--unit", type=click.Choice(["hz", "rad", "rad/s", "siemens"]), hidden=True, help="Of the map.")
@click.option("--echo-difference-ms", type=float, hidden=True, help="Of a phase map.")
@click.option("--unwrap", is_flag=True, hidden=True, help="Undo phase wraps (needs the extra shim).")
@click.option("-o", "--out", type=click.Path(), required=True, metavar="DIR", help="Folder for the results.")
def shim(fieldmap: str, out: str, **options: Any):
    """Shim currents for a voxel of FIELDMAP, with the line and spectrum that they predict.

    DIR gets currents.csv, currents.json, field_before.nii.gz, field_after.nii.gz, histogram.csv, spectrum.csv, report.html and run.yaml.
    """
    place = _voxel(options["voxel"])
    coils = _coils(options["coils"])
    limit = dict(_limit(text) for text in options["limit"])
    names = tuple(n.strip() for n in (options["metabolites"] or "").split(",") if n.strip())
    if not 0 < options["level"] < 100 or options["huber_hz"] <= 0 or options["volume_weight"] < 0:
        raise ValueError("--percentile: wanted 0 to 100; --huber-hz: more than 0; --volume-weight: 0 or more")
    from mrsjax.report.folder import check_folder, write_folder

    folder = Path(out)
    check_folder(folder, list(FILES))
    from mrsjax.cli import outcome
    from mrsjax.cli.console import interruptible, phases, start_jax

    clock = outcome.Clock()
    device = start_jax()
    with phases(device) as (say, _):

        def work():
            from mrsjax.cli import shim_job

            return shim_job.run(fieldmap, place, coils, limit, names, options, say)

        done = interruptible(work)
        for note in done.notes:
            click.echo(f"mrsjax: note: {note}", err=True)
        say("writing")
        import yaml

        from mrsjax.io.volume import nifti_bytes
        from mrsjax.report import shimming

        named = {"fieldmap": fieldmap, **{k: options[k] for k in ("magnitude", "mask", "basis")}}
        named |= {k: v for k, v in (("voxel", place), ("coils", coils)) if isinstance(v, Path)}
        files = {k: v for k, v in named.items() if v}
        record = {
            "title": Path(fieldmap).name, "started": clock.started, "device": device, "versions": outcome.versions(),
            "options": {**{k: list(v) if isinstance(v, tuple) else v for k, v in options.items()}, "fieldmap": fieldmap},
            "files": {k: {"path": str(Path(v).absolute()), "sha256": outcome.digest(Path(v).read_bytes())} for k, v in files.items()},
        }  # fmt: skip
        maps = {"field_before.nii.gz": shimming.field_before(done), "field_after.nii.gz": shimming.field_after(done)}
        made: dict[str, str | bytes] = {
            **shimming.tables(done),
            **{name: nifti_bytes(volume, done.field_map.affine) for name, volume in maps.items()},
            "report.html": shimming.render(done, record),
        }
        outputs = {name: outcome.digest(content) for name, content in made.items()}
        text = "# Written by mrsjax shim.\n" + yaml.safe_dump(
            {"schema": "mrsjax-shim/1.0", **record, "notes": list(done.notes), "outputs": outputs}, sort_keys=False
        )
        write_folder(folder, {**made, "run.yaml": text})
    click.echo(shimming.summary(done))
    click.echo(f"Report: {folder / 'report.html'}")


def _voxel(text: str) -> tuple[float, ...] | Path:
    if Path(text).exists():
        return Path(text)
    try:
        numbers = tuple(float(x) for x in text.split(","))
    except ValueError:
        raise ValueError(f"--voxel: wanted x,y,z,dx,dy,dz in mm or a file, found {text!r}") from None
    if len(numbers) not in (6, 9) or min(numbers[3:6]) <= 0:
        raise ValueError(f"--voxel: wanted 6 or 9 numbers with positive sizes (mm, degrees), found {text!r}")
    return numbers


def _coils(text: str) -> tuple[str, int] | Path:
    if Path(text).is_file():
        return Path(text)
    convention, _, order = text.partition(":")
    if convention not in ("plain", "siemens", "ge", "philips") or order not in ("1", "2", "3"):
        raise ValueError(f"--coils: wanted plain, siemens, ge or philips with :1, :2 or :3, or a file, found {text!r}")
    return convention, int(order)


def _limit(text: str) -> tuple[str, float | tuple[float, float]]:
    name, _, value = text.rpartition("=")
    low, _, high = value.partition(":")
    try:
        return name, (float(low), float(high)) if high else float(low)
    except ValueError:
        raise ValueError(f"--limit: wanted NAME=VALUE or NAME=LOW:HIGH, found {text!r}") from None
