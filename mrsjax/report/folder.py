"""Writing a folder of results so that nothing is ever half-written and nothing of others is lost."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

#: The file that marks a folder as written by us.
MARK = "run.yaml"


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the end of the block: a few renames, after which the folder is consistent."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check_folder(folder: Path, names: list[str]) -> None:
    """Raises `ValueError` when writing files of these names would overwrite something that is not ours."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: wanted a folder, found a file")
    taken = [n for n in names if (folder / n).exists()]
    if taken and not (folder / MARK).exists():
        raise ValueError(
            f"{folder}: has {', '.join(taken)} but no {MARK}, so it was not written by mrsjax; choose another folder"
        )


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Writes texts into a folder: all of them to temporary names first, then renamed one by one, the mark last.

    Other files in the folder are left alone.
    """
    folder = Path(folder)
    check_folder(folder, list(files))
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, not in /tmp: a rename is atomic only within one file system.
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        for name, text in files.items():
            with open(staging / name, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
        if not folder.exists():
            staging.chmod(0o755)
            staging.rename(folder)
            return
        with _uninterrupted():
            for name in sorted(files, key=lambda n: n == MARK):
                os.replace(staging / name, folder / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
