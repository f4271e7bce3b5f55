"""Speed of artificial data: `python -m benchmarks.speed.simulation [--recipe r1] [--batch 256]`.

Spectra per second of CPU time of a recipe, `together` (32) spectra of the batch at a time as `mrsjax simulate` makes them, and all at once, beside two rooflines measured in the same run, on the same batch: one FFT of each spectrum, and writing the data once
(memory bandwidth). Then what the parts cost: the same recipe without noise, without artefacts, without both; and noise alone beside `jax.random.normal`. The rates are those
of the devices in use (pin the process with taskset to say on how many cores); best and medians of rounds that take turns, so that a busy machine slows all alike.
"""

import argparse
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from simulators.artefacts import complex_normal
from simulators.datasets import recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="r1")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    simulator = recipe(args.recipe).spectra
    n = simulator.model.sampling.n_points
    keys = jax.random.split(jax.random.key(0), args.batch)

    def without(*fields: str):
        where = lambda s: [getattr(s, f) for f in fields]  # noqa: E731
        empty = [None if f == "snr" else () for f in fields]
        return eqx.tree_at(where, simulator, empty, is_leaf=lambda x: x is None)

    def drawing(made, together: int = simulator.together):
        """A jitted draw, as in a training step: the simulator's arrays are arguments that are already flat."""
        arrays, static = eqx.partition(made, eqx.is_array)
        leaves, tree = jax.tree.flatten(arrays)

        @jax.jit
        def draw(leaves, keys):
            source = eqx.combine(jax.tree.unflatten(tree, leaves), static)

            def one(key):
                sample = source.sample(key)
                return sample.data, sample.truth["amplitudes"], sample.truth["values"]

            return jax.lax.map(one, keys, batch_size=together)

        return lambda: draw(leaves, keys)

    data = jax.random.normal(keys[0], (args.batch, n)).astype(jnp.complex64)
    fft, copy = jax.jit(jnp.fft.fft), jax.jit(lambda x: x + 1)
    quiet = jax.jit(lambda keys: jax.lax.map(lambda k: complex_normal(k, n), keys, batch_size=simulator.together))
    plain = jax.jit(jax.vmap(lambda k: jax.random.normal(k, (2, n), jnp.float32)))
    tasks = {
        "FFT of each spectrum": lambda: fft(data),
        "data read and written once": lambda: copy(data),
        args.recipe: drawing(simulator),
        f"{args.recipe}, the batch at once": drawing(simulator, args.batch),
        f"{args.recipe} without noise": drawing(without("snr")),
        f"{args.recipe} without artefacts": drawing(without("artefacts")),
        f"{args.recipe}, signal alone": drawing(without("snr", "artefacts")),
        "noise alone": lambda: quiet(keys),
        "jax.random.normal alone": lambda: plain(keys),
    }
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        jax.block_until_ready(task())
    for _ in range(args.rounds):
        for name, task in tasks.items():
            start = time.process_time()
            jax.block_until_ready(task())
            taken[name].append(time.process_time() - start)
    device = jax.devices()[0]
    print(f"{device.platform} {device.device_kind}, batch {args.batch}, {n} points, {args.rounds} rounds")
    best = {name: min(t) / args.batch for name, t in taken.items()}
    roof = best["FFT of each spectrum"]
    print(f"{'':30} {'spectra/s':>10} {'median':>10} {'us':>7} {'of FFT rate':>12}")
    for name, t in taken.items():
        print(
            f"{name:30} {1 / best[name]:10.0f} {args.batch / np.median(t):10.0f} {1e6 * best[name]:7.1f} {roof / best[name]:12.2f}"
        )


if __name__ == "__main__":
    main()
