"""Eddy currents: the field settles while the signal is read."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import Distribution

from mrsjax.core import Sampling, cis
from simulators.artefacts.artefact import Artefact
from simulators.artefacts.random import draws
from simulators.tissue.priors import log_uniform, normal


class EddyCurrents(Artefact):
    """Multiplies by exp(i phase(t)), what Klose's correction (1990) takes off.

        offset(t) = sum_k a_k exp(-t / tau_k),     phase(t) = 2 pi sum_k a_k tau_k (1 - exp(-t / tau_k))

    `amplitude` a_k (Hz), `decay` tau_k (s), both of batch shape (k,).

    Label: "amplitude" (k,), "decay" (k,), "phase" (n,) in rad: `physics.EddyPhase(phase)` puts it into a model.
    """

    amplitude: Distribution
    decay: Distribution
    name: str = eqx.field(static=True, default="eddy")

    def __call__(self, data, scene, *, key):
        _, (a, tau) = draws(key, self.amplitude, self.decay)
        time = scene.sampling.time.astype(jnp.float32)
        phase = 2 * math.pi * (a * tau) @ -jnp.expm1(-time / tau[:, None])
        return data * cis(phase), {"amplitude": a, "decay": tau, "phase": phase}

    def passed(self, signal, label):
        return signal * cis(label["phase"])


def eddy_currents(
    sampling: Sampling,
    *,
    amplitude_hz: float = 5.0,
    decay_ms: tuple[float, float] = (2.0, 200.0),
    terms: int = 2,
    name: str = "eddy",
) -> EddyCurrents:
    """`terms` exponentials with normal amplitudes (standard deviation `amplitude_hz`) and log-uniform decays: modelling choices."""
    k = (terms,)
    return EddyCurrents(
        amplitude=normal(np.zeros(k), np.full(k, amplitude_hz)),
        decay=log_uniform(np.full(k, 1e-3 * decay_ms[0]), np.full(k, 1e-3 * decay_ms[1])),
        name=name,
    )
