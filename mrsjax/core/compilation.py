"""How our large programs are compiled, and how what was traced once is kept for the next process.

Once the compiled programs of the fit come from JAX's cache, tracing them is most of the time to the first result. `jit` therefore keeps the traced programs
too, as StableHLO (`jax.export`: no pickle, no code of ours is run when one is read), in the folder of JAX's compilation cache, where there is one.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import equinox as eqx
import jax
import jax.export
import numpy as np

#: Options of XLA. On a CPU the emitters of fused loops in jax 0.10 take twice as long to compile as the older ones (docs/model.md); in jax 0.12 there is no
#: choice any more. LLVM's lower levels save a fifth of that time and cost a third of the speed.
#: Products by several threads round differently from call to call; by one, fits repeat.
OPTIONS: dict[str, Any] = {"xla_cpu_multi_thread_eigen": False}
if jax.__version_info__[:2] == (0, 10):
    OPTIONS["xla_cpu_use_fusion_emitters"] = False

F = TypeVar("F", bound=Callable[..., Any])
_PROGRAMS: list[Program] = []


def jit(function: F) -> F:
    """`equinox.filter_jit` with these options, which keeps the traced program. It cannot be nested in other transformations of JAX.

    Arrays are arguments, everything else is a constant. The results are trees of arrays made of tuples, dicts and modules of mrsjax.
    """
    program = Program(function)
    _PROGRAMS.append(program)
    return cast(Any, program)


def bound(program: Any, *first: Any) -> Callable[..., Any]:
    """A function made by `jit` with its first arguments given: they are taken apart, and brought to the device, once."""
    arrays, kinds = _apart(first)
    return functools.partial(program.call, ([jax.device_put(x) for x in arrays], kinds))


def together(*calls: tuple[Any, tuple]) -> None:
    """Compiles programs, pairs of a function made by `jit` and its arguments, at the same time: XLA works outside Python's lock."""
    with _collector_paused(), ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(program.compiled, *_apart(args)) for program, args in calls]:
            done.result()


@contextlib.contextmanager
def _collector_paused():
    """Without garbage collection: what tracing makes by the hundred thousand stays, and passes over it are a tenth of the time to a first fit."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def forget() -> None:
    """Frees the compiled programs of this process."""
    for program in _PROGRAMS:
        program.ready.clear()


Kinds = tuple[tuple[Any, tuple], ...]


def _apart(args: tuple) -> tuple[list[Any], Kinds]:
    """The arrays in the arguments, and all else of each: its structure, and (shape, type) or (type, value) of its leaves."""
    arrays, kinds = [], []
    for leaves, structure in map(jax.tree.flatten, args):
        found = [isinstance(x, jax.Array | np.ndarray | np.generic) for x in leaves]
        arrays += [x for x, array in zip(leaves, found, strict=True) if array]
        each = ((x.shape, x.dtype) if array else (type(x), x) for x, array in zip(leaves, found, strict=True))
        kinds.append((structure, tuple(each)))
    return arrays, tuple(kinds)


def _whole(arrays: Iterable[Any], kinds: Kinds) -> list[Any]:
    """The arguments again."""
    left = iter(arrays)
    fill = lambda kind: next(left) if isinstance(kind[0], tuple) else kind[1]  # noqa: E731
    return [jax.tree.unflatten(structure, [fill(kind) for kind in each]) for structure, each in kinds]


class Program:
    """A function, and what was compiled of it for each structure and shape of its arguments."""

    def __init__(self, function: Callable[..., Any]):
        self.function, self.ready = function, {}
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any) -> Any:
        return self.call(([], ()), *args)

    def call(self, first: tuple[list[Any], Kinds], *args: Any) -> Any:
        """The function of the arguments that `_apart` made `first` of, and of `args`."""
        arrays, kinds = _apart(args)
        compiled, result = self.compiled(first[0] + arrays, first[1] + kinds)
        return jax.tree.unflatten(result, compiled(*first[0], *arrays))

    def compiled(self, arrays: list[Any], kinds: Kinds) -> tuple[Callable[..., Any], Any]:
        """The program that takes the arrays, and the structure of its result."""
        key = kinds, _settings()
        if key not in self.ready:
            with _collector_paused():
                self.ready[key] = self._compiled(arrays, key)
        return self.ready[key]

    def _compiled(self, arrays, key) -> tuple[Callable[..., Any], Any]:
        box = []

        def flat(*arrays):
            with jax.default_matmul_precision("highest"):  # a GPU's TF32 would spoil the normal equations
                result = self.function(*_whole(arrays, key[0]))
            box[:] = [result]
            return tuple(jax.tree.leaves(result))

        flat.__name__ = self.function.__name__
        traced, path = jax.jit(flat), _path(self.function, key)
        shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in arrays]
        if path is not None:
            kept = _read(path)
            if kept is None:
                exported = jax.export.export(traced)(*shapes)
                kept = exported, jax.tree.structure(box[0])
                if _can_be_described(box[0]):
                    _write(path, exported, _described(box[0]))
            exported, result = kept
            call = lambda *leaves: exported.call(*leaves)  # noqa: E731
            call.__name__ = self.function.__name__
            return jax.jit(call).lower(*shapes).compile(OPTIONS), result
        compiled = traced.lower(*shapes).compile(OPTIONS)
        return compiled, jax.tree.structure(box[0])


def _settings() -> tuple[Any, ...]:
    """What else a traced program depends on."""
    config: Any = jax.config
    return config.jax_enable_x64, config.jax_default_matmul_precision, config.jax_default_device


def _path(function: Callable[..., Any], key) -> pathlib.Path | None:
    """Where the traced program is kept; None where it cannot be."""
    folder = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    text = repr((function.__module__, function.__qualname__, key, jax.__version__, jax.default_backend(), _sources()))
    if not folder or "://" in str(folder) or " at 0x" in text:
        return None
    return (
        pathlib.Path(folder) / "mrsjax" / f"{function.__name__}-{hashlib.sha256(text.encode()).hexdigest()}.stablehlo"
    )


@functools.cache
def _sources() -> str:
    """A digest of the package's code: a program is not older than what it was traced from."""
    folder = pathlib.Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write(path: pathlib.Path, exported, structure) -> None:
    """Best effort: a folder that cannot be written is no reason to stop."""
    head = json.dumps(structure).encode()
    content = len(head).to_bytes(8, "little") + head + bytes(exported.serialize())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            part = pathlib.Path(folder) / path.name
            part.write_bytes(content)
            os.replace(part, path)
    except OSError:
        return


def _read(path: pathlib.Path) -> tuple[Any, Any] | None:
    """The traced program and the structure of its result; None where there is none, or a damaged one."""
    try:
        content = path.read_bytes()
        end = 8 + int.from_bytes(content[:8], "little")
        structure = jax.tree.structure(_built(json.loads(content[8:end])))
        return jax.export.deserialize(bytearray(content[end:])), structure
    except FileNotFoundError:
        return None
    except Exception:
        return None


def _can_be_described(tree: Any) -> bool:
    """Whether the tree is made of dicts, tuples and modules of mrsjax that hold arrays."""
    try:
        return jax.tree.structure(_built(_described(tree))) == jax.tree.structure(tree)
    except ValueError:  # a class of others
        return False


def _described(tree: Any) -> Any:
    """A tree's structure in JSON: null is a leaf."""
    if isinstance(tree, dict):
        return {"dict": {k: _described(v) for k, v in tree.items()}}
    if isinstance(tree, eqx.Module):
        return {"module": _name(tree), "fields": {k: _described(v) for k, v in vars(tree).items()}}
    if isinstance(tree, tuple):
        return {"tuple": [_described(v) for v in tree], "class": _name(tree) if hasattr(tree, "_fields") else None}
    return None


def _built(structure: Any) -> Any:
    """The tree of a description, zeros for leaves."""
    if structure is None:
        return 0
    if "dict" in structure:
        return {k: _built(v) for k, v in structure["dict"].items()}
    if "module" in structure:
        made = object.__new__(_class(structure["module"]))
        for k, v in structure["fields"].items():
            object.__setattr__(made, k, _built(v))
        return made
    values = tuple(_built(v) for v in structure["tuple"])
    return values if structure["class"] is None else _class(structure["class"])(*values)


def _name(thing: Any) -> str:
    return f"{type(thing).__module__}:{type(thing).__qualname__}"


def _class(name: str) -> Any:
    """A class of mrsjax by its name; no other code is imported."""
    module, _, qualified = name.partition(":")
    if module.split(".")[0] != "mrsjax":
        raise ValueError(f"{name} is not of mrsjax")
    return getattr(importlib.import_module(module), qualified)
