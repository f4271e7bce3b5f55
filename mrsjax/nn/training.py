"""The one training loop of every learned method: simulation inside the jitted step, checkpoints, exact resume."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mrsjax.core import Sample, Simulator
from mrsjax.nn.checkpoint import Progress, make_folder, read_state, write_state
from mrsjax.nn.frozen import partition
from mrsjax.nn.logs import write_logs
from mrsjax.nn.ranges import SEEDS, number, whole

#: Folded into the seed: training and validation never share a key.
TRAIN, VALIDATE, DROP = 1, 2, 3


@dataclasses.dataclass(frozen=True)
class Training:
    """Settings of a run; all steps are of `batch` fresh spectra.

    - `schedule`: "cosine" (to zero at `steps`, after `warmup` steps of linear growth) or "constant".
    - `clip`: largest norm of the gradient. `weight_decay`: of AdamW.
    - `validation`: spectra of another key stream, evaluated `every` steps.
    - `patience`: validations without improvement before the run stops; 0: never.
    """

    steps: int = 2000
    batch: int = 128
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup: int = 100
    clip: float = 1.0
    weight_decay: float = 1e-4
    validation: int = 512
    every: int = 100
    patience: int = 0
    seed: int = 0

    def __post_init__(self):
        given = dataclasses.asdict(self)
        checked: dict[str, Any] = {
            name: whole(f"training.{name}", given[name], least=1) for name in ("steps", "batch", "validation", "every")
        }
        checked |= {name: whole(f"training.{name}", given[name]) for name in ("warmup", "patience")}
        checked |= {name: number(f"training.{name}", given[name], above=0.0) for name in ("learning_rate", "clip")}
        checked["weight_decay"] = number("training.weight_decay", self.weight_decay)
        checked["seed"] = whole("training.seed", self.seed, most=SEEDS)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.schedule not in ("cosine", "constant"):
            raise ValueError(f"training.schedule: wanted cosine or constant, found {self.schedule!r}")

    def optimiser(self) -> optax.GradientTransformation:
        """Clipping, then AdamW on the schedule."""
        warmup = min(self.warmup, self.steps - 1)
        if self.schedule == "cosine":
            rate = optax.warmup_cosine_decay_schedule(0.0, self.learning_rate, warmup, self.steps)
        else:
            rate = optax.linear_schedule(self.learning_rate / max(warmup, 1), self.learning_rate, max(warmup, 1))
        return optax.chain(optax.clip_by_global_norm(self.clip), optax.adamw(rate, weight_decay=self.weight_decay))


class Record(NamedTuple):
    """One validation: mean training `loss` and `gradient` norm since the last, `validation` loss, `spectra_per_s` since
    the last (compilation counted in the first), `seconds` of this process."""

    step: int
    loss: float
    validation: float
    gradient: float
    spectra_per_s: float
    seconds: float


class Trained(NamedTuple):
    """The network with the smallest validation loss, the validations, and why the run ended ("steps" or "patience")."""

    network: Any
    history: list[Record]
    best_step: int
    ended: str


def train(
    network: Any,
    simulator: Simulator,
    loss: Callable[[Any, Sample, Any], Any],
    settings: Training,
    *,
    out: Path | None = None,
    save: Callable[[Any, Path, list[Record]], None] | None = None,
    report: Callable[[Record, int], None] | None = None,
    about: Mapping[str, Any] | None = None,
    validation: Simulator | None = None,
) -> Trained:
    """Trains the leaves of `network` that are not `Frozen`.

    **Arguments:**

    - `network`: any `eqx.Module`.
    - `simulator`: drawn inside the step, on the device; sharded over all devices with the rest of the batch.
    - `loss`: of (network, sample, key) for one sample, e.g. `losses.weighted`; the key is None in validation.
    - `out`: folder for the state (`state.npz`), `log.csv` and `log.json`; a run that was stopped there goes on, with the same curve.
    - `save(network, path, history)`: writes a model, called with `out/best` and `out/last` when they change and at the end; `history` ends with its validation.
    - `report(record, steps)`: called at each validation.
    - `about`: plain values of what else makes the run, e.g. its data and loss; a run with others is not continued.

    - `validation`: draws the validation spectra, where `simulator` is a finite set that would give those trained on; None: `simulator` with other keys.

    **Raises:** `ValueError` when the batch does not divide among the devices, when `out` is no folder that can be written, when `out` holds another run (settings, network, constants or `about`), or when
    the loss stops being finite.
    """
    if out is not None:
        make_folder(out)
    devices = jax.devices()
    if settings.batch % len(devices) or settings.validation % len(devices):
        raise ValueError(
            f"training.batch: wanted batch and validation as multiples of the {len(devices)} devices, found {settings.batch} and {settings.validation}"
        )
    mesh = Mesh(devices, ("spectra",))
    spread, everywhere = NamedSharding(mesh, PartitionSpec("spectra")), NamedSharding(mesh, PartitionSpec())
    optimiser = settings.optimiser()
    trainable, rest = partition(network)
    start = Progress(0, trainable, optimiser.init(trainable), trainable, 0, float("inf"), 0, [])
    mark = _mark(settings, network, about or {})
    now = start if out is None else read_state(out, start, mark)
    place = lambda tree: jax.device_put(tree, everywhere)  # noqa: E731
    now = now._replace(trainable=place(now.trainable), optimiser=place(now.optimiser))
    rows, validation_rows = (
        jax.device_put(jnp.arange(n, dtype=jnp.int32), spread) for n in (settings.batch, settings.validation)
    )

    def batch_loss(trainable, rest, simulator, root, rows, drop):
        whole = eqx.combine(trainable, rest)

        def one(row):
            sample = simulator.sample(jax.random.fold_in(root, row))
            key = None if drop is None else jax.random.fold_in(drop, row)
            return loss(whole, sample, key)

        return jnp.mean(jax.vmap(one)(rows))

    @eqx.filter_jit
    def advance(trainable, state, rest, simulator, step, rows):
        keys = [jax.random.fold_in(jax.random.fold_in(jax.random.key(settings.seed), s), step) for s in (TRAIN, DROP)]
        value, gradient = jax.value_and_grad(batch_loss)(trainable, rest, simulator, keys[0], rows, keys[1])
        with jax.numpy_dtype_promotion("standard"):
            update, state = optimiser.update(gradient, state, trainable)
            trainable = optax.apply_updates(trainable, update)
        return trainable, state, value, optax.tree.norm(gradient)

    @eqx.filter_jit
    def validate(trainable, rest, simulator, rows):
        root = jax.random.fold_in(jax.random.key(settings.seed), VALIDATE)
        return batch_loss(trainable, rest, simulator, root, rows, None)

    began = lap = time.perf_counter()
    sums = []
    while now.step < settings.steps and not _patience(settings, now):
        trainable, state, value, norm = advance(
            now.trainable, now.optimiser, rest, simulator, jnp.int32(now.step), rows
        )
        now = now._replace(step=now.step + 1, trainable=trainable, optimiser=state)
        sums.append((value, norm))
        if now.step % settings.every and now.step < settings.steps:
            continue
        losses, norms = (float(jnp.mean(jnp.stack(x))) for x in zip(*sums, strict=True))
        count, sums = len(sums), []
        valid = float(validate(now.trainable, rest, validation or simulator, validation_rows))
        before, lap = lap, time.perf_counter()
        rate = count * settings.batch / (lap - before)
        record = Record(now.step, losses, valid, norms, rate, lap - began)
        if not (math.isfinite(valid) and math.isfinite(losses)):
            raise ValueError(
                f"training: the loss is not finite at step {now.step}; lower learning_rate (now {settings.learning_rate:g}) or clip"
            )
        now = now._replace(history=[*now.history, record], waited=now.waited + 1)
        if valid < now.best:
            now = now._replace(best=valid, best_step=now.step, best_trainable=now.trainable, waited=0)
        if out is not None:
            write_state(out, now, mark)
            write_logs(out, now.history)
            if save is not None:
                _save(save, out, now, rest, best=now.waited == 0)
        if report is not None:
            report(record, settings.steps)
    if out is not None:  # a run killed between its state and its logs or models has them stale
        write_logs(out, now.history)
        if save is not None:
            _save(save, out, now, rest, best=True)
    ended = "patience" if _patience(settings, now) else "steps"
    return Trained(eqx.combine(now.best_trainable, rest), now.history, now.best_step, ended)


def _patience(settings: Training, now: Progress) -> bool:
    return 0 < settings.patience <= now.waited


def _save(save: Callable, out: Path, now: Progress, rest: Any, *, best: bool) -> None:
    save(eqx.combine(now.trainable, rest), out / "last", now.history)
    if best:
        save(eqx.combine(now.best_trainable, rest), out / "best", [r for r in now.history if r.step <= now.best_step])


def _mark(settings: Training, network: Any, about: Mapping[str, Any]) -> Mapping[str, Any]:
    """What must agree for a run to go on. Of each constant (basis, calibration) two projections: devices differ in the last digits."""
    trainable, rest = partition(network)
    paths = jax.tree_util.tree_leaves_with_path
    return {
        "settings": dataclasses.asdict(settings),
        "shapes": [f"{jax.tree_util.keystr(k)}{x.shape}" for k, x in paths(trainable)],
        "constants": {
            jax.tree_util.keystr(k): _projections(x) for k, x in paths(eqx.filter(rest, eqx.is_inexact_array))
        },
        "specification": str(getattr(getattr(network, "spec", None), "text", "")),
        "about": dict(about),
    }


def _projections(x: Any) -> list[float]:
    parts = np.concatenate([np.real(x).ravel(), np.imag(x).ravel()]).astype(float)
    values = np.where(np.isfinite(parts), parts, 0.0)
    return [float(np.linalg.norm(values)), float(values @ np.cos(np.arange(values.size)))]
