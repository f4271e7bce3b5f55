"""The state of a training run in one file, replaced as a whole: a run that is killed goes on where it last validated."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

STATE = "state.npz"


class Progress(NamedTuple):
    """Where a run is: next `step`, trained leaves, optimiser, the best so far, validations since then, records."""

    step: int
    trainable: Any
    optimiser: Any
    best_trainable: Any
    best_step: int
    best: float
    waited: int
    history: list


def leaves(tree: Any, prefix: str = "") -> dict[str, np.ndarray]:
    """The arrays of a tree by their path."""
    return {prefix + jax.tree_util.keystr(k): np.asarray(x) for k, x in jax.tree_util.tree_leaves_with_path(tree)}


def filled(tree: Any, arrays: Mapping[str, np.ndarray], source: Path, prefix: str = "") -> Any:
    """The tree with its arrays replaced by those of the same path.

    **Raises:** `ValueError` naming the file and the entry that is missing or has another shape.
    """

    def one(path, old):
        name = prefix + jax.tree_util.keystr(path)
        found = arrays[name].shape if name in arrays else "nothing"
        if found != old.shape:
            raise ValueError(
                f"{source}: {name}: wanted shape {old.shape}, found {found}; the file is of another network"
            )
        return jnp.asarray(arrays[name], old.dtype)

    return jax.tree_util.tree_map_with_path(one, tree)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """An .npz file, written beside and moved into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; pickled objects are refused.

    **Raises:** `ValueError` naming the file when it is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            return dict(content)
    except FileNotFoundError:
        raise ValueError(f"{path}: wanted a file of mrsjax train, found none") from None
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise ValueError(f"{path}: no readable .npz of arrays: {' '.join(str(error).split())[:120]}") from None


def make_folder(folder: Path) -> None:
    """The folder of a run, before anything is computed for it.

    **Raises:** `ValueError` naming the folder when it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{folder}: wanted a folder for the run, which cannot be made ({error.strerror or error})"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{folder}: wanted a folder that can be written, found one that cannot")


def write_state(folder: Path, now: Progress, mark: Mapping[str, Any]) -> None:
    """`folder/state.npz`."""
    meta = {
        "step": now.step, "best_step": now.best_step, "best": now.best, "waited": now.waited,
        "history": [list(r) for r in now.history], "mark": mark,
    }  # fmt: skip
    arrays = leaves(now.trainable, "now") | leaves(now.optimiser, "optimiser") | leaves(now.best_trainable, "best")
    write_arrays(folder / STATE, {"about": np.array(json.dumps(meta)), **arrays})


def read_state(folder: Path, start: Progress, mark: Mapping[str, Any]) -> Progress:
    """The state in `folder`, or `start` when there is none.

    **Raises:** `ValueError` when it is of a run with other settings, another network, other constants, data or loss, or no state at all.
    """
    from mrsjax.nn.training import Record

    path = folder / STATE
    if not path.exists():
        return start
    arrays = read_arrays(path)
    if "about" not in arrays:
        raise ValueError(f"{path}: wanted the state of a run of mrsjax train, found other arrays")
    meta = json.loads(str(arrays["about"]))
    if changed := _changed(meta["mark"], json.loads(json.dumps(mark))):
        raise ValueError(
            f"{path}: a run with another choice of {', '.join(changed)}; continue it as it was, or train into another folder"
        )
    return Progress(
        meta["step"],
        filled(start.trainable, arrays, path, "now"),
        filled(start.optimiser, arrays, path, "optimiser"),
        filled(start.best_trainable, arrays, path, "best"),
        meta["best_step"],
        meta["best"],
        meta["waited"],
        [Record(*r) for r in meta["history"]],
    )


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names of what is not the same in two marks of `training`."""
    names = []
    for part in ("settings", "about"):
        was = old.get(part, {})
        names += [k for k in {**was, **new[part]} if was.get(k) != new[part].get(k)]
    names += [f"the network's {part}" for part in ("shapes", "specification") if old.get(part) != new[part]]
    was, now = old.get("constants", {}), new["constants"]
    alike = was.keys() == now.keys() and all(
        np.allclose(was[k], now[k], rtol=1e-4, atol=1e-4 * abs(now[k][0])) for k in now
    )
    return names if alike else [*names, "the network's constants (basis, calibration)"]
