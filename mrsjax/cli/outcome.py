"""What a fit leaves behind: the folder with tables, report and run.yaml, and a few lines on the console."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mrsjax import report
from mrsjax.analysis import Analysis
from mrsjax.report.verdict import judge, summary

FILES = ("results.csv", "parameters.csv", "qc.csv", "results.json", "report.html", "run.yaml")


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


def write(
    analysis: Analysis, out: Path, title: str, options: Mapping[str, Any], files, device: str, clock: Clock
) -> None:
    """Writes the folder `out` with every file of `FILES`."""
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
    record = {"schema": "mrsjax-run/1.0", **run, "notes": list(analysis.notes)}
    text = "# Written by mrsjax. `mrsjax fit --config run.yaml` repeats this run.\n" + yaml.safe_dump(
        record, sort_keys=False
    )
    report.write_folder(out, tables | {"report.html": report.render(analysis, run, tables), "run.yaml": text})


def announce(analysis: Analysis, out: Path) -> None:
    """The verdict and where to look, on stdout."""
    judgements = judge(analysis)
    click.echo(summary(analysis, judgements))
    for j in judgements:
        click.echo(f"  {j.title}: {j.value} ({j.band.value})")
    click.echo(f"Report: {out / 'report.html'}")
