"""A data set in files: one Zarr v3 array a quantity, written shard by shard, resumable after any interruption.

    DIR/manifest.json            recipe, seed, count, versions; written first, compared before anything is added
    DIR/recipe.yaml              the recipe as it was read
    DIR/basis/NAME               a copy of the basis set, where the recipe names a file or a folder
    DIR/spectra.zarr/NAME/       arrays of leading axis `count`; one file a shard, chunks of a block (256 spectra, one world) inside it
    DIR/shards/000000.json       written last for each shard: SHA-256 of its files; without it the shard is made again
    DIR/first.nii.gz             the first spectra as NIfTI-MRS

Nothing in the manifest, the shards' records and the arrays depends on when, in how many sittings, by how many processes and on how many devices of a kind the
set was made.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from simulators.datasets.blocks import blocks, kept, named_arrays
from simulators.datasets.first import write_first
from simulators.datasets.manifest import compare, manifest_of, read_manifest
from simulators.datasets.recipe import Recipe

#: Bytes of a shard's samples, which are in memory at once, where the caller names no shard; of 256 MB the system's fresh pages cost more than the writing.
SHARD_BYTES = 64_000_000
#: Folder of the copy of a recipe's basis set.
KEPT_BASIS = "basis"
#: What an interruption can leave before there is a manifest.
BEFORE_MANIFEST = {"shards", "recipe.yaml", "recipe.yaml.part", "manifest.json.part", KEPT_BASIS}


def write(
    recipe: Recipe,
    count: int,
    folder: str | Path,
    *,
    seed: int = 0,
    shard: int | None = None,
    signals: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Writes spectra 0 .. `count` - 1 of a recipe and a seed; what is there already is kept.

    - `shard`: samples in a file, a multiple of `recipe.simulator.block`; by default as many blocks as `SHARD_BYTES` hold, but one.
    - `signals`: also keep the clean FIDs and what each artefact added.
    - `progress(done, total)`: called as spectra of this process are written.

    Under `jax.distributed` each process writes every P-th shard into the same (shared) folder.

    **Raises:** `ValueError` when the folder holds something else, or the disk is too small.
    """
    folder = Path(folder)
    block = recipe.simulator.block
    layout = _layout(recipe, signals)
    shard = _default_shard(layout, block) if shard is None else shard
    if count < 1 or shard < block or shard % block:
        raise ValueError(
            f"shard: wanted a positive count and a shard of a multiple of {block}, found {count} and {shard}"
        )
    manifest = manifest_of(recipe, count, seed, shard, layout)
    _claim(folder, manifest, recipe, layout)
    _together("claimed")
    todo = [s for s in range(jax.process_index(), _shards(count, shard), jax.process_count()) if not _done(folder, s)]
    total, done = sum(_length(s, count, shard) for s in todo), 0

    def made(spectra: int) -> None:
        nonlocal done
        done += spectra
        progress(done, total)

    memory = [_empty(layout, min(shard, count)) for _ in todo[:2]]  # one shard is written while the next is drawn
    with ThreadPoolExecutor(1) as writer:
        waiting: Future | None = None
        for turn, number in enumerate(todo):
            parts = {k: x[: _length(number, count, shard)] for k, x in memory[turn % 2].items()}
            _draw(recipe, number * shard, parts, seed, signals, made)
            if waiting is not None:
                waiting.result()
            waiting = writer.submit(_write_shard, folder, number, number * shard, parts)
        if waiting is not None:
            waiting.result()
    _together("written")
    if jax.process_index() == 0:
        write_first(recipe, folder / "first.nii.gz", open_arrays(folder))
    return folder


def open_arrays(folder: str | Path) -> dict[str, Any]:
    """The arrays of a data set by name (Zarr arrays: index them to read)."""
    root = _zarr().open_group(Path(folder) / "spectra.zarr", mode="r")
    return dict(root.arrays())


def verify(folder: str | Path) -> int:
    """Reads every file of a data set and compares its checksum; the number of shards.

    **Raises:** `ValueError` for a folder without a data set, or naming the first shard that is missing or differs.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    total = _shards(manifest["count"], manifest["shard"])
    for number in range(total):
        record = _record(folder, number)
        if not record.is_file():
            raise ValueError(
                f"{folder}: shard {number} of {total} is not finished; run the same command again to resume"
            )
        for name, digest in json.loads(record.read_text(encoding="utf-8"))["sha256"].items():
            path = _file(folder, name, number, len(manifest["arrays"][name]["shape"]))
            if not path.is_file() or _digest(path) != digest:
                raise ValueError(
                    f"{path}: not what was written; delete {record} and run the same command to make it again"
                )
    return total


def _layout(recipe: Recipe, signals: bool) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape of one spectrum's part and dtype of each array."""
    sample = jax.eval_shape(recipe.simulator.sample, jax.random.key(0))
    return {k: (x.shape, x.dtype.name) for k, x in kept(named_arrays(sample), signals).items()}


def _default_shard(layout, block: int) -> int:
    sample = sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in layout.values())
    return block * max(1, SHARD_BYTES // (block * sample))


def _claim(folder: Path, manifest: dict[str, Any], recipe: Recipe, layout) -> None:
    """Makes the folder this data set's, or finds that it is already."""
    path = folder / "manifest.json"
    if jax.process_index() == 0:
        if path.is_file():
            compare(folder, json.loads(path.read_text(encoding="utf-8")), manifest)
        elif folder.is_dir() and {p.name for p in folder.iterdir()} - BEFORE_MANIFEST:
            raise ValueError(f"{folder}: wanted a new or empty folder or one of this recipe, found other files")
        else:
            need = sum(int(np.prod(a["shape"])) * np.dtype(a["dtype"]).itemsize for a in manifest["arrays"].values())
            (folder / "shards").mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if need > free:
                raise ValueError(f"{folder}: {need / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free")
            _write_text(folder / "recipe.yaml", recipe.text)
            if recipe.basis_file is not None:
                _copy(recipe.basis_file, folder / KEPT_BASIS)
            _write_text(path, json.dumps(manifest, indent=1) + "\n")
        for left in folder.rglob("*.partial"):  # what Zarr was writing when it was killed
            left.unlink()
        _create_arrays(folder, manifest, layout, recipe.simulator.block)


def _create_arrays(folder: Path, manifest: dict[str, Any], layout, block: int) -> None:
    zarr = _zarr()
    root = zarr.open_group(folder / "spectra.zarr", mode="a", zarr_format=3)
    for name, (shape, dtype) in layout.items():
        if not (folder / "spectra.zarr" / name / "zarr.json").is_file():
            root.create_array(
                name,
                shape=(manifest["count"], *shape),
                dtype=dtype,
                shards=(manifest["shard"], *shape),
                chunks=(block, *shape),
                compressors=None,  # noise does not compress
                fill_value=_absent(np.dtype(dtype)),
            )


def _absent(dtype: np.dtype):
    """What is read where no shard was written yet."""
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind in "iu" else dtype.type(np.nan)


def _empty(layout, length: int) -> dict[str, np.ndarray]:
    return {k: np.empty((length, *shape), dtype) for k, (shape, dtype) in layout.items()}


def _draw(recipe: Recipe, first: int, parts: dict[str, np.ndarray], seed: int, signals: bool, made) -> None:
    at, length = 0, len(parts["data"])
    for block in blocks(recipe.simulator, seed, first, first + length, signals=signals):
        size = len(block["data"])
        for name, part in parts.items():
            part[at : at + size] = block[name]
        at += size
        made(size)


def _write_shard(folder: Path, number: int, first: int, parts: dict[str, np.ndarray]) -> None:
    length = len(parts["data"])
    seen: dict[str, str] = {}
    root = _zarr().open_group(_hashing(folder / "spectra.zarr", seen), mode="r+")
    digests = {}
    for name, part in parts.items():
        stored: Any = root[name]
        # else a shard of nothing but the fill value has no file
        array = stored.with_config({"write_empty_chunks": True})
        path = _file(folder, name, number, part.ndim)
        path.unlink(missing_ok=True)  # Zarr would read what a power failure left of it
        array[first : first + length] = part
        with open(path, "rb+") as file:
            os.fsync(file.fileno())
        digests[name] = seen[path.relative_to(folder / "spectra.zarr").as_posix()]
    record = {"first": first, "spectra": length, "sha256": digests}
    _write_text(_record(folder, number), json.dumps(record, indent=1) + "\n")


def _hashing(folder: Path, seen: dict[str, str]):
    """The folder as a store of Zarr that leaves the SHA-256 of each file it writes in `seen`, by its key: no file is read back."""
    from zarr.storage import LocalStore, WrapperStore

    class Hashing(WrapperStore):
        async def set(self, key, value):
            seen[key] = hashlib.sha256(value.as_buffer_like()).hexdigest()
            await super().set(key, value)

    return Hashing(LocalStore(folder))


def _file(folder: Path, name: str, number: int, ndim: int) -> Path:
    return folder.joinpath("spectra.zarr", name, "c", str(number), *["0"] * (ndim - 1))


def _record(folder: Path, number: int) -> Path:
    return folder / "shards" / f"{number:06d}.json"


def _done(folder: Path, number: int) -> bool:
    return _record(folder, number).is_file()


def _shards(count: int, shard: int) -> int:
    return -(-count // shard)


def _length(number: int, count: int, shard: int) -> int:
    return min(shard, count - number * shard)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_text(path: Path, text: str) -> None:
    """All or nothing."""
    part = path.with_name(path.name + ".part")
    with open(part, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _copy(source: Path, folder: Path) -> None:
    """A file or a folder into a folder."""
    folder.mkdir(exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, folder / source.name, dirs_exist_ok=True)
    else:
        shutil.copy(source, folder)


def _together(point: str) -> None:
    if jax.process_count() > 1:
        from jax.experimental.multihost_utils import sync_global_devices

        sync_global_devices(point)


def _zarr():
    try:
        import zarr
    except ImportError:
        raise ValueError('zarr is not installed; pip install "mrsjax[simulate]"') from None
    return zarr
