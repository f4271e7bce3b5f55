"""Ghosts: echoes of signal from outside the voxel that refocus during the readout."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpyro.distributions import Distribution

from mrsjax.core import Sampling, cis
from simulators.artefacts.artefact import Artefact
from simulators.artefacts.random import draws, happens
from simulators.tissue.priors import single, uniform


class OutOfVoxelEcho(Artefact):
    """A chirped Gaussian echo (Kreis 2004; the kind and, by default, centre, place and occurrence are those of the AGNOSTIC set, Gudmundson 2023).

        s(t) = strength area exp(-u^2 / (2 width^2)) exp(i (phase + 2 pi f u + pi chirp u^2)),     u = t - centre

    `centre`, `width` (s), `ppm` (f on the ppm axis), `chirp` (Hz/s), `phase` (rad). In the spectrum: a packet of ripples about f.

    Label: "present", "strength", "centre", "width", "ppm", "chirp", "phase", "signal"; "where" (n,): 1 where the envelope is above 5 %, for point-wise detection.
    """

    strength: Distribution
    centre: Distribution
    width: Distribution
    ppm: Distribution
    chirp: Distribution
    phase: Distribution
    probability: Float[Array, ""] = eqx.field(converter=single, default=1.0)
    name: str = eqx.field(static=True, default="echo")

    def __call__(self, data, scene, *, key):
        priors = (self.strength, self.centre, self.width, self.ppm, self.chirp, self.phase)
        key, (strength, centre, width, ppm, chirp, phase) = draws(key, *priors)
        present = happens(key, self.probability)
        u = scene.sampling.time.astype(jnp.float32) - centre
        envelope = jnp.exp(-0.5 * (u / width) ** 2)
        frequency = scene.sampling.to_hz(ppm).astype(jnp.float32)
        wave = cis(phase + 2 * math.pi * frequency * u + math.pi * chirp * u * u)
        signal = present * strength * scene.area * envelope * wave
        label = {"present": present, "strength": present * strength, "centre": centre, "width": width, "ppm": ppm}
        where = present * (envelope > 0.05).astype(jnp.float32)
        return data + signal, label | {"chirp": chirp, "phase": phase, "where": where, "signal": signal}


def out_of_voxel_echo(
    sampling: Sampling,
    strength: Distribution,
    *,
    probability: float = 0.85,
    centre_ms: tuple[float, float] = (10.0, 400.0),
    width_ms: tuple[float, float] = (4.0, 60.0),
    range_ppm: tuple[float, float] = (1.0, 4.0),
    chirp_hz_per_s: float = 200.0,
    name: str = "echo",
) -> OutOfVoxelEcho:
    """Centres 10-400 ms, 1-4 ppm and an occurrence of 85 % are those of AGNOSTIC; width and chirp are modelling choices (its width is in points)."""
    return OutOfVoxelEcho(
        strength=strength,
        centre=uniform(1e-3 * centre_ms[0], 1e-3 * centre_ms[1]),
        width=uniform(1e-3 * width_ms[0], 1e-3 * width_ms[1]),
        ppm=uniform(*range_ppm),
        chirp=uniform(-chirp_hz_per_s, chirp_hz_per_s),
        phase=uniform(-math.pi, math.pi),
        probability=probability,
        name=name,
    )
