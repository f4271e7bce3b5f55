"""Becker 2022a (row 2): an ensemble of weak learners shims X, Y, Z from four spectra, one at 0 and one with a probe step of each channel.

`python -m benchmarks.studies.row02_ensemble [STEPS]`. As published: small convolutional regressors, frozen, and a combiner trained after them (average or a linear
layer, here by exact least squares on fresh simulations); one correction. Reduced: 20 learners of 3 layers (one of them a convolution) on 96 points in place of 50 of 6 layers on 2048,
minutes of one CPU core. Beside them, on the same cases: the agent's inference from the same four spectra, Nelder-Mead and parabola.
"""

import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Complex, Float, Key

from benchmarks.studies.row03_conv_lstm import POINTS, Bench, features
from benchmarks.studies.shim_cases import HEADER, LONG, Method, cases, judge
from benchmarks.studies.shim_sequential import nelder_mead, parabola, specimen
from mrsjax.acquisition.shimming.sequential import infer
from mrsjax.core import Sample
from mrsjax.nn import FlaxNet, Training, train
from mrsjax.nn.encoders import dropout
from simulators.phantoms.spectrometer import Spectrometer

#: Settings of the four acquisitions, Hz.
PROBES = np.concatenate([np.zeros((1, 4)), np.eye(4)[:3]])
LINEAR = (0, 1, 2)
#: Kernel and stride of the learners' convolution, points.
PATCH = 8
#: Unseen by training: of the samples that the combiner is fitted on.
COMBINER_SEED, COMBINER_COUNT = 77, 2048


class Probed(eqx.Module):
    """Training samples: four FIDs (4, n) of a spectrometer with linear distortions, and the best setting of X, Y, Z."""

    bench: Bench

    def sample(self, key: Key[Array, ""]) -> Sample:
        """One spectrometer; the norm of the distortion is 0.8 to 2 Hz."""
        keys = jax.random.split(key, 4)
        direction = jax.random.uniform(keys[0], (3,), minval=-1.0, maxval=1.0)
        size = jax.random.uniform(keys[1], minval=0.8, maxval=2.0)
        wanted = size * direction / jnp.linalg.norm(direction)
        drawn = self.bench.spectrometer(jnp.append(wanted, 0.0), keys[3])
        fids = jax.vmap(drawn.acquire)(jnp.asarray(PROBES, jnp.float32), jax.random.split(keys[2], 4))
        return Sample(fids, {"wanted": wanted}, {})


class Learner(nnx.Module):
    """A weak learner: a convolution with stride and kernel of `PATCH` points over the four spectra, GELU, dropout, two dense layers."""

    def __init__(self, *, rngs: nnx.Rngs, channels: int = 24, width: int = 32):
        self.patches = nnx.Linear(
            PATCH * 8, channels, rngs=rngs
        )  # as a matrix product, which maps over learners and compiles fast
        self.dense = nnx.Linear(POINTS // PATCH * channels, width, rngs=rngs)
        self.last = nnx.Linear(width, 3, rngs=rngs)

    def __call__(self, x, *, key=None):
        x = nnx.gelu(self.patches(x.reshape(POINTS // PATCH, -1))).ravel()
        return self.last(nnx.gelu(self.dense(dropout(x, 0.1, key))))


class Ensemble(eqx.Module):
    """Weak learners of one shape, parameters stacked along a leading axis."""

    members: FlaxNet
    count: int = eqx.field(static=True)

    def __init__(self, count: int):
        made = [FlaxNet(Learner(rngs=nnx.Rngs(seed))) for seed in range(count)]
        self.members = jax.tree.map(lambda *x: jnp.stack(x), *made)
        self.count = count

    def __call__(self, fids: Complex[Array, "4 n"], key: Key[Array, ""] | None = None) -> Float[Array, "count 3"]:
        seen = jnp.moveaxis(jax.vmap(features)(fids), 0, 1).reshape(POINTS, 8)
        if key is None:
            return eqx.filter_vmap(lambda member: member(seen))(self.members)
        keys = jax.random.split(key, self.count)
        return eqx.filter_vmap(lambda member, k: member(seen, key=k))(self.members, keys)


def loss(ensemble: Ensemble, sample: Sample, key) -> Float[Array, ""]:
    """Mean squared error (Hz^2) over the learners, each with dropout of its own."""
    return jnp.mean((ensemble(sample.data, key) - sample.truth["wanted"]) ** 2)


def combiner(ensemble: Ensemble, simulator: Probed) -> Float[np.ndarray, "c 3"]:
    """Linear layer on the outputs of the frozen learners and a constant: ridge least squares on samples of another key stream."""
    keys = jax.random.split(jax.random.key(COMBINER_SEED), COMBINER_COUNT)

    @eqx.filter_jit
    def outputs(ensemble, simulator, keys):
        samples = jax.vmap(simulator.sample)(keys)
        return jax.vmap(ensemble)(samples.data), samples.truth["wanted"]

    found, wanted = (np.asarray(x, float) for x in outputs(ensemble, simulator, keys))
    rows = np.concatenate([found.reshape(len(found), -1), np.ones((len(found), 1))], axis=1)
    return np.linalg.solve(rows.T @ rows + 1e-2 * np.eye(rows.shape[1]), rows.T @ wanted)


def _probe(s: Spectrometer) -> np.ndarray:
    return np.stack([s.acquire(x) for x in PROBES])


def _corrected(s: Spectrometer, guess: np.ndarray, errors: list[float]) -> np.ndarray:
    """The one correction, acquired; the mean absolute error of the guess is noted."""
    setting = np.append(guess, 0.0)
    s.acquire(setting)
    best = -np.linalg.solve(s.mixing[:3, :3], s.distortion[:3])
    errors.append(float(np.abs(guess - best).mean()))
    return setting


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    simulator, began = Probed(Bench()), time.process_time()
    settings = Training(
        steps=steps, batch=64, learning_rate=2e-3, every=max(steps // 5, 1), validation=512, weight_decay=1e-4
    )
    done = train(
        Ensemble(20), simulator, loss, settings,
        report=lambda r, _: print(f"step {r.step}: loss {r.loss:.4f}, validation {r.validation:.4f}, {r.seconds:.0f} s", flush=True),
    )  # fmt: skip
    ensemble, layer = done.network, combiner(done.network, simulator)
    print(f"trained: {steps} steps of 64, {time.process_time() - began:.0f} s CPU\n{HEADER}")
    world = cases(100, seed=2, active=(1, 1, 1, 0))
    call = eqx.filter_jit(lambda e, f: e(f))
    errors: dict[str, list[float]] = {}

    def learned(name, combine) -> Method:
        return lambda s, _: _corrected(
            s,
            combine(np.asarray(call(ensemble, _probe(s).astype(np.complex64)), float)),
            errors.setdefault(name, []),
        )

    def inferred(s: Spectrometer, seed: int) -> np.ndarray:
        belief = infer(specimen(), _probe(s), PROBES, noise_sd=s.noise_sd, key=jax.random.key(seed))
        return _corrected(s, -np.asarray(belief.currents[0])[:3], errors.setdefault("inference through the model", []))

    methods = {
        "one learner (the first)": lambda x: x[0],
        "average of 20": lambda x: x.mean(axis=0),
        "linear layer on 20": lambda x: np.append(x.ravel(), 1.0) @ layer,
    }
    for name, combine in methods.items():
        judge(name, learned(name, combine), world)
    with jax.enable_x64(True):
        judge("inference through the model", inferred, world)
    for most in (5, LONG):
        judge(f"Nelder-Mead, at most {most}", lambda s, _, n=most: nelder_mead(s, n, LINEAR), world)
        judge(f"parabola, at most {most}", lambda s, _, n=most: parabola(s, n, LINEAR), world)
    print("mean absolute error of the setting (Hz):", {k: round(float(np.mean(v)), 3) for k, v in errors.items()})


if __name__ == "__main__":
    main()
