"""What a run.yaml says of the run that wrote it: whether that is done and whole, and what has changed since."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrsjax.cli.outcome import digest, versions


def is_finished(record: Path, options: Mapping[str, Any], files: list[dict[str, str]]) -> bool:
    """True when the run.yaml at `record` says the same options, versions and input files (SHA-256), and every output that
    it lists is there with the content that it had.
    """
    import yaml

    try:
        run = yaml.safe_load(record.read_text(encoding="utf-8"))
        same = run["options"] == dict(options) and run["files"] == files and run["versions"] == versions()
        return same and all(digest((record.parent / n).read_bytes()) == h for n, h in run["outputs"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return False


def changes(record: str, files: list[dict[str, str]]) -> list[str]:
    """What makes a repetition of the run.yaml at `record` another run, in sentences: input files of the same path with other contents, other versions.

    Nothing for a file of settings that no run has written.
    """
    import yaml

    run = yaml.safe_load(Path(record).read_text(encoding="utf-8"))
    if not isinstance(run, dict) or not isinstance(run.get("files"), list) or not isinstance(run.get("versions"), dict):
        return []
    then = {f.get("path"): f.get("sha256") for f in run["files"] if isinstance(f, dict)}
    name = Path(record).name
    out = [
        f"{f['path']} is not the file that {name} was made with (SHA-256 differs)."
        for f in files
        if then.get(f["path"], f["sha256"]) != f["sha256"]
    ]
    now = versions()
    other = [f"{k} {v} (now {now.get(k, 'unknown')})" for k, v in run["versions"].items() if now.get(k) != v]
    return [*out, *([f"{name} was made with {', '.join(other)}: numbers may differ."] if other else [])]
