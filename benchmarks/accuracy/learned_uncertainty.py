"""Are learned uncertainties calibrated? Variance head, Monte Carlo dropout, ensemble, flow and re-weighted flow on the same test spectra.

`python -m benchmarks.accuracy.learned_uncertainty [--steps N --count N]`. World: the packaged basis on 512 points, 20 metabolites, no macromolecules, no
baseline, SNR 20 to 100; the networks give shift, Lorentz width and phase, and the Gaussian width is the model's start value, in the data too. Coverage over 20 levels, ranks (Talts 2018), and the flow's effective number of draws
as an alarm beside the distance of `nn.familiarity`.
"""

import argparse
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.analysis.calibration import LEVELS, coverage, gaussian_ranks, ranks, roc, uniformity
from mrsjax.data import default_basis
from mrsjax.nn import Matched, NetworkSpec, Training, calibrate, distances, familiarity, train, weighted
from mrsjax.nn.flows import NeuralPosterior, negative_log_density, sample
from mrsjax.nn.spread import Ensemble, each, of_dropout, of_ensemble
from simulators.datasets.scenarios import scenarios

RECIPE = """
name: plain
summary: twenty metabolites alone on a short grid
sampling: {points: 512, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
amplitudes: {table: shamaei2023}
parameters:
  phase: {phase_zero_deg: {uniform: [-23, 23]}}
  metabolites: {shift_hz: {uniform: [-4, 4]}, lorentz_hz: {uniform: [1, 6]}}
snr: {log_uniform: [20, 100]}
"""
MODEL = {
    "lineshape": "voigt", "macromolecules": "off", "baseline": None, "own_shift": 0.0, "own_width": 0.0, "water_tails": 0, "creatine_ch2": 0.0,
}  # fmt: skip
PREDICTED = ("metabolites.shift", "metabolites.lorentz", "phase.phase_zero")
#: Ranges of the recipe, SI units: the prior of the weights.
LOW, HIGH = np.array([-4.0, 1.0, -23 * np.pi / 180]), np.array([4.0, 6.0, 23 * np.pi / 180])
UNLIKE = (
    "line width x2",
    "shift x4",
    "phase +-2 rad",
    "residual water",
    "spurious lines",
    "random-walk baseline",
    "all amounts x0 to x1.5",
)
DRAWS = 200


def log_prior(vector):
    """Uniform in the recipe's ranges."""
    inside = (vector >= jnp.asarray(LOW, vector.dtype)) & (vector <= jnp.asarray(HIGH, vector.dtype))
    return jnp.where(jnp.all(inside), 0.0, -jnp.inf)


def line(name, found, truth, mean, spread, cpu):
    """A row: coverage's largest deviation over 20 levels, at 90 %, rank test of the posteriors that exist and how many do not, error in units of the training
    spread; below the table its coverages and ranks."""
    covered, exist = coverage(found), np.isfinite(found).all(axis=1)
    at = int(np.argmin(np.abs(LEVELS - 0.9)))
    worst = np.abs(covered - LEVELS[:, None]).max()
    error = np.sqrt(np.mean(((mean - truth)[exist] / spread) ** 2))
    p = uniformity(found[exist]).probability.min()
    shares = np.mean([np.histogram(r, bins=10, range=(0, 1))[0] for r in found[exist].T], axis=0) / exist.sum()
    percents = [" ".join(f"{100 * x:.0f}" for x in row) for row in (covered.mean(axis=1), shares)]
    return (
        f"| {name} | {error:.3f} | {100 * worst:.1f} | {100 * covered[at].mean():.1f} | {p:.2g} | {int((~exist).sum())} | {cpu:.0f} |",
        f"| {name} | {percents[0]} | {percents[1]} |",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--count", type=int, default=256)
    given = parser.parse_args()
    worlds = scenarios(RECIPE, "plain")
    world, basis = worlds["in distribution"], default_basis()
    sampling = world.model.sampling
    settings = Training(
        steps=given.steps, batch=64, every=given.steps, validation=64, learning_rate=3e-3, weight_decay=0.0
    )
    draw = eqx.filter_jit(lambda s, k: jax.vmap(s.sample)(k))
    keys = jax.random.split(jax.random.key(20231), given.count)

    def network(**changes):
        encoder = {"name": "mlp", "widths": [128, 64], **changes}
        spec = NetworkSpec(encoder=encoder, model=MODEL, predicted=PREDICTED, variance=True)
        return calibrate(spec, basis, sampling, world, count=256)

    base = network()
    data = Matched(world, base.model.names, PREDICTED)
    fids = {
        name: draw(Matched(worlds[name], base.model.names, PREDICTED), keys) for name in ("in distribution", *UNLIKE)
    }
    test = fids["in distribution"]
    truth = np.asarray(test.truth["vector"])
    spread = np.asarray(base.map.scale.value)
    u = np.asarray(jax.vmap(base.map.outputs)(test.truth["vector"]))
    loss = weighted({"likelihood": 1.0})
    print(f"{given.count} spectra; {given.steps} steps of 64; levels: 20\n")
    print(
        "| method | error / spread | worst of 20 coverages off by / % | coverage at 90 % | rank test, smallest p | without weights | training, s CPU |"
    )
    print("|---|---|---|---|---|---|---|")
    shares = ["| method | coverage at 20 levels / %, mean of the parameters | ranks in tenths / % |", "|---|---|---|"]

    def report(name, started, found, vectors):
        row, more = line(name, found, truth, vectors, spread, time.process_time() - started)
        shares.append(more)
        print(row, flush=True)

    start = time.process_time()
    head = train(base, data, loss, settings).network
    said = jax.vmap(head.encode)(test.data)
    mean, sd = np.asarray(said.outputs), np.exp(np.asarray(said.log_sd))
    report("variance head", start, gaussian_ranks(mean, sd, u), np.asarray(said.vector))

    start = time.process_time()
    dropped = train(network(rate=0.1), data, loss, settings).network
    s = of_dropout(dropped, test.data, draws=32, key=jax.random.key(1))
    report(
        "Monte Carlo dropout 0.1",
        start,
        gaussian_ranks(np.asarray(s.mean), np.asarray(s.total), u),
        np.asarray(jax.vmap(base.map.vector)(s.mean)),
    )

    start = time.process_time()
    ensemble = train(Ensemble(base, basis, sampling, 4), data, each(loss), settings).network
    s = of_ensemble(ensemble, test.data)
    report(
        "ensemble of 4",
        start,
        gaussian_ranks(np.asarray(s.mean), np.asarray(s.total), u),
        np.asarray(jax.vmap(base.map.vector)(s.mean)),
    )

    start = time.process_time()
    flow = train(NeuralPosterior(base, key=jax.random.key(2)), data, negative_log_density, settings).network
    found = sample(flow, test.data, log_prior, draws=DRAWS, key=jax.random.key(3))
    v, w = np.asarray(found.vectors), np.asarray(found.weights)
    report("flow", start, ranks(v, truth), v.mean(axis=1))
    report("flow, re-weighted", start, ranks(v, truth, w), np.einsum("sd,sdq->sq", w, v))

    print("\nnominal: " + " ".join(f"{100 * x:.0f}" for x in LEVELS) + "\n\n" + "\n".join(shares), flush=True)
    known = familiarity(flow.network.inputs, world, count=512, key=jax.random.key(4))
    efficiency = {
        n: np.asarray(
            found.efficiency
            if n == "in distribution"
            else sample(flow, x.data, log_prior, draws=DRAWS, key=jax.random.key(3)).efficiency
        )
        for n, x in fids.items()
    }
    far = {n: distances(known, flow.network.inputs, x.data) for n, x in fids.items()}
    print(
        f"\nmedian effective share of {DRAWS} draws in distribution: {100 * np.median(efficiency['in distribution']):.1f} %\n"
    )
    print(
        "| unlike | median effective share / % | area under the ROC, effective draws | area, distance |\n|---|---|---|---|"
    )
    for n in UNLIKE:
        a, b = roc(-efficiency["in distribution"], -efficiency[n]).area, roc(far["in distribution"], far[n]).area
        print(f"| {n} | {100 * np.median(efficiency[n]):.1f} | {a:.2f} | {b:.2f} |", flush=True)


if __name__ == "__main__":
    main()
