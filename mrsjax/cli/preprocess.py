"""`mrsjax preprocess`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from mrsjax.cli.hint_options import hint_options

#: Name in the folder of results of each file that is always or sometimes written.
FILES = ("preprocessed.nii.gz", "water.nii.gz", "difference.nii.gz", "sum.nii.gz", "report.html", "run.yaml")


#: Hints that are of a basis.
OF_BASIS = ("--conjugate-basis", "--basis-ppm-ref", "--basis-subspectrum")


@click.command(
    epilog="What `mrsjax check` may ask for: --dwell-s, --central-frequency-mhz, --ppm-ref, --te-ms, --tr-s, --points, --nucleus, --conjugate."
)
@click.argument("raw", type=click.Path())
@click.option(
    "--water", type=click.Path(), help="Unsuppressed water, same coils: coil weights, eddy currents, scaling."
)
@click.option("--ecc", type=click.Path(), help="Water reference for eddy currents alone.")
@click.option("--edited", is_flag=True, help="Conditions of editing take turns among the transients (no DIM_EDIT).")
@click.option(
    "--lipid-mask", type=click.Path(), help="Grids: NIfTI image of the voxels with scalp lipid, to be removed."
)
@click.option("--config", type=click.Path(), help="Settings of the steps, YAML (see docs/processing.md).")
@click.option("-o", "--out", type=click.Path(), required=True, metavar="DIR", help="Folder for the results.")
@hint_options(leave_out=OF_BASIS)
def preprocess(
    raw: str,
    out: str,
    water: str | None,
    ecc: str | None,
    edited: bool,
    lipid_mask: str | None,
    config: str | None,
    **hints: Any,
):
    """Raw coils and transients of RAW to clean spectra, by the dims of the file.

    DIR gets preprocessed.nii.gz, water.nii.gz (with --water), difference.nii.gz and sum.nii.gz (edited data),
    report.html and run.yaml. RAW may be a BIDS dataset: each of its spectra with its mrsref; DIR is then a derivative.
    """
    given: dict[str, Any] = {
        "water": water,
        "ecc": ecc,
        "edited": edited,
        "lipid_mask": lipid_mask,
        "config": config,
        "hints": hints,
    }
    if Path(raw).is_dir():
        return _dataset(raw, Path(out), given)
    process(raw, Path(out), **given)


def _dataset(root: str, out: Path, given: dict[str, Any]) -> int:
    """Each spectrum of a BIDS dataset; one that fails is said and does not stop the rest."""
    from mrsjax.cli import outcome, subjects
    from mrsjax.cli.words import in_options

    wrong = [f"--{k.replace('_', '-')}" for k in ("water", "ecc", "lipid_mask") if given[k] is not None]
    if wrong:
        raise ValueError(
            f"{', '.join(wrong)}: wanted one file as RAW, found a folder; BIDS names say which water is whose"
        )
    found = subjects.find([root], None)
    failed = 0
    for subject in found:
        click.echo(f"{subject.name}:")
        try:
            times = dict(subject.options)
            one: dict[str, Any] = given | {"water": times.pop("water", None), "hints": given["hints"] | times}
            process(str(subject.data), out / subject.folder, **one, named=subject.processed)
        except (ValueError, OSError) as error:
            failed += 1
            click.echo(f"mrsjax: {subject.name} failed: {in_options(' '.join(str(error).split()))}", err=True)
    if any(s.folder.parts[-1:] == ("mrs",) for s in found):
        from mrsjax.io.content import write_bytes

        write_bytes(out / "dataset_description.json", outcome.derivative().encode("utf-8"))
    click.echo(f"{len(found) - failed} preprocessed, {failed} failed")
    return 2 if failed else 0


def process(
    raw: str,
    out: Path,
    *,
    water: str | None,
    ecc: str | None,
    config: str | None,
    edited: bool = False,
    lipid_mask: str | None = None,
    hints: Mapping[str, Any] | None = None,
    checked: Callable[[Any], None] = lambda fids: None,
    named: Callable[[str], str] = str,
) -> Any:
    """Preprocesses files into a folder, under the names that `named` gives those of `FILES`, and returns the `Preprocessed`.

    **Arguments:** `hints`: options of `cli.hint_options`, and water_te_ms and water_tr_s; `checked` is called with the data when they are read, before
    anything is done to them.
    """
    from mrsjax.report.folder import check_folder, write_folder

    settings, known = read_settings(config), {k: v for k, v in (hints or {}).items() if v is not None}
    check_folder(out, [named(f) for f in FILES], named("run.yaml"))
    from mrsjax.cli import outcome
    from mrsjax.cli.console import interruptible, phases, start_jax

    clock = outcome.Clock()
    device = start_jax()
    with phases(device) as (say, _):

        def work():
            from mrsjax import io
            from mrsjax.cli.hint_options import read_hints
            from mrsjax.cli.inputs import volume
            from mrsjax.processing import Options
            from mrsjax.processing import preprocess as steps

            say("reading")
            own = {k: v for k, v in known.items() if not k.startswith("water_")}
            data = io.read(raw, **read_hints(own))
            checked(data)
            # TE and TR of the options are those of RAW: a reference speaks for itself.
            others = {k: v for k, v in own.items() if k not in ("te_ms", "tr_s")}
            of_water = others | {k.removeprefix("water_"): v for k, v in known.items() if k.startswith("water_")}
            references = {
                "water": None if water is None else io.read(water, **read_hints(of_water)),
                "ecc": None if ecc is None else io.read(ecc, **read_hints(others)),
            }
            mask = None if lipid_mask is None else volume(lipid_mask, data.acquisition.affine) != 0
            values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
            return steps(data, **references, split_edited=edited, lipid=mask, options=Options(**values), say=say)

        done = interruptible(work)
        for note in done.notes:
            click.echo(f"mrsjax: note: {note}", err=True)
        say("writing")
        import yaml

        from mrsjax import io
        from mrsjax.report import preprocessing

        paths = {"data": raw, "water": water, "ecc": ecc, "lipid_mask": lipid_mask}
        run = {
            "title": Path(raw).name,
            "started": clock.started,
            "device": device,
            "versions": outcome.versions(),
            "options": {k: str(Path(v).absolute()) for k, v in paths.items() if v is not None}
            | {"edited": edited, "steps": settings, **known},
        }
        page = preprocessing.render(done, run)
        log = [(r.method, r.details) for r in done.records]
        record = {"schema": "mrsjax-preprocess/1.0", **run, "notes": list(done.notes)}
        record["applied"] = [{"method": method, "details": details} for method, details in log]
        out.mkdir(parents=True, exist_ok=True)
        io.write(done.fids, out / named("preprocessed.nii.gz"), steps=_of_file(log, ""))
        for name, fids in done.combined.items():
            io.write(fids, out / named(f"{name}.nii.gz"), steps=_of_file(log, name))
        if done.water is not None:
            io.write(
                done.water,
                out / named("water.nii.gz"),
                method="Eddy current correction",
                details="klose, its own phase",
            )
        text = "# Written by mrsjax preprocess.\n" + yaml.safe_dump(record, sort_keys=False)
        write_folder(out, {named("report.html"): page, named("run.yaml"): text}, named("run.yaml"))
    for step in preprocessing.qualities(done):
        click.echo(f"  {step.method}: {step.details}; SNR {step.snr:.1f}, FWHM {step.fwhm_hz:.1f} Hz")
    click.echo(f"Report: {out / named('report.html')}")
    return done


def _of_file(log: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    """The steps that made one file: the last ones of edited data each make a file of their own."""
    own = ("Subtraction of sub-spectra", "Addition of sub-spectra")
    mine = {"difference": own[0], "sum": own[1]}.get(name)
    return [step for step in log if step[0] not in own or step[0] == mine]


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
    from mrsjax.processing.phasing import PEAKS

    words = {
        "target": ("mean", "median", "first", *PEAKS),
        "reference": (None, *PEAKS),
        "beside": (None, True, False),
        "edited_condition": (None, 1, 2),
        "coil_method": ("wsvd", "first_points"),
    }
    defaults = {f.name: f.default for f in dataclasses.fields(Options)}
    unknown = [str(k) for k in content if k not in defaults]
    if unknown:
        raise ValueError(f"{path}: unknown settings {', '.join(unknown)}; known are {', '.join(defaults)}")
    for name, value in content.items():
        wanted = defaults[name]
        if name in words:
            fits = any(type(value) is type(w) and value == w for w in words[name])
        elif isinstance(wanted, bool):
            fits = isinstance(value, bool)
        elif isinstance(wanted, tuple):
            fits = isinstance(value, list) and len(value) == 2 and all(_is_number(v) for v in value)
        else:
            fits = _is_number(value) and (isinstance(value, int) or not isinstance(wanted, int))
        if not fits:
            kind = f"one of {', '.join(map(str, words[name]))}" if name in words else f"a value like {wanted!r}"
            raise ValueError(f"{path}: {name}: wanted {kind}, found {value!r}")
    return content


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
