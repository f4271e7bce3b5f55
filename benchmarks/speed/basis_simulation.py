"""How long a basis set takes, and how far it is from the exact path.

    nice python benchmarks/speed/basis_simulation.py [gradient] [basis] [grid] [cosy]

PRESS at 3 T, 100-sample SLR refocusing pulses of 5 ms, 32 + 32 positions (1-D projections), 2048 points, one thread.
Times are CPU seconds (time.process_time) after a first call; the first call, with compilation, is given beside them.
"exact" is the full Hamiltonian of every sample at every position (simulators.spins.exact), the same in all else.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1 " + os.environ.get(
    "XLA_FLAGS", ""
)

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

from mrsjax.core import Sampling  # noqa: E402
from simulators import spins  # noqa: E402
from simulators.spins import presets  # noqa: E402
from simulators.spins.default_basis import NAMES  # noqa: E402
from simulators.spins.series import simulate_series  # noqa: E402

SAMPLING = Sampling(5e-4, 123.25e6, 2048)


def clock(call, repeats=3):
    """(value, CPU seconds of the first call, best CPU seconds of the next calls)."""
    start = time.process_time()
    value = jax.block_until_ready(call())
    first = time.process_time() - start
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        value = jax.block_until_ready(call())
        best = min(best, time.process_time() - start)
    return value, first, best


def relative(a, b) -> float:
    """|a - b| / |b|."""
    return float(jnp.linalg.norm(a - b) / jnp.linalg.norm(b))


def value_and_gradient() -> None:
    """Glu and GABA: value, gradient, error of each accuracy against the exact path."""
    sequence = presets.press(0.03, 0.012)
    for name in ("Glu", "GABA"):
        systems = [spins.metabolite(name)]
        exact, _, exact_time = clock(lambda s=systems: spins.signals(s, sequence, SAMPLING, accuracy=spins.EXACT), 1)
        print(f"{name}: exact path {exact_time:.3f} s")
        for label, accuracy in (("fast", spins.FAST), ("standard", spins.STANDARD), ("fine", spins.FINE)):

            def call(s=systems, a=accuracy):
                return spins.signals(s, sequence, SAMPLING, accuracy=a)

            x, first, best = clock(call)
            print(f"{name}: {label:8s} {best:.4f} s (first call {first:.1f} s), error {relative(x, exact):.1e}, "
                  f"exact/fast {exact_time / best:.0f}")  # fmt: skip

        target = jnp.asarray(np.random.default_rng(0).normal(size=(1, 2048)))
        fixed = with_nodes(sequence)
        positions = spins.default_positions(sequence, SAMPLING, 32)

        @eqx.filter_jit
        def loss(parameters, s=systems, fixed=fixed, positions=positions, target=target):
            system, sequence, b1, offset = parameters
            x = spins.signals([system], sequence, SAMPLING, positions=positions, b1_scale=b1, b0_offset=offset)
            return jnp.sum((x * target).real)

        parameters = (systems[0], fixed, jnp.asarray(1.0), jnp.asarray(0.0))
        _, _, value_time = clock(lambda p=parameters, f=loss: f(p))
        gradient = eqx.filter_jit(eqx.filter_grad(loss))
        g, first, best = clock(lambda p=parameters, f=gradient: f(p))
        finite = all(bool(jnp.isfinite(x).all()) for x in jax.tree.leaves(g))
        print(f"{name}: gradient by shifts, J, all amplitudes and phases, gradients, delays, B1, B0: {best:.4f} s "
              f"(first call {first:.1f} s) = {best / value_time:.1f} x the value ({value_time:.4f} s); "
              f"finite: {finite}")  # fmt: skip


def with_nodes(sequence: spins.Sequence) -> spins.Sequence:
    """The sequence with the number of nodes of each pulse written down, for use under a trace."""
    events = tuple(
        dataclasses.replace(e, nodes=spins.STANDARD.nodes(float(e.waveform.duration), float(e.waveform.amplitude.max()),
                                                         123.25e6))
        if isinstance(e, spins.ShapedPulse) else e
        for e in sequence.events
    )  # fmt: skip
    return dataclasses.replace(sequence, events=events)


def whole_basis() -> None:
    """Twenty metabolites and all packaged ones."""
    sequence = presets.press(0.03, 0.012)
    for label, names in (("20 metabolites", NAMES), ("all packaged", None)):
        systems = spins.metabolites(names)
        double, first, best = clock(lambda s=systems: spins.signals(s, sequence, SAMPLING), 2)
        print(f"{label} ({len(systems)}), complex128: {best:.2f} s, first call with compilation {first:.1f} s")
        single, first, best = clock(lambda s=systems: spins.signals(s, sequence, SAMPLING, single=True), 2)
        print(f"{label} ({len(systems)}), complex64:  {best:.2f} s, first call with compilation {first:.1f} s, "
              f"error against complex128 {relative(single, double):.1e}")  # fmt: skip


def full_grid() -> None:
    """16 x 16 x 16 positions kept open to the end, against three 1-D projections."""
    sequence = presets.press(0.03, 0.012, selective_excitation=True)
    for name in ("Lac", "Glu"):
        systems = [spins.metabolite(name)]
        flat, _, projected = clock(lambda s=systems: spins.signals(s, sequence, SAMPLING, positions=16), 2)
        full, first, best = clock(
            lambda s=systems: spins.signals(s, sequence, SAMPLING, positions=16, full_grid=True), 1
        )
        print(f"{name}: 16x16x16 grid {best:.2f} s (first {first:.1f} s), 1-D projections {projected:.3f} s, "
              f"difference {relative(flat, full):.1e}")  # fmt: skip


def cosy() -> None:
    """L-COSY with 128 t1 points."""
    t1 = jnp.arange(128) * 8e-4
    sampling = Sampling(5e-4, 123.25e6, 1024)
    for label, build in (("ideal", spins.l_cosy), ("shaped", presets.l_cosy)):
        for name in ("Glu", "GABA"):

            def call(n=name, b=build):
                return simulate_series([spins.metabolite(n)], lambda t: b(0.03, t), t1, sampling, positions=32)

            _, first, best = clock(call, 1)
            print(f"{name}: L-COSY {label}, 128 t1 points x 1024: {best:.2f} s (first {first:.1f} s)")


if __name__ == "__main__":
    print(f"jax {jax.__version__}, numpy {np.__version__}, one CPU thread")
    parts = {"gradient": value_and_gradient, "basis": whole_basis, "grid": full_grid, "cosy": cosy}
    for part in sys.argv[1:] or parts:
        parts[part]()
