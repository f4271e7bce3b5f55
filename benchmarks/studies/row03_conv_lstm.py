"""Becker 2022b (row 3): a ConvLSTM shims X, Y, Z, Z2 from a growing sequence of spectra, on the cases of `shim_sequential`.

`python -m benchmarks.studies.row03_conv_lstm [STEPS]`. As published: acquisitions at random settings first (here one at 0 and three random), then the network's
setting from all spectra so far, at most 10 acquisitions, Huber loss. Reduced: 96 points in place of 2048, an LSTM of 128 in place of two of 1024, minutes
of one CPU core. Trained on simulations inside the step; the test spectrometers have a finer tube and are drawn otherwise (`shim_cases`).
"""

import sys
import time

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

    def acquire(
        self, wanted: Float[Array, " 4"], settings: Float[Array, "m 4"], key: Key[Array, ""]
    ) -> Complex[Array, "m n"]:
        """FIDs at settings of one spectrometer whose best setting is `wanted`; gains, leakage between channels and other fields are drawn."""
        keys = jax.random.split(key, 5)
        mixing = jnp.eye(4) + 0.05 * jax.random.normal(keys[0], (4, 4))
        other = 0.05 / np.sqrt(5) * self.rest @ jax.random.normal(keys[1], (5,))
        fields = ((settings - wanted) @ mixing.T) @ self.maps.T + other
        clean = jax.vmap(lambda f: histogram_sum(f, self.weight, SAMPLING))(fields)
        time_, m = SAMPLING.time, len(settings)
        turn = jax.random.uniform(keys[2], (m, 1)) + 0.5 * jax.random.normal(keys[3], (m, 1)) * time_
        noise = self.noise_sd * jax.random.normal(keys[4], (m, 2, len(time_)))
        return clean * jnp.exp(-0.5 * jnp.pi * time_) * cis(2 * jnp.pi * turn) + lax.complex(noise[:, 0], noise[:, 1])


class Sequences(eqx.Module):
    """Training sequences: a distorted spectrometer acquired at 0, at random settings, and then about its best setting with errors of all sizes, as a network
    that is used step by step would meet it.
    """

    bench: Bench

    def sample(self, key: Key[Array, ""]) -> Sample:
        """Data (10, n) FIDs; truth: settings (10, 4) and the best setting (4,)."""
        keys = jax.random.split(key, 6)
        # most distortions of 4 Hz have a norm of 1.2 to 2.5, some of 6: Z and Z2 that partly undo each other
        size = 1.2 * jnp.exp(1.5 * jax.random.uniform(keys[0]) ** 2)
        direction = jax.random.uniform(keys[1], (4,), minval=-1.0, maxval=1.0)
        wanted = size * direction / jnp.linalg.norm(direction)
        errors = jnp.exp(jax.random.uniform(keys[2], (MOST, 1), minval=np.log(0.05), maxval=np.log(1.0)))
        settings = wanted + errors * jax.random.normal(keys[3], (MOST, 4))
        settings = settings.at[1 : 1 + RANDOM].set(random_settings(keys[4])).at[0].set(0.0)
        fids = self.bench.acquire(wanted, settings, keys[5])
        return Sample(fids, {"settings": settings, "wanted": wanted}, {})


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
    """Strided convolutions on each spectrum, their output and the setting into an LSTM; the best setting after each acquisition, as a step from the one at
    which it was made. Input (m, 2 n + 4): features and settings.
    """

    def __init__(self, *, width: int = 128, rngs: nnx.Rngs):
        self.encoder = CNN((POINTS, 2), width, rngs=rngs, channels=(16, 24, 24), kernel=9, stride=2, widths=(width,))
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.cell = nnx.LSTMCell(width + 4, width, rngs=rngs)
        self.after = nnx.LayerNorm(width, rngs=rngs)
        self.last = nnx.Linear(width, 4, rngs=rngs)
        self.width = width

    def __call__(self, x):
        settings = x[:, 2 * POINTS :]
        seen = jax.vmap(lambda f: self.norm(self.encoder(f.reshape(POINTS, 2))))(x[:, : 2 * POINTS])
        rows = jnp.concatenate([nnx.gelu(seen), settings], axis=1)
        state = (jnp.zeros(self.width), jnp.zeros(self.width))
        _, out = lax.scan(self.cell, state, rows)
        return settings + jax.vmap(lambda h: self.last(self.after(h)))(out)


def guesses(network: FlaxNet, fids: Complex[Array, "m n"], settings: Float[Array, "m 4"]) -> Float[Array, "m 4"]:
    """The best setting after each of the acquisitions."""
    return network(jnp.concatenate([jax.vmap(features)(fids).reshape(len(fids), -1), settings], axis=1))


def loss(network: FlaxNet, sample: Sample, key) -> Float[Array, ""]:
    """Huber loss (Hz) of the settings after the fourth to the last acquisition."""
    found = guesses(network, sample.data, sample.truth["settings"])[RANDOM:]
    return jnp.mean(optax.huber_loss(found, sample.truth["wanted"], delta=0.3))


def method(network: FlaxNet) -> Method:
    """Shims one spectrometer."""
    call = eqx.filter_jit(guesses)

    def shimmed(s: Spectrometer, seed: int) -> np.ndarray:
        fids, settings = np.zeros((MOST, POINTS), np.complex64), np.zeros((MOST, 4), np.float32)
        settings[1 : 1 + RANDOM] = random_settings(jax.random.key(seed))
        for m in range(MOST):
            if m > RANDOM:
                settings[m] = call(network, fids, settings)[m - 1]
            fid = s.acquire(settings[m])
            fids[m] = fid
            if narrow(fid):
                break
        return settings[m]

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
        FlaxNet(ConvLSTM(rngs=nnx.Rngs(0))), Sequences(Bench()), loss, settings_of(steps),
        report=lambda r, _: print(f"step {r.step}: loss {r.loss:.4f}, validation {r.validation:.4f}, {r.seconds:.0f} s", flush=True),
    )  # fmt: skip
    print(
        f"trained: {steps} steps of 32 sequences, {time.process_time() - began:.0f} s CPU, best step {done.best_step}\n{HEADER}"
    )
    rows = judge("ConvLSTM, at most 10", method(done.network), cases(100))
    print("failures (case, FWHM):", [(i, round(r.fwhm, 2)) for i, r in enumerate(rows) if not r.success])


if __name__ == "__main__":
    main()
