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


def check_folder(folder: Path, names: list[str], mark: str = MARK) -> None:
    """Raises `ValueError` when writing files of these names would overwrite something that is not ours."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: wanted a folder, found a file")
    taken = [n for n in names if (folder / n).exists()]
    if taken and not (folder / mark).exists():
        raise ValueError(
            f"{folder}: has {', '.join(taken)} but no {mark}, so it was not written by mrsjax; choose another folder"
        )


def write_folder(folder: Path, files: Mapping[str, str | bytes], mark: str = MARK) -> None:
    """Writes files into a folder: all of them to temporary names first, then renamed one by one, the `mark` last.

    A name may have folders before it. Other files in the folder are left alone.
    """
    folder = Path(folder)
    check_folder(folder, list(files), mark)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, not in /tmp: a rename is atomic only within one file system.
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        for name, content in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        if not folder.exists():
            staging.chmod(0o755)
            staging.rename(folder)
            return
        with _uninterrupted():
            for name in sorted(files, key=lambda n: n == mark):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(staging / name, folder / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
