"""The shape of a study: simulate, build, train, score, published.

Each study is a module with one `Study`; `main` trains it, scores it on spectra of another key stream and prints its table with what the paper reported.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from mrsjax.core import Sample
from mrsjax.nn import Matched, Network, NetworkSpec, Training, calibrate, train, weighted

#: Seed of the test spectra: no training or validation key is derived from it.
TEST_SEED = 20231


class World(NamedTuple):
    """What a study is simulated with: the simulator, its basis and sampling."""

    simulator: Any
    basis: Any
    sampling: Any


class Study(NamedTuple):
    """One published system.

    - `row`, `title`: of the review's table; `published`: what the paper reported, on its own data; `reduced`: how this differs from it.
    - `simulate`: makes the `World`; `specs`: the networks by name; `losses`: of each; `settings`: of training.
    - `score`: from networks, world and test samples to lines of a table, the first its header.
    """

    row: str
    title: str
    published: str
    reduced: str
    simulate: Callable[[], World]
    specs: dict[str, NetworkSpec]
    losses: dict[str, dict[str, float]]
    settings: Training
    score: Callable[[dict[str, Network], World, Sample], list[tuple]]
    count: int = 256


def draw(simulator, count: int, seed: int = TEST_SEED) -> Sample:
    """Test samples, on the host."""
    keys = jax.random.split(jax.random.key(seed), count)
    return jax.tree.map(np.asarray, eqx.filter_jit(lambda s, k: jax.vmap(s.sample)(k))(simulator, keys))


def cpu(call: Callable[[], Any], count: int) -> tuple[Any, float]:
    """A result and the CPU time of one spectrum in ms, the second of two calls: without compilation."""
    jax.block_until_ready(call())
    start = time.process_time()
    out = jax.block_until_ready(call())
    return out, 1e3 * (time.process_time() - start) / count


def run(study: Study) -> list[str]:
    """Trains, scores, and returns the lines of the report."""
    world = study.simulate()
    lines = [f"row {study.row}: {study.title}", f"published: {study.published}", f"here: {study.reduced}"]
    networks = {}
    for name, spec in study.specs.items():
        start = time.process_time()
        network = calibrate(spec, world.basis, world.sampling, world.simulator, seed=study.settings.seed)
        data = Matched(world.simulator, network.model.names, spec.predicted)
        done = train(network, data, weighted(study.losses[name]), study.settings)
        networks[name] = done.network
        s = study.settings
        lines.append(
            f"{name}: {s.steps} steps of {s.batch}, seed {s.seed}, {time.process_time() - start:.0f} s CPU with compilation,"
            f" {done.history[-1].spectra_per_s:.0f} spectra/s at the end, validation loss {done.history[0].validation:.3g} -> {min(r.validation for r in done.history):.3g}"
        )
    rows = study.score(networks, world, draw(world.simulator, study.count))
    lines.append(f"test: {study.count} spectra, seed {TEST_SEED}")
    header, *body = rows
    lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(x if isinstance(x, str) else f"{x:.3g}" for x in row) + " |" for row in body]
    return lines


def main(study: Study) -> None:
    """`python -m benchmarks.studies.NAME [--steps N]`."""
    parser = argparse.ArgumentParser(description=study.title)
    parser.add_argument("--steps", type=int, default=study.settings.steps)
    parser.add_argument("--count", type=int, default=study.count)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    fields = {f: getattr(study.settings, f) for f in study.settings.__dataclass_fields__}
    study = study._replace(settings=Training(**{**fields, "steps": given.steps}), count=given.count)
    print("\n".join(run(study)), flush=True)
