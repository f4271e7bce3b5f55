"""The validations of a training run as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path


def write_logs(folder: Path, history: list) -> None:
    """`log.csv` and `log.json` (columns of `training.Record`), rewritten whole so that a resumed run has one curve."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [r._asdict() for r in history]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    for name, content in (("log.csv", text.getvalue()), ("log.json", json.dumps(rows, indent=1) + "\n")):
        temporary = folder / f".{name}.{os.getpid()}.tmp"
        temporary.write_text(content, encoding="utf-8")
        os.replace(temporary, folder / name)
