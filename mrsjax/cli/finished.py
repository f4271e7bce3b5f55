"""Whether a fit was done already, as asked, and is still whole."""

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
