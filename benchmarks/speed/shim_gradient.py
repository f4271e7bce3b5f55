"""Cost of a gradient through the signal against central differences, for 8 and 15 channels: `python -m benchmarks.speed.shim_gradient`.

CPU time of one gradient over that of one value, and over that of 2 k values, on the frontal voxel of the simulated head with 512 points.
"""

import time
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.acquisition.shimming import Cuboid, Harmonics, InversePeak, MeanSquare, crlb, region, typical_model
from mrsjax.data import default_basis
from simulators.phantoms.head_field import head_field


def cpu(call, repeats: int) -> float:
    """CPU seconds a call, after one to compile."""
    jax.block_until_ready(call())
    began = time.process_time()
    for _ in range(repeats):
        jax.block_until_ready(call())
    return (time.process_time() - began) / repeats


def main():
    jax.config.update("jax_enable_x64", True)
    head = head_field(spacing=5.0)
    model, amplitudes = typical_model(default_basis())
    objectives = {
        "mean square": (MeanSquare(), 200),
        "inverse peak": (InversePeak(), 50),
        "CRLB": (crlb(model, amplitudes, ("GABA", "GSH", "Gln", "Glu")), 5),
    }
    print(
        "| objective | channels | gradient / value | gradient / central differences | largest relative difference |\n|---|---|---|---|---|"
    )
    for order, channels in ((2, 8), (3, 15)):
        coils = Harmonics(order)
        r = region(head, Cuboid((0.0, 50.0, 10.0), 20.0), coils, points=8)
        scale = 1.0 / jnp.sqrt(r.weight @ r.maps**2)
        at = jnp.asarray(np.random.default_rng(0).normal(size=len(coils.names))) * scale
        for name, (objective, repeats) in objectives.items():
            value = eqx.filter_jit(lambda c, o=objective, r=r: o(r, c))
            gradient = eqx.filter_jit(jax.grad(lambda c, o=objective, r=r: o(r, c)))
            one, all_ = cpu(partial(value, at), repeats), cpu(partial(gradient, at), repeats)
            steps = 1e-3 * np.diag(np.asarray(scale))[1:]
            central = np.array([float(value(at + s) - value(at - s)) / 2e-3 for s in steps])
            exact = np.asarray(gradient(at) * scale)[1:]
            error = np.abs(central - exact).max() / np.abs(exact).max()
            print(
                f"| {name} | {channels} | {all_ / one:.1f} | {all_ / (2 * channels * one):.2f} | {error:.1e} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
