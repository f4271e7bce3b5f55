"""Smooth signals under the spectrum: splines and random walks along the frequency axis."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float
from numpyro.distributions import Distribution

from mrsjax.core import Sampling
from simulators.artefacts.artefact import Artefact
from simulators.artefacts.noise import complex_normal
from simulators.artefacts.random import draws
from simulators.artefacts.short import added, real_rows, support
from simulators.tissue.priors import draw, single


class SplineBaseline(Artefact):
    """A complex cubic spline over the ppm axis, made in the time domain.

        s(t) = area sum_k (strength a_k + mean_k) x_k(t),      x_k(t) = sinc(h t)^4 exp(2 pi i f_k t),  t >= 0

    x_k is the causal signal whose real spectrum is the cubic B-spline of knot spacing h about f_k (its Fourier transform is sinc^4), so that no transform is
    needed and the imaginary part is the one that belongs to a decaying signal. `walk` False: a_k independent complex normal; True: their running sum along
    the axis minus its mean, a random walk (the baselines of LeBlanc's WAND are of that kind), of root-mean-square 1 over the splines on average.

    `rows` (2k, 2l): Re and Im of x_k and of i x_k beside each other, on the l points after which x_k at the largest strength is below rounding of |s(0)| (`short.support`); `points`: of a FID.
    `mean` (k,): real areas relative to the metabolites' |s(0)| that every spectrum has beside the drawn ones (what a site's spectra have in common).

    Label: "strength" (drawn), "coefficients" (k,) without the mean, "signal".
    """

    rows: Float[Array, "2k 2l"]
    strength: Distribution
    mean: Float[Array, " k"]
    walk: bool = eqx.field(static=True)
    points: int = eqx.field(static=True)
    name: str = eqx.field(static=True, default="baseline")

    @property
    def waves(self) -> Complex[Array, "k n"]:
        """x_k(t)."""
        k, length = (n // 2 for n in self.rows.shape)
        waves = lax.complex(self.rows[:k, :length], self.rows[:k, length:])
        return jnp.pad(waves, ((0, 0), (0, self.points - length)))

    def __call__(self, data, scene, *, key):
        key, (strength,) = draws(key, self.strength)
        k, n = (x // 2 for x in self.rows.shape)
        a = complex_normal(key, k) * math.sqrt(0.5)
        if self.walk:
            a = jnp.cumsum(a)
            a = (a - jnp.mean(a)) / math.sqrt(k / 6)
        size = strength * scene.area
        both = jnp.concatenate([size * a.real + scene.area * self.mean, size * a.imag]) @ self.rows
        short = lax.complex(both[:n], both[n:])
        whole = jnp.pad(short, (0, self.points - n))
        return added(data, short), {"strength": strength, "coefficients": a, "signal": whole}


def spline_baseline(
    sampling: Sampling,
    strength: Distribution,
    *,
    range_ppm: tuple[float, float] = (-0.5, 5.0),
    spacing_ppm: float = 0.4,
    walk: bool = False,
    mean: tuple[float, ...] | None = None,
    name: str = "baseline",
) -> SplineBaseline:
    """A `SplineBaseline` with knots over a range of ppm; `strength` is the rms area of one spline relative to the metabolites' |s(0)|.

    **Raises:** `ValueError` for a range or a mean that does not fit.
    """
    low, high = range_ppm
    if not (spacing_ppm > 0 and high > low):
        raise ValueError(
            f"range_ppm, spacing_ppm: wanted low < high and a positive spacing, found {range_ppm}, {spacing_ppm}"
        )
    frequency = np.asarray(sampling.to_hz(np.arange(low, high + 1e-9, spacing_ppm)), float)
    h = spacing_ppm * 1e-6 * float(sampling.central_frequency)
    t = np.arange(sampling.n_points) * float(sampling.dwell_time)
    waves = np.sinc(h * t) ** 4 * np.exp(2j * np.pi * frequency[:, None] * t)
    if mean is not None and len(mean) != len(waves):
        raise ValueError(f"mean: wanted one number for each of {len(waves)} splines, found {len(mean)}")
    common = single(np.zeros(len(waves)) if mean is None else np.asarray(mean))
    largest = max(float(draw(strength, jnp.ones(()))), float(jnp.max(jnp.abs(common))))
    short = waves[:, : support(waves, min(largest, 1.0))].astype(np.complex64)
    rows = real_rows(jnp.asarray(np.concatenate([short, 1j * short])))
    return SplineBaseline(rows=rows, strength=strength, mean=common, walk=walk, points=sampling.n_points, name=name)
