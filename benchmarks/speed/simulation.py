"""Speed of artificial data: `python -m benchmarks.speed.simulation [--recipe r1] [--batch 256] [--devices 2] [--write 65536]`.

Spectra per second of CPU time of a recipe, `together` (64) spectra of the batch at a time as `mrsjax simulate` makes them, and all at once, beside two rooflines measured in the same run, on the same batch: one FFT of each spectrum, and writing the data once
(memory bandwidth). Then what the parts cost: the same recipe without noise, without artefacts, without both; and noise alone beside `jax.random.normal`. The rates are those
of one device in CPU time (pin the process with taskset to say on how many cores); best and medians of rounds that take turns, so that a busy machine slows all alike.
`--devices`: so many host devices draw, each a batch, and do the rooflines; `blocks` hands its blocks to all in turn. `--write`: spectra of a set in files, end to end with their checksums.
For these the wall clock counts: their work is on several threads.
"""

import argparse
import tempfile
import time
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from mrsjax.core import memory
from simulators.artefacts import complex_normal
from simulators.datasets import blocks, recipe, write
from simulators.datasets.blocks import OPTIONS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="r1")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--write", type=int, default=0)
    parser.add_argument(
        "--hand-back",
        action="store_true",
        help="freed memory goes back to the system, as where mrsjax.core.memory.keep was not called",
    )
    args = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", args.devices)
    if not args.hand_back:
        memory.keep()
    mesh, across = jax.make_mesh((args.devices,), ("device",)), PartitionSpec("device")

    def compiled(function, *first):
        """Each device works on its own part of the last argument; the others are the same on all."""
        specs = (*(PartitionSpec() for _ in first), across)
        shared = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=across, check_vma=False)
        return partial(jax.jit(shared, compiler_options=OPTIONS), *first)

    made = recipe(args.recipe)
    simulator = made.spectra
    n, count = simulator.model.sampling.n_points, args.batch * args.devices
    place = partial(jax.device_put, device=NamedSharding(mesh, across))
    keys = place(jax.random.split(jax.random.key(0), count))

    def without(*fields: str):
        where = lambda s: [getattr(s, f) for f in fields]  # noqa: E731
        empty = [None if f == "snr" else () for f in fields]
        return eqx.tree_at(where, simulator, empty, is_leaf=lambda x: x is None)

    def drawing(made, together: int = simulator.together):
        """A jitted draw, as in a training step: the simulator's arrays are arguments that are already flat."""
        arrays, static = eqx.partition(made, eqx.is_array)
        leaves, tree = jax.tree.flatten(arrays)

        def draw(leaves, keys):
            source = eqx.combine(jax.tree.unflatten(tree, leaves), static)

            def one(key):
                sample = source.sample(key)
                return sample.data, sample.truth["amplitudes"], sample.truth["values"]

            return jax.lax.map(one, keys, batch_size=together)

        # on every device before the clock runs: what a call has to bring there is no drawing
        drawn = compiled(draw, jax.device_put(leaves, NamedSharding(mesh, PartitionSpec())))
        return lambda: drawn(keys)

    data = place(jax.random.normal(jax.random.key(1), (count, n)).astype(jnp.complex64))
    fft, copy = compiled(jnp.fft.fft), compiled(lambda x: x + 1)
    quiet = compiled(lambda keys: jax.lax.map(lambda k: complex_normal(k, n), keys, batch_size=simulator.together))
    plain = compiled(jax.vmap(lambda k: jax.random.normal(k, (2, n), jnp.float32)))
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
    wall: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        jax.block_until_ready(task())
    for _ in range(args.rounds):
        for name, task in tasks.items():
            start, clock = time.process_time(), time.perf_counter()
            jax.block_until_ready(task())
            taken[name].append(time.process_time() - start)
            wall[name].append(time.perf_counter() - clock)
    device = jax.devices()[0]
    print(
        f"{args.devices} x {device.platform} {device.device_kind}, batch {args.batch} each, {n} points, {args.rounds} rounds"
    )
    if args.devices > 1:  # what counts then is when the last is ready
        taken = wall
    best = {name: min(t) / count for name, t in taken.items()}
    roof = best["FFT of each spectrum"]
    both = roof + best["data read and written once"]
    print(f"one FFT and one copy: {1e6 * both:.1f} us; {args.recipe} at {both / best[args.recipe]:.2f} of their rate")
    print(f"{'':30} {'spectra/s':>10} {'median':>10} {'us':>7} {'of FFT rate':>12} {'wall us':>8}")
    for name, t in taken.items():
        print(
            f"{name:30} {1 / best[name]:10.0f} {count / np.median(t):10.0f} {1e6 * best[name]:7.1f} {roof / best[name]:12.2f} {1e6 * min(wall[name]) / count:8.1f}"
        )

    def once(title: str, count: int, work) -> None:
        start, clock = time.process_time(), time.perf_counter()
        work()
        cpu, real = time.process_time() - start, time.perf_counter() - clock
        print(f"{title}: {count / real:.0f} spectra/s by the clock, {1e6 * cpu / count:.1f} us of CPU time a spectrum")

    count = 16 * simulator.block
    for _ in range(3):  # the first compiles
        once(f"blocks to the host, {args.devices} devices", count, lambda: list(blocks(simulator, 0, 0, count)))
    if args.write:
        with tempfile.TemporaryDirectory() as folder:
            once(f"files, {args.devices} devices", args.write, lambda: write(made, args.write, f"{folder}/set"))


if __name__ == "__main__":
    main()
