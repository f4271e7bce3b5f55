"""Training throughput beside the simulator alone, and spectra/s of encoding and refining.

`python -m benchmarks.speed.training`. Recipe R1 on 1024 points. Spectra for each second of CPU time, over all cores; the fastest of `LAPS` laps after the first call, since a
shared machine only makes slower.
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.studies.study import DRAWN, METABOLITES, draw, world
from mrsjax.inference import fit
from mrsjax.inference.batch import map_rows
from mrsjax.nn import Matched, NetworkSpec, Training, calibrate, train, weighted
from mrsjax.physics import default_model

BATCH, STEPS, LAPS = 128, 100, 5
PREDICTED = (
    "metabolites.shift",
    "metabolites.lorentz",
    "metabolites.gauss",
    "phase.phase_zero",
    "macromolecules.shift",
)
ENCODERS = {
    "MLP 504-256-128": {"name": "mlp"},
    "CNN 16-32-32, stride 3": {"name": "cnn"},
}


def training(here, spec, loss) -> tuple[float, int]:
    """Spectra for each second of CPU time after the first steps, and how often the loss was traced after them."""
    network = calibrate(spec, here.basis, here.sampling, here.simulator, count=64)
    data = Matched(here.simulator, network.model.names, spec.predicted)
    inner, traced, seen = weighted(loss), [], []

    def counted(*arguments):
        traced.append(1)
        return inner(*arguments)

    # one spectrum validates: next to nothing beside the steps that are timed
    settings = Training(steps=(1 + LAPS) * STEPS, batch=BATCH, validation=1, every=STEPS, warmup=5)
    train(network, data, counted, settings, report=lambda *_: seen.append((time.process_time(), len(traced))))
    times, traces = zip(*seen, strict=True)
    return STEPS * BATCH / float(np.diff(times).min()), traces[-1] - traces[0]


def fastest(call, count) -> float:
    """Spectra for each second of CPU time of a call that does `count`: laps of half a second or more."""
    jax.block_until_ready(call())  # compiles
    once = time.process_time()
    jax.block_until_ready(call())
    once = time.process_time() - once
    calls, laps = 1 + int(0.5 / max(once, 1e-4)), []
    for _ in range(LAPS):
        started = time.process_time()
        for _ in range(calls):
            jax.block_until_ready(call())
        laps.append((time.process_time() - started) / calls)
    return count / min(laps)


def trained(here):
    """The simulator alone, and training."""
    keys = jax.random.split(jax.random.key(0), 8 * BATCH)
    alone = eqx.filter_jit(lambda s, k: jax.lax.map(lambda x: jnp.sum(jnp.abs(s.sample(x).data)), k, batch_size=BATCH))
    simulated = fastest(lambda: alone(here.simulator, keys), len(keys))
    print(
        f"| what | spectra / s of CPU | share of the simulator alone | traced again |\n|---|---|---|---|\n| simulator alone | {simulated:.0f} | 1 | 0 |"
    )
    amplitudes = {"predicted": (), "amplitudes": "network", "model": METABOLITES}
    tasks = {
        "parameters": ({"predicted": PREDICTED, "model": DRAWN}, {"parameters": 1.0}),
        "20 amplitudes": (amplitudes, {"amplitudes": 1.0}),
    }
    for name, encoder in ENCODERS.items():
        for task, (options, loss) in tasks.items():
            rate, again = training(here, NetworkSpec(encoder=encoder, **options), loss)
            print(f"| training {name}, {task} | {rate:.0f} | {rate / simulated:.2f} | {again} |", flush=True)


def applied(here):
    """What a network does at use, and the fit."""
    fids = draw(here.simulator, 256).data
    for name, options in {"encode": {}, "encode, exact amplitudes": {"amplitudes": "projected"},
                          "encode, one step, exact amplitudes": {"amplitudes": "refined", "steps": 1}}.items():  # fmt: skip
        spec = NetworkSpec(predicted=PREDICTED, model=DRAWN, **options)
        network = calibrate(spec, here.basis, here.sampling, here.simulator, count=64)
        apply = eqx.filter_jit(
            lambda n, x, o=options: jax.vmap(lambda f: n(f).amplitudes if o else n.encode(f).vector)(x)
        )
        data = np.asarray(fids, np.complex64)
        # what solves for amplitudes works slot by slot, as the fit does
        whole = (lambda n, f, d: map_rows(lambda x: f(n, x), d)) if options else (lambda n, f, d: f(n, d))
        rate = fastest(lambda n=network, f=apply, d=data, w=whole: w(n, f, d), len(fids))
        print(f"| {name} (single precision) | {rate:.0f} | - | - |", flush=True)
    model = default_model(here.basis, here.sampling, **DRAWN)
    rate = fastest(lambda: fit(model, np.asarray(fids, complex)), len(fids))
    print(f"| fit from a cold start, with Cramer-Rao bounds (double precision) | {rate:.0f} | - | - |")


def main():
    jax.config.update("jax_enable_x64", True)
    here = world()
    trained(here)
    applied(here)


if __name__ == "__main__":
    main()
