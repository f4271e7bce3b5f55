"""Becker 2022b (row 3): a ConvLSTM shims X, Y, Z, Z2 from a growing sequence of spectra, on the cases of `shim_sequential`.

`python -m benchmarks.studies.row03_conv_lstm [STEPS]`. As published: acquisitions at random settings first (here one at 0 and three random), then the network's
setting from all spectra so far, at most 10 acquisitions, Huber loss. Reduced: 96 points in place of 2048, an LSTM of 128 in place of two of 1024, minutes
of one CPU core. Trained on simulations inside the step; the test spectrometers have a finer tube and are drawn otherwise (`shim_cases`).
"""

import sys
import time
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import lax
from jaxtyping import Array, Complex, Float, Key

from benchmarks.studies.shim_cases import HEADER, MOST, SAMPLING, Method, cases, judge, narrow
from mrsjax.core import Sample
from mrsjax.core.fourier import cis
from mrsjax.nn import FlaxNet, Training, train
from mrsjax.nn.encoders import CNN
from mrsjax.physics import histogram_sum
from simulators.phantoms.spectrometer import Spectrometer, channels, tube

RANDOM = 3  # acquisitions at random settings after the first at 0
POINTS = 96


class Bench(eqx.Module):
    """`Spectrometer` in JAX, on a coarser tube: `weight` (r,), `maps` (r, 4) of the channels, `rest` (r, 5) of the fields that no channel reaches."""

    weight: Float[Array, " r"]
    maps: Float[Array, "r 4"]
    rest: Float[Array, "r 5"]
    noise_sd: Float[Array, ""]

    def __init__(self):
        place, weight = tube(4, 8, 12)
        self.weight = jnp.asarray(weight)
        self.maps = jnp.asarray(channels(Spectrometer.names, place, weight))
        self.rest = jnp.asarray(channels(("ZX", "ZY", "X2-Y2", "XY", "Z3"), place, weight))
        self.noise_sd = jnp.asarray(Spectrometer(np.zeros(4), sampling=SAMPLING, seed=0).noise_sd)

    def spectrometer(self, wanted: Float[Array, " 4"], key: Key[Array, ""]) -> "Drawn":
        """One whose best setting is `wanted`; gains, leakage between channels and other fields are drawn."""
        first, second = jax.random.split(key)
        mixing = jnp.eye(4) + 0.05 * jax.random.normal(first, (4, 4))
        return Drawn(self, wanted, mixing, 0.05 / np.sqrt(5) * self.rest @ jax.random.normal(second, (5,)))


class Drawn(NamedTuple):
    """One spectrometer of a `Bench`: best setting (4,), gains and leakage (4, 4), fields (r,) that no channel reaches."""

    bench: Bench
    wanted: Float[Array, " 4"]
    mixing: Float[Array, "4 4"]
    other: Float[Array, " r"]

    def acquire(self, setting: Float[Array, " 4"], key: Key[Array, ""]) -> Complex[Array, " n"]:
        """A noisy FID at a setting, with an unknown phase and frequency."""
        keys, time_ = jax.random.split(key, 3), SAMPLING.time
        field = self.bench.maps @ (self.mixing @ (setting - self.wanted)) + self.other
        clean = histogram_sum(field, self.bench.weight, SAMPLING) * jnp.exp(-0.5 * jnp.pi * time_)
        turn = jax.random.uniform(keys[0]) + 0.5 * jax.random.normal(keys[1]) * time_
        noise = self.bench.noise_sd * jax.random.normal(keys[2], (2, len(time_)))
        return clean * cis(2 * jnp.pi * turn) + lax.complex(noise[0], noise[1])


class Distorted(eqx.Module):
    """Training: spectrometers with random distortions; what is acquired of them depends on the network (`loss`)."""

    bench: Bench

    def sample(self, key: Key[Array, ""]) -> Sample:
        """Data: a FID at setting 0; truth: the spectrometer, and the key of its acquisitions."""
        keys = jax.random.split(key, 5)
        # most distortions of 4 Hz have a norm of 1.2 to 2.5, some of 6: Z and Z2 that partly undo each other
        size = 1.2 * jnp.exp(1.5 * jax.random.uniform(keys[0]) ** 2)
        direction = jax.random.uniform(keys[1], (4,), minval=-1.0, maxval=1.0)
        drawn = self.bench.spectrometer(size * direction / jnp.linalg.norm(direction), keys[2])
        return Sample(drawn.acquire(jnp.zeros(4), keys[3]), {"spectrometer": drawn, "key": keys[4]}, {})


def random_settings(key: Key[Array, ""]) -> Float[Array, "3 4"]:
    """The random settings at the beginning of a sequence."""
    return jax.random.uniform(key, (RANDOM, 4), minval=-1.0, maxval=1.0)


def features(fid: Complex[Array, " n"]) -> Float[Array, "n 2"]:
    """What the network sees of a FID: its magnitude, free of phase and frequency, and its real spectrum, phased by the first points and rolled to its maximum."""
    n = fid.shape[0]
    first = jnp.sum(fid[:3])
    flat = fid * jnp.conj(first) / jnp.abs(first)
    spectrum = jnp.fft.fft(flat.at[0].multiply(0.5), 2 * n).real
    rolled = jnp.roll(spectrum, n // 2 - jnp.argmax(spectrum))[:n]
    return jnp.stack([jnp.abs(fid), 0.1 * rolled], axis=-1)


class ConvLSTM(nnx.Module):
    """Strided convolutions on a spectrum, their output and the setting into an LSTM; a step from the setting to the best one.

    Input (2 n + 4,): features and setting; `state` (2 width,): of the LSTM. Returns the step (4,) and the new state in one vector.
    """

    def __init__(self, *, width: int = 128, rngs: nnx.Rngs):
        self.encoder = CNN((POINTS, 2), width, rngs=rngs, channels=(16, 24, 24), kernel=9, stride=2, widths=(width,))
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.cell = nnx.LSTMCell(width + 4, width, rngs=rngs)
        self.after = nnx.LayerNorm(width, rngs=rngs)
        self.last = nnx.Linear(width, 4, rngs=rngs)

    def __call__(self, x, *, state):
        seen = nnx.gelu(self.norm(self.encoder(x[: 2 * POINTS].reshape(POINTS, 2))))
        memory, last = jnp.split(state, 2)
        state, out = self.cell((memory, last), jnp.concatenate([seen, x[2 * POINTS :]]))
        return jnp.concatenate([self.last(self.after(out)), *state])


def guess(
    network: FlaxNet, fid: Complex[Array, " n"], setting: Float[Array, " 4"], state: Float[Array, " s"]
) -> tuple[Float[Array, " 4"], Float[Array, " s"]]:
    """The best setting by all spectra so far, and the new state."""
    out = network(jnp.concatenate([features(fid).ravel(), setting]), state=state)
    return setting + out[:4], out[4:]


def loss(network: FlaxNet, sample: Sample, key, *, width: int = 128) -> Float[Array, ""]:
    """Huber loss (Hz) of the settings after the fourth to the last acquisition, each made where the network itself asked for it.

    Settings drawn about the best one instead would give it away: their mean alone says it, and such a network fails when it is on its own.
    """
    drawn, root = sample.truth["spectrometer"], sample.truth["key"]
    first = jnp.concatenate([jnp.zeros((1, 4)), random_settings(root)])

    def acquired(carry, m):
        state, asked = carry
        setting = jnp.where(m <= RANDOM, first[jnp.minimum(m, RANDOM)], lax.stop_gradient(asked))
        found, state = guess(network, drawn.acquire(setting, jax.random.fold_in(root, m)), setting, state)
        return (state, found), found

    _, found = lax.scan(acquired, (jnp.zeros(2 * width), jnp.zeros(4)), jnp.arange(MOST))
    return jnp.mean(optax.huber_loss(found[RANDOM:], drawn.wanted, delta=0.3))


def method(network: FlaxNet, width: int = 128) -> Method:
    """Shims one spectrometer."""
    call = eqx.filter_jit(guess)

    def shimmed(s: Spectrometer, seed: int) -> np.ndarray:
        first = np.concatenate([np.zeros((1, 4)), random_settings(jax.random.key(seed))]).astype(np.float32)
        asked, state = jnp.zeros(4), jnp.zeros(2 * width)
        for m in range(MOST):
            setting = first[m] if m <= RANDOM else np.asarray(asked)
            fid = s.acquire(setting)
            if narrow(fid):
                break
            asked, state = call(network, jnp.asarray(fid, jnp.complex64), jnp.asarray(setting), state)
        return setting

    return shimmed


def settings_of(steps: int) -> Training:
    """Settings of the training."""
    return Training(
        steps=steps, batch=32, learning_rate=2e-3, every=max(steps // 10, 1), validation=256, weight_decay=1e-4
    )


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    began = time.process_time()
    done = train(
        FlaxNet(ConvLSTM(rngs=nnx.Rngs(0))), Distorted(Bench()), loss, settings_of(steps),
        report=lambda r, _: print(f"step {r.step}: loss {r.loss:.4f}, validation {r.validation:.4f}, {r.seconds:.0f} s", flush=True),
    )  # fmt: skip
    print(
        f"trained: {steps} steps of 32 sequences, {time.process_time() - began:.0f} s CPU, best step {done.best_step}\n{HEADER}"
    )
    rows = judge("ConvLSTM, at most 10", method(done.network), cases(100))
    print("failures (FWHM):", sorted(round(r.fwhm, 2) for r in rows if not r.success))


if __name__ == "__main__":
    main()
