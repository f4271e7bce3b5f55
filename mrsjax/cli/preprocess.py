"""`mrsjax preprocess`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

FILES = ("preprocessed.nii.gz", "water.nii.gz", "report.html", "run.yaml")


@click.command()
@click.argument("raw", type=click.Path())
@click.option(
    "--water", type=click.Path(), help="Unsuppressed water, same coils: coil weights, eddy currents, scaling."
)
@click.option("--ecc", type=click.Path(), help="Water reference for eddy currents alone.")
@click.option("--config", type=click.Path(), help="Settings of the steps, YAML (see docs/processing.md).")
@click.option("-o", "--out", type=click.Path(), required=True, metavar="DIR", help="Folder for the results.")
def preprocess(raw: str, water: str | None, ecc: str | None, config: str | None, out: str):
    """Raw coils and transients of RAW to one clean spectrum, by the dims of the file.

    DIR gets preprocessed.nii.gz, water.nii.gz (with --water), report.html and run.yaml.
    """
    process(raw, water, ecc, config, Path(out))


def process(raw: str, water: str | None, ecc: str | None, config: str | None, out: Path) -> Any:
    """Preprocesses files into a folder and returns the `Preprocessed`."""
    from mrsjax.report.folder import check_folder, write_folder

    settings = read_settings(config)
    check_folder(out, list(FILES))
    from mrsjax.cli import outcome
    from mrsjax.cli.console import interruptible, phases, start_jax

    clock = outcome.Clock()
    device = start_jax()
    with phases(device) as (say, _):

        def work():
            from mrsjax import io
            from mrsjax.processing import preprocess as steps

            say("reading")
            data = io.read(raw)
            references = {k: None if v is None else io.read(v) for k, v in (("water", water), ("ecc", ecc))}
            return steps(data, **references, options=options(settings), say=say)

        done = interruptible(work)
        for note in done.notes:
            click.echo(f"mrsjax: note: {note}", err=True)
        say("writing")
        import yaml

        from mrsjax import io
        from mrsjax.report import preprocessing

        named = {"data": raw, "water": water, "ecc": ecc}
        run = {
            "title": Path(raw).name,
            "started": clock.started,
            "device": device,
            "versions": outcome.versions(),
            "options": {k: str(Path(v).absolute()) for k, v in named.items() if v is not None} | {"steps": settings},
        }
        page = preprocessing.render(done, run)
        log = [{"method": r.method, "details": r.details} for r in done.records]
        record = {"schema": "mrsjax-preprocess/1.0", **run, "applied": log, "notes": list(done.notes)}
        out.mkdir(parents=True, exist_ok=True)
        io.write(done.fids, out / FILES[0], steps=[(r.method, r.details) for r in done.records])
        if done.water is not None:
            io.write(done.water, out / FILES[1], method="Eddy current correction", details="klose, its own phase")
        text = "# Written by mrsjax preprocess.\n" + yaml.safe_dump(record, sort_keys=False)
        write_folder(out, {"report.html": page, "run.yaml": text})
    for step in preprocessing.qualities(done):
        click.echo(f"  {step.method}: {step.details}; SNR {step.snr:.1f}, FWHM {step.fwhm_hz:.1f} Hz")
    click.echo(f"Report: {out / 'report.html'}")
    return done


def read_settings(path: str | None) -> dict[str, Any]:
    """The settings of the steps in a YAML file (the `steps` of a run.yaml or a plain mapping).

    **Raises:** `ValueError` for a file that is no mapping, unknown names, or values of another kind.
    """
    if path is None:
        return {}
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: wanted YAML, found {' '.join(str(error).split())[:120]}") from None
    if isinstance(content, dict) and isinstance(content.get("options"), dict):
        content = content["options"].get("steps", {})
    if not isinstance(content, dict):
        raise ValueError(f"{path}: wanted settings as 'name: value' lines, found {type(content).__name__}")
    from mrsjax.processing import Options

    defaults = {f.name: f.default for f in dataclasses.fields(Options)}
    unknown = [str(k) for k in content if k not in defaults]
    if unknown:
        raise ValueError(f"{path}: unknown settings {', '.join(unknown)}; known are {', '.join(defaults)}")
    for name, value in content.items():
        wanted = defaults[name]
        if isinstance(wanted, bool):
            fits = isinstance(value, bool)
        elif isinstance(wanted, tuple):
            fits = isinstance(value, list) and len(value) == 2 and all(_is_number(v) for v in value)
        elif isinstance(wanted, int | float):
            fits = _is_number(value) and (isinstance(value, int) or not isinstance(wanted, int))
        else:
            fits = value in (("mean", "median", "first") if name == "target" else (None, "NAA", "Cr", "Cho", "water"))
        if not fits:
            raise ValueError(
                f"{path}: {name}: wanted a value like {getattr(wanted, 'value', wanted)!r}, found {value!r}"
            )
    return content


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def options(settings: dict[str, Any]):
    """The settings as `processing.Options`."""
    from mrsjax.processing import Options, Target

    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    if "target" in values:
        values["target"] = Target(values["target"])
    return Options(**values)
