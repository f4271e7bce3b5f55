"""Lines that are no metabolite's: residual water, scalp lipids, spurious peaks."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Complex, Float, Key
from numpyro.distributions import Distribution

from mrsjax.core import Sampling, cis, exponentials
from mrsjax.physics.lineshape import GAUSS_RATE
from mrsjax.physics.macromolecules import LIPIDS
from simulators.artefacts.artefact import Artefact, Scene
from simulators.artefacts.random import draws, happens
from simulators.tissue.priors import fixed, normal, single, uniform


class Lines(Artefact):
    """A sum of lines, each of its own.

        s(t) = area sum_k strength w_k exp(i phase_k) exp(2 pi i f_k t - pi lorentz_k t - G gauss_k^2 t^2)

    Priors: `strength` (scalar) relative to the metabolites' |s(0)|; of batch shape (k,): `weight`, `ppm`, `lorentz` and `gauss` (FWHM, Hz), `phase` (rad). With
    probability 1 - `probability` there is none. `follows` False: the lines do not move with the spectrum's frequency offset.

    Label: "present" (0 or 1), "strength", "ppm", "lorentz", "gauss", "phase", "signal".
    """

    strength: Distribution
    weight: Distribution
    ppm: Distribution
    lorentz: Distribution
    gauss: Distribution
    phase: Distribution
    probability: Float[Array, ""] = eqx.field(converter=single, default=1.0)
    follows: bool = eqx.field(static=True, default=True)
    gaussian: bool = eqx.field(static=True, default=False)
    name: str = eqx.field(static=True, default="lines")

    def __call__(self, data, scene, *, key):
        waves, label = self.waves(scene, key=key)
        signal = jnp.sum(waves, axis=0)
        return data + signal, label | {"signal": signal}

    def waves(self, scene: Scene, *, key: Key[Array, ""]) -> tuple[Complex[Array, "k n"], dict[str, Array]]:
        """Each line with its size, and the label without "signal"."""
        key, drawn = draws(key, self.strength, self.weight, self.ppm, self.lorentz, self.gauss, self.phase)
        strength, weight, ppm, lorentz, gauss, phase = drawn
        present = happens(key, self.probability)
        size = present * strength * scene.area * weight * cis(phase)
        label = {"present": present, "strength": present * strength, "ppm": ppm, "lorentz": lorentz, "gauss": gauss}
        label |= {"phase": phase}
        return size[:, None] * self.shapes(label, scene.sampling, scene.shift if self.follows else 0.0), label

    def shapes(self, label: dict[str, Array], s: Sampling, shift: ArrayLike = 0.0) -> Complex[Array, "k n"]:
        """The lines of a label, of size 1 and phase 0, at a frequency offset (Hz)."""
        frequency = s.to_hz(label["ppm"]).astype(jnp.float32) + shift
        rate = lax.complex(-math.pi * label["lorentz"], 2 * math.pi * frequency)
        waves = exponentials(rate, s.dwell_time, s.n_points)
        if self.gaussian:
            waves = waves * jnp.exp(-GAUSS_RATE * (label["gauss"][:, None] * s.time) ** 2)
        return waves


def residual_water(
    sampling: Sampling,
    strength: Distribution,
    *,
    probability: float = 1.0,
    lines: int = 4,
    spread_ppm: float = 0.12,
    name: str = "water",
) -> Lines:
    """What water suppression leaves: several lines about the water frequency, of any phase each.

    Suppression is not uniform over the voxel and its pulses dephase the rest, so that the remainder is no line but a sum of a few with different phases (the
    reason why HLSVD removes it with several components: Pijnappel 1992). Widths 2-40 Hz, normal offsets of `spread_ppm`: modelling choices.
    """
    k = (lines,)
    centre = float(sampling.ppm_ref)
    return Lines(
        strength=strength,
        weight=uniform(np.full(k, 0.1), np.full(k, 1.0)),
        ppm=normal(np.full(k, centre), np.full(k, spread_ppm)),
        lorentz=uniform(np.full(k, 2.0), np.full(k, 40.0)),
        gauss=fixed(np.zeros(k)),
        phase=uniform(np.full(k, -math.pi), np.full(k, math.pi)),
        probability=probability,
        name=name,
    )


def scalp_lipids(
    sampling: Sampling,
    strength: Distribution,
    *,
    probability: float = 1.0,
    shift_sd_ppm: float = 0.03,
    name: str = "lipids",
) -> Lines:
    """Subcutaneous fat at the shifts and widths of `physics.macromolecules.LIPIDS` (LCModel's manual), with any common phase a line.

    Fat comes from outside the voxel: it has seen another field (`shift_sd_ppm`, a modelling choice).
    """
    k = (len(LIPIDS),)
    width = np.array([p.fwhm for p in LIPIDS]) * 1e-6 * float(sampling.central_frequency)
    return Lines(
        strength=strength,
        weight=uniform(np.full(k, 0.3), np.full(k, 1.0)),
        ppm=normal(np.array([p.ppm for p in LIPIDS]), np.full(k, shift_sd_ppm)),
        lorentz=uniform(np.zeros(k), np.full(k, 5.0)),
        gauss=uniform(0.8 * width, 1.6 * width),
        phase=uniform(np.full(k, -math.pi), np.full(k, math.pi)),
        probability=probability,
        gaussian=True,
        name=name,
    )


def spurious_peaks(
    sampling: Sampling,
    strength: Distribution,
    *,
    probability: float = 1.0,
    peaks: int = 2,
    range_ppm: tuple[float, float] = (0.0, 8.0),
    name: str = "spurious",
) -> Lines:
    """Narrow lines anywhere (pick-up, hardware spurs), any phase, 0-3 Hz wide: modelling choices. They do not follow the subject's frequency."""
    k = (peaks,)
    return Lines(
        strength=strength,
        weight=uniform(np.zeros(k), np.ones(k)),
        ppm=uniform(np.full(k, range_ppm[0]), np.full(k, range_ppm[1])),
        lorentz=uniform(np.zeros(k), np.full(k, 3.0)),
        gauss=fixed(np.zeros(k)),
        phase=uniform(np.full(k, -math.pi), np.full(k, math.pi)),
        probability=probability,
        follows=False,
        name=name,
    )
