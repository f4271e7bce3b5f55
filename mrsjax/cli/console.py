"""What a running command says, and how it obeys Ctrl-C at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")


def start_jax(*, double: bool = True) -> str:
    """Turns on double precision (unless not `double`), the persistent compile cache and the keeping of freed memory; returns the device in words."""
    import jax

    from mrsjax.core import memory

    memory.keep()

    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "mrsjax", "xla"
    )
    jax.config.update("jax_enable_x64", double)
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    devices = jax.devices()
    kind = devices[0].device_kind if devices[0].platform != "cpu" else f"cpu, {os.cpu_count()} cores"
    return f"{len(devices)} x {kind}" if len(devices) > 1 else kind


@contextmanager
def phases(
    device: str, doing: str = "fitting", what: str = "spectra"
) -> Iterator[tuple[Callable[[str], None], Callable[[int, int], None]]]:
    """What is being done, on stderr. Yields `say(phase)` and `progress(done, total)`.

    A terminal has a bar with the time that remains; it starts at the first `progress` (before it, the compiler works) and keeps its count over
    what is said until it is full. Elsewhere each phase is a line, and so is the first `progress` of a phase.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    told: set[int] = set()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def line(text: str) -> None:
            console.print(f"mrsjax: {text}", soft_wrap=True, highlight=False)

        def say(phase: str) -> None:
            nonlocal task
            if not console.is_terminal:
                line(phase)
            elif bar.tasks[0].total is None or bar.finished:
                bar.remove_task(task)
                task = bar.add_task(phase, total=None)
            else:
                bar.update(task, description=phase)

        def progress(done: int, total: int) -> None:
            if console.is_terminal:
                bar.update(task, description=f"{doing} on {device}", completed=done, total=total)
            elif total not in told:
                told.add(total)
                line(f"{doing} on {device} ({what}: {total})")

        yield say, progress


def interruptible(work: Callable[[], T], *, stopped: str = "") -> T:
    """Runs `work` in a thread and waits for it, so that Ctrl-C is obeyed while XLA compiles or computes.

    Python delivers signals to the main thread between bytecodes only, and a compiled call does not return for seconds.
    After Ctrl-C the thread runs on until the process ends, so `work` must leave nothing half-done outside of memory.
    `stopped`: what is said then of work that leaves what is finished; none: that nothing was written.
    """
    box: dict[str, Any] = {}

    def run() -> None:
        try:
            box["value"] = work()
        except BaseException as error:
            box["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(stopped) from None
    if "error" in box:
        raise box["error"]
    return box["value"]
