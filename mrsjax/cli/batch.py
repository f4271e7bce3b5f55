"""`mrsjax batch`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mrsjax.cli.hint_options import hint_options


@click.command(
    epilog="Also every option of `mrsjax fit` that says what a file leaves unsaid (--dwell-s, --conjugate and so on)."
    " Equal sampling: one compilation serves all files. Exit code 2 when a file failed."
)
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--basis", type=click.Path(), help="Basis set for all files.")
@click.option("--water", metavar="OLD=NEW", help="Water file of each: its name with OLD replaced by NEW.")
@click.option("--tissue", metavar="gm=..,wm=..,csf=..", help="Volume fractions, the same for all.")
@click.option("--config", type=click.Path(), help="Settings from a file; options given here win.")
@click.option("--redo", is_flag=True, help="Fit again what is finished already.")
@click.option("-o", "--out", required=True, type=click.Path(), metavar="DIR", help="Folder for the results.")
@hint_options(visible=("--te-ms", "--tr-s"))
def batch(inputs: tuple[str, ...], water: str | None, config: str | None, redo: bool, out: str, **options):
    """Fits INPUTS (files, folders, or a BIDS dataset) one after the other and writes an index page.

    A file that fails is listed and does not stop the rest. The same command again goes on where it was stopped: what
    is finished is verified (inputs, options, versions, outputs) and kept.
    """
    from mrsjax.cli import subjects

    found = subjects.find(inputs, water)
    from mrsjax.cli.console import phases, start_jax

    device = start_jax()
    root = Path(out)
    rows: dict[str, dict[str, Any]] = {s.name: {"name": s.name, "status": "not yet"} for s in found}
    try:
        with phases(device, what="files") as (say, progress):
            progress(0, len(found))
            for done, subject in enumerate(found):
                say(f"{done + 1} of {len(found)}: {subject.name}")
                given = {k: v for k, v in options.items() if v is not None}
                given = subject.options | given | {"data": str(subject.data), "out": str(root / subject.folder)}
                rows[subject.name] |= _one(subject, given, config, device, redo)
                for line in rows[subject.name].pop("said", []):
                    click.echo(line, err=True)
                progress(done + 1, len(found))
                _index(root, list(rows.values()), bids=_is_bids(found))
    except KeyboardInterrupt:
        finished = sum(row["status"] in ("fitted", "kept") for row in rows.values())
        raise KeyboardInterrupt(
            f"interrupted; {finished} of {len(found)} are finished, the same command goes on from there"
        ) from None
    return _announce(root, list(rows.values()))


def _is_bids(found) -> bool:
    return any(s.folder.parts[-1] == "mrs" for s in found)


def _one(subject, given: Mapping[str, Any], config: str | None, device: str, redo: bool) -> dict[str, Any]:
    """The row of one subject; everything but an interruption becomes a row."""
    from mrsjax.cli import inputs, outcome
    from mrsjax.cli.console import interruptible
    from mrsjax.cli.finished import is_finished
    from mrsjax.cli.posterior import posterior_table
    from mrsjax.cli.settings import resolve
    from mrsjax.cli.words import in_options
    from mrsjax.report.folder import check_folder

    said: list[str] = []
    try:
        settings = resolve(given, config)
        place = Path(str(settings.out))
        record = place / subject.named("run.yaml")
        files = inputs.fingerprints(settings)
        state = "kept"
        if redo or not is_finished(record, settings.as_options(), files):
            state = "fitted"
            check_folder(place, [subject.named(n) for n in outcome.FILES], subject.named("run.yaml"))
            clock = outcome.Clock()

            def work():
                from mrsjax.cli.job import computed

                analysis = computed(lambda: inputs.load(settings), said.append, None, settings.peak, settings.model)
                word = settings.posterior
                return analysis, None if word is None else posterior_table(analysis, word)

            analysis, table = interruptible(work)
            title = subject.data.name
            outcome.write(analysis, place, title, settings.as_options(), files, device, clock, subject.named, table)
        document = json.loads((place / subject.named("results.json")).read_text(encoding="utf-8"))
        link = (subject.folder / subject.named("report.html")).as_posix()
        return {"status": state, "said": said, "link": link, "document": document}
    except (ValueError, OSError) as error:
        message = in_options(" ".join(str(error).split()))
    except Exception as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())} (a fault of mrsjax)"
    return {"status": "failed", "said": [*said, f"mrsjax: {subject.name} failed: {message}"], "message": message}


def _index(root: Path, rows: list[dict[str, Any]], *, bids: bool) -> None:
    from mrsjax.cli.outcome import derivative
    from mrsjax.report.index import render_index, summary_csv, summary_rows

    made = summary_rows(rows)
    files = {"index.html": render_index(made, root.absolute().name), "summary.csv": summary_csv(made)}
    if bids:
        files["dataset_description.json"] = derivative()
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        from mrsjax.io.content import write_bytes

        write_bytes(root / name, text.encode("utf-8"))


def _announce(root: Path, rows: list[dict[str, Any]]) -> int:
    counts = {s: sum(r["status"] == s for r in rows) for s in ("fitted", "kept", "failed")}
    click.echo(", ".join(f"{n} {s}" for s, n in counts.items()))
    for row in rows:
        if row["status"] == "failed":
            click.echo(f"  failed: {row['name']}: {row['message']}")
    click.echo(f"Index: {root / 'index.html'}")
    return 2 if counts["failed"] else 0
