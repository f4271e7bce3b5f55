"""What a fit leaves behind: the folder with tables, report and run.yaml, and a few lines on the console."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from mrsjax import report
from mrsjax.analysis import Analysis
from mrsjax.cli.images import images
from mrsjax.report.verdict import judge, summary

FILES = ("results.csv", "parameters.csv", "qc.csv", "results.json", "report.html", "run.yaml")


def as_they_are(name: str) -> str:
    """The name of an output file of a single fit."""
    return name


@dataclasses.dataclass
class Clock:
    """When a run began."""

    began: float = dataclasses.field(default_factory=time.perf_counter)
    started: str = dataclasses.field(
        default_factory=lambda: datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    )


def versions() -> dict[str, str]:
    """Versions of everything that can change a number."""
    import platform
    from importlib import metadata

    found = {"python": platform.python_version()}
    for package in ("mrsjax", "jax", "jaxlib", "equinox", "numpy", "scipy"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return {"mrsjax": found.pop("mrsjax"), **found}


def derivative() -> str:
    """dataset_description.json of a BIDS derivative."""
    import json

    about = {
        "Name": "mrsjax results",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "mrsjax", "Version": versions()["mrsjax"]}],
    }
    return json.dumps(about, indent=1) + "\n"


def write(
    analysis: Analysis,
    out: Path,
    title: str,
    options: Mapping[str, Any],
    files,
    device: str,
    clock: Clock,
    named: Callable[[str], str] = as_they_are,
    posterior: list[dict[str, Any]] | None = None,
) -> None:
    """Writes the folder `out`: every file of `FILES`, the images, and posterior.csv of its rows, each under the name that `named` gives it."""
    import yaml

    run = {
        "title": title,
        "started": clock.started,
        "seconds": round(time.perf_counter() - clock.began, 2),
        "device": device,
        "versions": versions(),
        "options": dict(options),
        "files": files,
    }
    tables = {
        "results.csv": report.to_csv(report.results_rows(analysis)),
        "parameters.csv": report.to_csv(report.parameters_rows(analysis)),
        "qc.csv": report.to_csv(report.qc_rows(analysis)),
        "results.json": report.to_json(analysis, run),
    }
    if posterior is not None:
        tables["posterior.csv"] = report.to_csv(posterior)
    made: dict[str, str | bytes] = {
        **tables,
        "report.html": report.render(analysis, run, tables, posterior),
        **images(analysis),
    }
    outputs = {named(name): digest(content) for name, content in made.items()}
    record = {"schema": "mrsjax-run/1.1", **run, "notes": list(analysis.notes), "outputs": outputs}
    repeat = "`mrsjax predict`" if "network" in options else "`mrsjax fit --config run.yaml` repeats this run"
    text = f"# Written by mrsjax. {repeat}.\n"
    text += yaml.safe_dump(record, sort_keys=False)
    report.write_folder(out, {named(n): c for n, c in made.items()} | {named("run.yaml"): text}, named("run.yaml"))


def digest(content: str | bytes) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(content.encode("utf-8") if isinstance(content, str) else content).hexdigest()


def announce(analysis: Analysis, out: Path) -> None:
    """The verdict and where to look, on stdout."""
    judgements = judge(analysis)
    click.echo(summary(analysis, judgements))
    for j in judgements:
        click.echo(f"  {j.title}: {j.value} ({j.band.value})")
    click.echo(f"Report: {out / 'report.html'}")
