"""Transients that differ: drift, jumps, motion."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float
from numpyro.distributions import Distribution

from mrsjax.core import Sampling, cis, exponentials
from simulators.artefacts.artefact import Artefact
from simulators.artefacts.random import draws, happens
from simulators.tissue.priors import single, uniform


class Transients(Artefact):
    """One FID `(..., n)` becomes `(transients, ..., n)`, each with a frequency, a phase and a size of its own.

        f_j = drift x_j + walk W_j + jump [j >= start],   phase_j = turn x_j + leap [j >= start] + spread N_j + swing [moved_j],   size_j = 1 - loss [moved_j],   x_j = j / (T - 1)

    `drift` (Hz over the series: a slow change, e.g. of the cooling magnet), `walk` (Hz, standard deviation of each step of the random walk W), `jump` (Hz) at
    a random `start` with probability `jump_probability`; `turn` and `leap` (rad): drift of the phase, and its jump, which comes with that of the frequency; `spread` (rad); each transient is `moved` with probability `motion_probability`: it loses a fraction and
    turns its phase by up to `swing`. The mean of f_j over the series is not taken off.

    Label: "frequency" (T,) Hz, "phase" (T,) rad, "size" (T,), "moved" (T,), "jump" (Hz, 0 when there was none), "leap" (rad, the same), "start".
    """

    drift: Distribution
    walk: Distribution
    jump: Distribution
    turn: Distribution
    leap: Distribution
    spread: Distribution
    loss: Distribution
    jump_probability: Float[Array, ""] = eqx.field(converter=single)
    motion_probability: Float[Array, ""] = eqx.field(converter=single)
    swing: Float[Array, ""] = eqx.field(converter=single)
    count: int = eqx.field(static=True)
    name: str = eqx.field(static=True, default="transients")

    def __call__(self, data, scene, *, key):
        count = self.count
        key, (drift, walk, jump, spread, loss) = draws(key, self.drift, self.walk, self.jump, self.spread, self.loss)
        _, (turn, leap) = draws(jax.random.fold_in(key, 1), self.turn, self.leap)
        of_jump, of_normal, of_uniform = jax.random.split(key, 3)
        steps, phases = jax.random.normal(of_normal, (2, count), jnp.float32)
        when, moves, turns = jax.random.uniform(of_uniform, (3, count), jnp.float32)
        jumps = happens(of_jump, self.jump_probability)
        jump, leap = jump * jumps, leap * jumps
        start = jnp.floor(when[0] * count)
        number = jnp.arange(count, dtype=jnp.float32)
        walked = jnp.cumsum(jnp.where(number > 0, steps, 0.0))
        along, after = number / max(count - 1, 1), number >= start
        frequency = drift * along + walk * walked + jump * after
        moved = (moves < self.motion_probability).astype(jnp.float32)
        phase = turn * along + leap * after + spread * phases + moved * self.swing * (2 * turns - 1)
        size = 1 - loss * moved
        s = scene.sampling
        rate = lax.complex(jnp.zeros_like(frequency), 2 * math.pi * frequency)
        factor = (size * cis(phase))[:, None] * exponentials(rate, s.dwell_time, s.n_points)
        factor = factor.reshape(count, *(1,) * (data.ndim - 1), -1)
        label = {"frequency": frequency, "phase": phase, "size": size, "moved": moved}
        label |= {"jump": jump, "leap": leap, "start": start}
        return factor * data, label


def transients(
    sampling: Sampling,
    *,
    count: int,
    drift_hz: float = 3.0,
    walk_hz: float = 0.1,
    jump_hz: float = 5.0,
    jump_probability: float = 0.1,
    phase_deg: float = 5.0,
    phase_drift_deg: float = 0.0,
    phase_jump_deg: float = 0.0,
    motion_probability: float = 0.05,
    name: str = "transients",
) -> Transients:
    """Drift uniform within +-`drift_hz`, normal phases of `phase_deg`, a jump of up to `jump_hz`, phases that drift by up to `phase_drift_deg` and jump by up to `phase_jump_deg` (none unless asked for): modelling choices; Hui 2021 measured the drift of 3 T scanners."""
    return Transients(
        drift=uniform(-drift_hz, drift_hz),
        walk=uniform(0.0, walk_hz),
        jump=uniform(-jump_hz, jump_hz),
        turn=uniform(-math.radians(phase_drift_deg), math.radians(phase_drift_deg)),
        leap=uniform(-math.radians(phase_jump_deg), math.radians(phase_jump_deg)),
        spread=uniform(0.0, math.radians(phase_deg)),
        loss=uniform(0.05, 0.6),
        jump_probability=jump_probability,
        motion_probability=motion_probability,
        swing=math.pi,
        count=int(count),
        name=name,
    )


class FrequencyPhaseScatter(Artefact):
    """Transients with independent offsets: how the correction networks (Tapper 2021, Shamaei 2022) are trained.

    `frequency` (Hz), `phase` (rad): priors of batch shape `(count,)`, or `(count, conditions)` for data of several conditions `(conditions, n)`. A FID becomes
    `(count, ..., n)`. Label: "frequency", "phase", of those shapes.
    """

    frequency: Distribution
    phase: Distribution
    name: str = eqx.field(static=True, default="scatter")

    def __call__(self, data, scene, *, key):
        _, (frequency, phase) = draws(key, self.frequency, self.phase)
        s = scene.sampling
        rate = lax.complex(jnp.zeros_like(frequency), 2 * math.pi * frequency)
        factor = cis(phase)[..., None] * exponentials(rate, s.dwell_time, s.n_points)
        axes = data.ndim + 1 - factor.ndim
        factor = factor.reshape(len(frequency), *(1,) * axes, *factor.shape[1:])
        return factor * data, {"frequency": frequency, "phase": phase}


def scatter(
    sampling: Sampling, *, count: int, frequency_hz: float, phase_deg: float, conditions: int = 1, name: str = "scatter"
) -> FrequencyPhaseScatter:
    """Uniform offsets within +-`frequency_hz` and +-`phase_deg`; `conditions` above 1: of each condition on its own."""
    one = jnp.ones((count, conditions) if conditions > 1 else count)
    turn = math.radians(phase_deg)
    return FrequencyPhaseScatter(
        frequency=uniform(-frequency_hz * one, frequency_hz * one), phase=uniform(-turn * one, turn * one), name=name
    )
