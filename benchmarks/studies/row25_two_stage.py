"""Gurbani 2019 (row 25): one encoder in front of a wavelet baseline, a second, which sees the rest, in front of three lines; no labels.

`python -m benchmarks.studies.row25_two_stage`.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.interpolate import BSpline

from benchmarks.studies.scores import mape, r2
from benchmarks.studies.study import METABOLITES, Learner, Study, World, classical, cpu, main, world
from mrsjax.core import to_fid, to_spectrum
from mrsjax.data import default_basis
from mrsjax.nn import FlaxNet, Frozen, Network, NetworkSpec, Training, calibrate
from mrsjax.nn.encoders import encoder
from simulators.tissue import ranges

NAMES, PREDICTED = (
    ("GPC", "Cr", "NAA"),
    ("metabolites.shift", "metabolites.lorentz", "metabolites.gauss", "phase.phase_zero"),
)
#: Points between the coefficients of the baseline: level 5 of a dyadic wavelet transform.
LEVEL = 5


def simulate() -> World:
    """Choline, creatine and NAA over wide ranges on a baseline as high as they are."""
    table = dict(ranges.SHAMAEI_2023) | dict(ranges.OTHERS) | {"GPC": (0.5, 5.0), "Cr": (4.0, 10.0), "NAA": (3.0, 15.0)}
    return world(
        basis=default_basis().select(NAMES),
        amplitudes={"table": "none", "ranges": {n: list(table[n]) for n in NAMES}},
        parameters={
            "phase": {"phase_zero_deg": {"uniform": [-23, 23]}},
            "metabolites": {"shift_hz": {"uniform": [-4, 4]}, "lorentz_hz": {"uniform": [1, 5.1]}, "gauss_hz": {"uniform": [0, 4.8]}},
        },
        artefacts=[{"baseline": {"strength": {"log_uniform": [0.02, 0.3]}, "range_ppm": [-0.5, 5.0], "spacing_ppm": 0.5}}],
        snr={"log_uniform": [10, 60]},
    )  # fmt: skip


class TwoStage(eqx.Module):
    """FID -> baseline in the window by the coefficients of a cubic spline wavelet's scaling functions; the rest -> `lines`."""

    lines: Network
    smooth: FlaxNet
    columns: Frozen[Float[Array, "k j"]]

    def baseline(self, fid):
        """`(k,)`, in the data's unit."""
        features, scale = self.lines.inputs(fid)
        real, imag = self.smooth(features).reshape(2, -1) @ self.columns.value.T
        return scale * jax.lax.complex(real, imag)

    def __call__(self, fid):
        """What `lines` says of the FID without its baseline, and the baseline."""
        base, (first, last) = self.baseline(fid), self.lines.model.window
        return self.lines.encode(to_fid(to_spectrum(fid).at[first:last].add(-base))), base


def build(world: World, seed: int) -> TwoStage:
    spec = NetworkSpec(encoder=CNN, model=METABOLITES, predicted=PREDICTED, amplitudes="network", seed=seed)
    lines = calibrate(spec, world.basis, world.sampling, world.simulator, seed=seed)
    first, last = lines.model.window
    step, points = 2**LEVEL, last - first
    knots = step * np.arange(-3, points // step + 5)
    columns = BSpline.design_matrix(np.arange(points, dtype=float), knots, 3).toarray()
    options = {k: v for k, v in CNN.items() if k != "name"}
    shape = lines.inputs.shape(world.sampling.n_points)
    smooth = encoder("cnn", shape, 2 * columns.shape[1], seed=seed + 1, **options)
    return TwoStage(lines, FlaxNet(smooth), Frozen(jnp.asarray(columns, jnp.float32)))


def loss(network, sample, key):
    """Mean squared residual of baseline and lines over the power of the window."""
    found, base = network(sample.data)
    model = network.lines.model
    rest = model.crop(sample.data - model.signal(found.values, found.amplitudes)) - base
    _, scale = network.lines.inputs(sample.data)
    return jnp.mean(rest.real**2 + rest.imag**2) / scale**2


def dice(a, b) -> float:
    """2 |A and B| / (|A| + |B|)."""
    return float(2 * np.sum(a & b) / max(np.sum(a) + np.sum(b), 1))


def score(networks, world, samples):
    fids, order = samples.data, [world.metabolites.index(n) for n in NAMES]
    truth = samples.truth["amplitudes"][:, order]
    ratio = lambda x: x[:, 0] / np.maximum(x[:, 2], 1e-6)  # noqa: E731
    high = 2 * np.median(ratio(truth))
    rows: list[tuple] = [("method", "Dice of tCho/NAA above twice the median", "MAPE of tCho, Cr, NAA / %", "mean R^2", "CPU ms a spectrum")]  # fmt: skip

    def line(name, found, ms):
        marked = dice(ratio(found) > high, ratio(truth) > high)
        return (name, marked, mape(found, truth), float(np.mean(r2(found, truth))), ms)

    apply = eqx.filter_jit(lambda n, x: jax.vmap(lambda f: n(f)[0].amplitudes)(x))
    found, ms = cpu(lambda: apply(networks["two-stage"], jnp.asarray(fids)), len(fids))
    rows.append(line("two-stage network", np.asarray(found)[:, order], ms))
    result, ms = classical(world, fids, macromolecules="off")
    rows.append(line("fit", np.asarray(result.amplitudes)[:, order], ms))
    return rows


CNN = {"name": "cnn", "channels": (16, 32, 32), "widths": (128,)}
STUDY = Study(
    row="25",
    title="Gurbani 2019, two encoders, wavelet baseline and lineshape decoders, without labels",
    published="Dice of Cho/NAA 0.72 beside MIDAS in patients; a whole volume in seconds",
    reduced="simulated: three metabolites of PRESS TE 30 on a spline baseline, without anatomy; both encoders trained together; cubic spline scaling functions 32 points apart",
    simulate=simulate,
    learners={"two-stage": Learner(build, loss)},
    settings=Training(steps=800, batch=64, every=200, validation=256, learning_rate=2e-3),
    score=score,
)

if __name__ == "__main__":
    main(STUDY)
