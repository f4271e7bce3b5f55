"""What training draws: a simulator matched to a network's model, or measured FIDs in its place."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from mrsjax.core import Sample, Simulator
from mrsjax.core.metabolites import canonical
from mrsjax.inference import stages
from mrsjax.inference.varpro import Tree, single
from mrsjax.nn import layers
from mrsjax.nn.bounds import ParameterMap
from mrsjax.nn.network import Calibration, Network, NetworkSpec, build

#: Measured spectra whose amplitudes calibrate a network that gives them itself.
PROJECTED = 64


class Measured(eqx.Module):
    """Measured FIDs standing in for a simulator: `sample` picks one at random. No truth: for losses that need none."""

    fids: Complex[Array, "s n"]

    def sample(self, key: Key[Array, ""]) -> Sample:
        row = jax.random.randint(key, (), 0, self.fids.shape[0])
        return Sample(self.fids[row], {}, {"row": row})


class Matched(eqx.Module):
    """A simulator with its truth in the order of a network's amplitudes and parameters, where the two models differ.

    `truth["amplitudes"]` (m,) NaN for a component that the simulator has not; `truth["vector"]` the predicted parameters.
    """

    simulator: Any
    rows: Array
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, simulator: Simulator, names: tuple[str, ...], predicted: tuple[str, ...]):
        self.simulator = simulator
        own = [canonical(n) for n in getattr(getattr(simulator, "model", None), "names", names)]
        self.rows = jnp.array([own.index(canonical(n)) if canonical(n) in own else -1 for n in names], jnp.int32)
        self.names = predicted

    def sample(self, key: Key[Array, ""]) -> Sample:
        drawn = self.simulator.sample(key)
        truth = dict(drawn.truth)
        if "amplitudes" in truth:
            truth["amplitudes"] = jnp.where(self.rows >= 0, truth["amplitudes"][self.rows], jnp.nan)
        if "values" in truth:
            pairs = [n.split(".") for n in self.names]
            missing = [n for n, (g, p) in zip(self.names, pairs, strict=True) if p not in truth["values"].get(g, {})]
            if missing:
                raise ValueError(f"predicted: the simulator does not say {', '.join(missing)}")
            parts = [jnp.asarray(truth["values"][g][p], jnp.float32) for g, p in pairs]
            truth["vector"] = jnp.stack(parts) if parts else jnp.zeros(0)
        return Sample(drawn.data, truth, drawn.labels)


def _projected(network: Network, fids: Complex[Array, "s n"]) -> Float[np.ndarray, "s m"]:
    """Exact amplitudes over the inputs' scale, shift and phase by the fit's correlation, all else at the model's start."""
    model = network.model
    theta, _ = stages.correlated(*single((model, stages.singlet_band(model), fids)))

    @eqx.filter_jit
    def solved(network, fids, values):
        def one(fid, values):
            found = network.encode(fid)
            return found.noise * layers.project(network.model, found.problem, values) / found.scale

        return jax.vmap(one)(fids, values)

    values = jax.vmap(Tree(model).unravel)(theta)
    return np.asarray(solved(network, fids, values), float)


def calibrate(spec: NetworkSpec, basis, sampling, simulator: Simulator, *, count: int = 512, seed: int = 0) -> Network:
    """`build` with the means and spreads of `count` samples of the simulator; amplitudes of measured data, which a network gives itself, are those that are best at
    the model's start.

    **Raises:** `ValueError` when the simulator's FIDs have another length than `sampling`.
    """
    network = build(spec, basis, sampling)
    matched = Matched(simulator, network.model.names, spec.predicted)
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 0x0CA1), count)

    @eqx.filter_jit
    def draw(matched, inputs, keys):
        def one(key):
            sample = matched.sample(key)
            return sample.truth, inputs(sample.data)[1]

        return jax.vmap(one)(keys)

    found = jax.eval_shape(matched.sample, keys[0]).data.shape
    if found != (sampling.n_points,):
        raise ValueError(f"simulator: wanted FIDs of {sampling.n_points} points, found shape {found}")
    truth, scale = draw(matched, network.inputs, keys)
    if "vector" in truth:
        location, spread = np.mean(truth["vector"], axis=0), np.std(truth["vector"], axis=0) + 1e-6
    else:  # measured data: the model's own start and half the way to its bounds
        mapped: ParameterMap = network.map
        start = mapped.of(mapped.start.value)
        span = np.asarray(mapped.upper.value - mapped.lower.value)
        location, spread = np.asarray(start), np.where(np.isfinite(span), span / 8, 0.5)
    m = len(network.model.names)
    amplitude, wide = np.ones(m), np.ones(m)
    if "amplitudes" in truth:
        relative = np.asarray(truth["amplitudes"]) / np.asarray(scale)[:, None]
        amplitude, wide = np.nan_to_num(relative.mean(axis=0), nan=1e-3), np.nan_to_num(relative.std(axis=0), nan=1e-3)
    elif spec.amplitudes == "network":
        relative = _projected(
            network, eqx.filter_jit(jax.vmap(lambda key: simulator.sample(key).data))(keys[:PROJECTED])
        )
        mean, spread_of = relative.mean(axis=0), relative.std(axis=0)
        least = 0.1 * mean.mean()  # what is in none of them can still be in others
        amplitude, wide = np.maximum(mean, least), np.maximum(spread_of, least)
    return build(spec, basis, sampling, Calibration(location, spread, amplitude, wide))
