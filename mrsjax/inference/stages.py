"""What comes before and between the two stages of a fit: starting values, data in units of the noise, and the second stage's problems from the end of the
first."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from mrsjax.core.compilation import jit
from mrsjax.core.parameters import field, from_rows, to_rows
from mrsjax.inference import noise, starting
from mrsjax.inference.fisher import inverse
from mrsjax.inference.varpro import Point, Problem, Tree
from mrsjax.physics.model import SignalModel, Values

#: Amplitude over its standard deviation below which a component's own shift and width are held at the group's.
DETECTION = 3.0


class Prepared(NamedTuple):
    problems: Problem
    half: Problem  # of the first half of the FIDs
    energy: Float[Array, " s"]  # of the data in the window, that of the noise is 1 a point
    late_energy: Float[Array, " s"]  # of the second half of the FIDs
    noise: Float[Array, " s"]
    valid: Array


def singlet_band(model: SignalModel) -> Float[np.ndarray, " n"]:
    """1 where the large singlets are: the correlation for the starting values uses these frequencies only."""
    ppm = np.asarray(model.sampling.ppm)
    return ((ppm > 1.8) & (ppm < 4.1)).astype(float)


@jit
def correlated(coarse: SignalModel, band, fids) -> tuple[Float[Array, "s p"], Float[Array, " s"]]:
    """The first stage's starting points from the data alone, and how much better they would match farther away (`starting.Match.elsewhere`)."""
    proto = starting.prototype(coarse)
    match = jax.vmap(lambda f: starting.correlate(coarse, proto, f, band))(fids)
    start = coarse.start()

    def place(shift, phase):
        values = {group: dict(v) for group, v in start.items()}
        for group in coarse.groups:
            values[group.name]["shift"] = shift
        values["phase"]["phase_zero"] = phase
        return ravel_pytree(values)[0]

    return jax.vmap(place)(match.shift, match.phase), match.elsewhere


@jit
def prepare(coarse: SignalModel, half: SignalModel, blocks, fids, theta, known) -> Prepared:
    """Data in units of the noise: `known`, or measured where that is NaN."""
    sd = jnp.where(jnp.isnan(known), noise.noise_sds(fids, blocks), known)
    valid = jnp.isfinite(sd) & (sd > 0) & jnp.all(jnp.isfinite(theta), axis=1)
    sd = jnp.where(valid, sd, 1.0)
    m = len(coarse.names)
    stiffness = jnp.broadcast_to(coarse.baseline.log_stiffness, sd.shape)
    weight = jnp.broadcast_to(1.0 / Tree(coarse).sd ** 2, theta.shape)
    make = lambda data: Problem(data / sd[:, None], stiffness, jnp.zeros((len(sd), m, m), sd.dtype), weight)  # noqa: E731
    n = half.sampling.n_points
    late = coarse.crop(jnp.where(jnp.arange(fids.shape[1]) < n, 0.0, fids))
    energy = lambda x: jnp.sum(jnp.abs(x) ** 2, axis=1) / (2 * sd**2)  # noqa: E731
    whole = coarse.crop(fids)
    return Prepared(make(whole), make(half.crop(fids[:, :n])), energy(whole), energy(late), sd, valid)


def between(
    coarse: SignalModel, model: SignalModel, problems: Problem, at: Point
) -> tuple[Problem, Float[np.ndarray, "s p"], Float[np.ndarray, " s"]]:
    """The second stage's problems and starting points from the end of the first, and their unit over the noise. In NumPy, all spectra at once."""
    gram = np.asarray(at.linear.gram, float)
    found, start = from_rows(coarse.parameters(), np.asarray(at.theta)), model.start()
    values = refined(model, found)
    # What the first stage cannot explain counts as noise in the second, else the priors mean nothing on real spectra.
    excess = np.maximum(1.0, excess_of(model, np.asarray(at.linear.cost)))
    amplitudes = np.asarray(at.linear.amplitudes) / excess[:, None]
    precision = np.zeros_like(gram)
    for prior in model.ratios:
        spread = np.asarray(prior.scale) / np.sqrt(np.maximum(np.diagonal(gram, axis1=1, axis2=2), 1e-30))
        precision += prior.precision(amplitudes, np.linalg.norm(spread, axis=1))
    seen = amplitudes / np.sqrt(np.maximum(np.diagonal(inverse(gram), axis1=1, axis2=2), 1e-30))
    doubt = 1.0 + (DETECTION / np.maximum(seen, 0.03)) ** 2
    sd, first = field(model.parameters(), "sd"), 0
    for group in model.groups:
        last = first + len(group.names)
        for name in sd[group.name]:
            if name.startswith("own_"):
                sd[group.name][name] = sd[group.name][name] / doubt[:, first:last]
        first = last
    weight = 1.0 / to_rows(sd, start, len(gram)) ** 2
    data = (problems.data / excess[:, None]).astype(problems.data.dtype)
    dtype = problems.weight.dtype
    parts: Any = data, problems.log_stiffness, precision.astype(dtype), weight.astype(dtype)
    return Problem(*parts), to_rows(values, start, len(gram)).astype(dtype), excess.astype(dtype)


def refined(model: SignalModel, found: Values) -> Values:
    """Start values of the whole model, leading axis the spectra where `found`, values of the coarse one, has it."""
    values = {g: {k: found.get(g, {}).get(k, v) for k, v in entries.items()} for g, entries in model.start().items()}
    for group in model.groups:
        values[group.name] |= group.lineshape.refine(found[group.name])
    return values


def excess_of(model: SignalModel, cost: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
    """Residual over noise: square root of chi^2 for each degree of freedom, real and imaginary parts counted."""
    return np.sqrt(2.0 * cost / freedom(model))


def freedom(model: SignalModel) -> float:
    """Degrees of freedom of a residual: points, real and imaginary, less what baseline and amplitudes take."""
    points = 2 * (model.window[1] - model.window[0])
    baseline = model.baseline
    taken = 2 * baseline.shrinkage(np.asarray(baseline.log_stiffness)).sum() + len(model.names)
    return max(points - float(taken), 1.0)
