"""The receiver: coils with correlated noise, a readout that ends early, an ADC that overflows."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key
from numpyro.distributions import Distribution

from mrsjax.core import Sampling, cis
from simulators.artefacts.artefact import Artefact
from simulators.artefacts.random import draws
from simulators.tissue.priors import uniform


class Coils(eqx.Module):
    """A receive array: `(..., n)` becomes `(coils, ..., n)`, with noise that neighbouring coils share.

        x_c = s_c x,   s_c = exp(-closeness d_c) exp(i phase_c),  d_c uniform in 0..1,      noise = L white,   L L' = C,  C_ab = rho^|a - b|

    The nearest coil has about the size of the signal itself, the farthest exp(-`closeness`) of it; phases are uniform. C has ones on its diagonal: the noise level
    of each coil is that of the spectrum. `correlation`: rho between neighbours, 0 to below 1 (an exponential model: a modelling choice; Roemer 1990 gives the physics).

    Label: "sensitivity" (coils,), "noise_covariance" (coils, coils), in units of the square of labels["noise"].
    """

    closeness: Distribution
    correlation: Distribution
    count: int = eqx.field(static=True)

    def __call__(
        self, data: Complex[Array, "*s n"], *, key: Key[Array, ""]
    ) -> tuple[Complex[Array, "c *s n"], Float[Array, "c c"], dict[str, Array]]:
        """The coils' signals, the factor L of their noise, and the label."""
        key, (closeness, rho) = draws(key, self.closeness, self.correlation)
        distance, turn = jax.random.uniform(key, (2, self.count), jnp.float32)
        sensitivity = jnp.exp(-closeness * distance) * cis(2 * math.pi * turn)
        covariance, factor = exponential_covariance(rho, self.count)
        label = {"sensitivity": sensitivity, "noise_covariance": covariance}
        return sensitivity.reshape(-1, *(1,) * data.ndim) * data, factor, label


def exponential_covariance(rho: Float[Array, ""], count: int) -> tuple[Float[Array, "c c"], Float[Array, "c c"]]:
    """C_ab = rho^|a - b| and its Cholesky factor in closed form (a first-order autoregression): no LAPACK in a batch."""
    number = jnp.arange(count, dtype=jnp.float32)
    lag = number[:, None] - number
    scale = jnp.where(number > 0, jnp.sqrt(1 - rho**2), 1.0)
    return rho ** jnp.abs(lag), jnp.where(lag >= 0, rho ** jnp.maximum(lag, 0) * scale, 0.0)


def coils(count: int, *, closeness: Distribution | None = None, correlation: Distribution | None = None) -> Coils:
    """`count` coils; by default the farthest sees 5-40 % of the nearest, neighbours' noise correlates by 0-0.4: modelling choices."""
    return Coils(closeness or uniform(0.9, 3.0), correlation or uniform(0.0, 0.4), int(count))


class Truncation(Artefact):
    """The readout ends after a fraction of its points; zeros follow.

    Label: "points" (number kept).
    """

    fraction: Distribution
    name: str = eqx.field(static=True, default="truncation")

    def __call__(self, data, scene, *, key):
        _, (fraction,) = draws(key, self.fraction)
        label = {"points": jnp.ceil(fraction * data.shape[-1])}
        return self.passed(data, label), label

    def passed(self, signal, label):
        return jnp.where(jnp.arange(signal.shape[-1]) < label["points"], signal, 0)


def truncation(sampling: Sampling, fraction: Distribution, *, name: str = "truncation") -> Truncation:
    """`fraction`: of the points that are kept, in (0, 1]."""
    return Truncation(fraction=fraction, name=name)


class Digitiser(Artefact):
    """An ADC of `bits` bits whose full scale is `headroom` times the largest real or imaginary part: below 1 it clips.

    Label: "clipped" (fraction of the numbers that hit the end), "headroom".
    """

    headroom: Distribution
    bits: int = eqx.field(static=True, default=16)
    name: str = eqx.field(static=True, default="digitiser")

    def __call__(self, data, scene, *, key):
        _, (headroom,) = draws(key, self.headroom)
        parts = jnp.stack([data.real, data.imag])
        full = headroom * jnp.max(jnp.abs(parts))
        step = full / 2 ** (self.bits - 1)
        out = jnp.clip(jnp.round(parts / step) * step, -full, full)
        clipped = jnp.mean((jnp.abs(parts) > full).astype(jnp.float32))
        return jax.lax.complex(out[0], out[1]), {"clipped": clipped, "headroom": headroom}


def digitiser(sampling: Sampling, headroom: Distribution, *, bits: int = 16, name: str = "digitiser") -> Digitiser:
    """`headroom`: full scale over the largest part; `bits` of the converter."""
    return Digitiser(headroom=headroom, bits=int(bits), name=name)


def correlated(white: Complex[Array, "c *s n"], factor: Float[Array, "c c"]) -> Complex[Array, "c *s n"]:
    """Noise with the covariance `factor` factor' between the coils, from white noise."""
    return jnp.einsum("ab,b...->a...", factor, white)
