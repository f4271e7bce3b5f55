"""The shape of a study: simulate, build, train, score, published.

Each study is a module with one `STUDY`; `main` trains it, scores it on spectra of another key stream and prints its table with what the paper reported.
All are recipe R1 on 1024 points with what the row changes, and the fit beside it is of the model that the spectra were drawn from.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
import yaml

from mrsjax.core import BasisSet, FitResult, Sample, Sampling
from mrsjax.data import default_basis
from mrsjax.inference import fit
from mrsjax.nn import Matched, NetworkSpec, Training, calibrate, train, weighted
from mrsjax.physics import default_model
from simulators.datasets.recipe import parse, recipe

#: Seed of the test spectra: no training or validation key is derived from it.
TEST_SEED = 20231
SAMPLING = Sampling(1 / 2000, 123.25e6, 1024)
#: The fit's model: the groups that the spectra were drawn from.
DRAWN = {"lineshape": "voigt", "own_shift": 0.0, "own_width": 0.0, "creatine_ch2": 0.0, "water_tails": 0}
#: For networks that give amplitudes of metabolites and nothing else.
METABOLITES = {**DRAWN, "macromolecules": "off"}


class World(NamedTuple):
    """What a study is simulated with: the simulator, its basis and sampling; `seed` of its test spectra, those of a changed world among them."""

    simulator: Any
    basis: BasisSet
    sampling: Sampling
    seed: int = TEST_SEED

    @property
    def metabolites(self) -> tuple[str, ...]:
        """Names of the metabolites: the first amplitudes of the simulator, of `METABOLITES` networks and of the fit."""
        return self.simulator.model.groups[0].names


class Learner(NamedTuple):
    """What is trained: a network of the library by its specification, or any `eqx.Module` that `build` makes of (world, seed); and its loss."""

    build: NetworkSpec | Callable[[World, int], Any]
    loss: Mapping[str, float] | Callable


class Study(NamedTuple):
    """One published system.

    - `row`, `title`: of the review's table; `published`: what the paper reported, on its own data; `reduced`: how this differs from it.
    - `simulate`: makes the `World`; `learners` by name; `settings` of their training.
    - `score`: from networks, world and test samples to lines of a table, the first its header.
    """

    row: str
    title: str
    published: str
    reduced: str
    simulate: Callable[[], World]
    learners: dict[str, Learner]
    settings: Training
    score: Callable[[dict[str, Any], World, Sample], list[tuple]]
    count: int = 192


def world(*, basis: BasisSet | None = None, **sections: Any) -> World:
    """Recipe R1 on `SAMPLING`; `sections` take the place of the recipe's own as a whole (None: left out)."""
    content = {k: v for k, v in (yaml.safe_load(recipe("r1").text) | sections).items() if v is not None}
    basis = default_basis() if basis is None else basis
    simulator = parse(yaml.safe_dump(content), "study", basis=basis, sampling=SAMPLING).spectra
    return World(simulator, basis, SAMPLING)


@eqx.filter_jit
def _samples(simulator, keys):
    return jax.vmap(simulator.sample)(keys)


def draw(simulator, count: int, seed: int = TEST_SEED) -> Sample:
    """Test samples, on the host."""
    return jax.tree.map(np.asarray, _samples(simulator, jax.random.split(jax.random.key(seed), count)))


def cpu(call: Callable[[], Any], count: int) -> tuple[Any, float]:
    """A result and the CPU time of one spectrum in ms, the second of two calls: without compilation."""
    jax.block_until_ready(call())
    start = time.process_time()
    out = jax.block_until_ready(call())
    return out, 1e3 * (time.process_time() - start) / count


def classical(world: World, fids, **options: Any) -> tuple[FitResult, float]:
    """The fit from a cold start, and its CPU time a spectrum in ms; `options` of `default_model` beside `DRAWN`."""
    model = default_model(world.basis, world.sampling, **(DRAWN | options))
    return cpu(lambda: fit(model, np.asarray(fids, complex)), len(fids))


def learn(study: Study, name: str, world: World) -> tuple[Any, str]:
    """A trained network and a line about its training."""
    learner, settings = study.learners[name], study.settings
    start = time.process_time()
    if isinstance(learner.build, NetworkSpec):
        network = calibrate(learner.build, world.basis, world.sampling, world.simulator, seed=settings.seed)
        data = Matched(world.simulator, network.model.names, learner.build.predicted)
    else:
        network, data = learner.build(world, settings.seed), world.simulator
    loss = learner.loss if callable(learner.loss) else weighted(learner.loss)
    done = train(network, data, loss, settings)
    losses = [r.validation for r in done.history]
    return done.network, (
        f"{name}: {settings.steps} steps of {settings.batch}, seed {settings.seed}, {time.process_time() - start:.0f} s CPU with compilation,"
        f" {done.history[-1].spectra_per_s:.0f} spectra/s at the end, validation loss {losses[0]:.3g} -> {min(losses):.3g}"
    )


def run(study: Study, seed: int = TEST_SEED) -> Iterator[str]:
    """Trains, and scores on spectra of a seed; the lines of the report as they are known."""
    world = study.simulate()._replace(seed=seed)
    yield from (f"row {study.row}: {study.title}", f"published: {study.published}", f"here: {study.reduced}")
    networks = {}
    for name in study.learners:
        networks[name], line = learn(study, name, world)
        yield line
    header, *body = study.score(networks, world, draw(world.simulator, study.count, seed))
    yield f"test: {study.count} spectra, seed {seed}"
    yield from ("| " + " | ".join(header) + " |", "|" + "---|" * len(header))
    for row in body:
        yield "| " + " | ".join(x if isinstance(x, str) else f"{x:.3g}" for x in row) + " |"


def main(study: Study) -> None:
    """`python -m benchmarks.studies.NAME [--steps N] [--count N] [--seed N]`."""
    parser = argparse.ArgumentParser(description=study.title)
    parser.add_argument("--steps", type=int, default=study.settings.steps)
    parser.add_argument("--count", type=int, default=study.count)
    parser.add_argument("--seed", type=int, default=TEST_SEED, help="of the test spectra")
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    settings = dataclasses.replace(study.settings, steps=given.steps)
    for line in run(study._replace(settings=settings, count=given.count), given.seed):
        print(line, flush=True)
