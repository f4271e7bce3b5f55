"""Spectra by their number: spectrum i of a seed has the key fold_in(key(seed), i), whatever is computed together and where.

The compiled program works on `simulator.block` spectra (worlds), always: another batch size could be summed in another order. Devices take blocks in turn, each
running the same program.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from mrsjax.core import Sampling, Simulator

#: On a CPU that has vectors of 512 bits XLA works with 256 of them unless told otherwise: an eighth slower here (docs/artificial-data.md).
OPTIONS = {"xla_cpu_prefer_vector_width": 512}


class Generator(Simulator, Protocol):
    """A simulator that can be written: `block` samples are made by one program, `together` at a time, `dims` names the data's leading axes."""

    block: int
    together: int

    @property
    def sampling(self) -> Sampling: ...

    @property
    def dims(self) -> tuple[str, ...]: ...


def named_arrays(sample: Any) -> dict[str, Any]:
    """The leaves of a sample by name: "data", "truth.values.metabolites.shift", ..."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(sample._asdict())
    return {".".join(str(step.key) for step in path): leaf for path, leaf in leaves}


def kept(arrays: dict[str, Any], signals: bool) -> dict[str, Any]:
    """Without `signals`: the arrays that are not as long as the data (the clean FID, what an artefact added are)."""
    points = arrays["data"].shape[-1:]
    return {k: x for k, x in arrays.items() if signals or k == "data" or x.shape[-1:] != points}


@partial(jax.jit, static_argnums=(0, 1, 2), compiler_options=OPTIONS)
def _block(
    structure, constants: tuple, signals: bool, arrays: list[Array], seed: Array, first: Array
) -> dict[str, Array]:
    """The simulator comes taken apart, once for all blocks: `constants` are its leaves, None where one of `arrays` is."""
    left = iter(arrays)
    simulator = jax.tree.unflatten(structure, [next(left) if x is None else x for x in constants])
    numbers = first + jnp.arange(simulator.block, dtype=jnp.uint32)

    def made(number: Array) -> dict[str, Array]:
        sample = simulator.sample(jax.random.fold_in(jax.random.key(seed), number))
        return kept(named_arrays(sample), signals)

    return jax.lax.map(made, numbers, batch_size=simulator.together)


def blocks(
    simulator: Generator, seed: int, first: int, last: int, *, signals: bool = False
) -> Iterator[dict[str, np.ndarray]]:
    """Spectra `first` to `last` - 1 (`first` a multiple of `simulator.block`) in blocks, on the host, in order.

    **Raises:** `ValueError` when `first` is no such multiple.
    """
    if first % simulator.block:
        raise ValueError(f"first: wanted a multiple of {simulator.block}, found {first}")
    devices = jax.local_devices()
    leaves, structure = jax.tree.flatten(simulator)
    constants = tuple(None if eqx.is_array(x) else x for x in leaves)
    there = [jax.device_put([x for x in leaves if eqx.is_array(x)], d) for d in devices]
    running: deque = deque()

    def take():
        start, made = running.popleft()
        return {k: np.asarray(x)[: last - start] for k, x in made.items()}

    for number, start in enumerate(range(first, last, simulator.block)):
        d = number % len(devices)
        of_seed, of_start = jax.device_put((jnp.uint32(seed), jnp.uint32(start)), devices[d])
        running.append((start, _block(structure, constants, signals, there[d], of_seed, of_start)))
        if len(running) > len(devices):
            yield take()
    while running:
        yield take()
