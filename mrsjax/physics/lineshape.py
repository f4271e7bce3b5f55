"""Lineshapes: the decay L(t) that all lines of a group share, L(0) = 1.

Each is an `eqx.Module` with `parameters()` (a dict of `Parameter`) and `__call__(values, sampling)`; `a * b` multiplies two of them
(a convolution of the lines). The exponential part of a line is kept apart (`rate`), since it joins the shift in one exponential. Written for one spectrum.
"""

from __future__ import annotations

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Inexact

from mrsjax.core.constants import GAUSS_FWHM
from mrsjax.core.fourier import exponentials
from mrsjax.core.parameters import Parameter
from mrsjax.core.sampling import Sampling

#: exp(-GAUSS_RATE q t^2) is the decay of a Gaussian line whose squared FWHM is q (Hz^2).
GAUSS_RATE = math.pi**2 / (4 * math.log(2))


class Lineshape(eqx.Module):
    """A decay shared by the lines of a group, L(t) = exp(rate t) envelope(t).

    A line without an exponential part has only `envelope`, one that is an exponential only `rate` and `rate_jacobian`.
    """

    @abc.abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """The free quantities."""

    def rate(self, values: dict[str, Array]) -> Complex[ArrayLike, ""]:
        """Exponent of the exponential part, rad/s."""
        return 0.0

    def rate_jacobian(self) -> dict[str, complex]:
        """Derivatives of `rate`: constants."""
        return {}

    def envelope(self, values: dict[str, Array], sampling: Sampling) -> Inexact[Array, "*n"]:
        """L(t) without the exponential part, on the grid."""
        return jnp.ones((), sampling.dwell_time.dtype)

    def envelope_jacobian(self, values: dict[str, Array], sampling: Sampling) -> dict[str, Inexact[Array, "*p n"]]:
        """Derivatives of `envelope`, leading axes those of each parameter."""
        names = self.parameters().keys() - self.rate_jacobian().keys()
        if not names:
            return {}
        jacobian = jax.jacfwd(lambda v: self.envelope(values | v, sampling))({k: values[k] for k in sorted(names)})
        return {k: jnp.moveaxis(v, 0, -1) for k, v in jacobian.items()}

    def __call__(self, values: dict[str, Array], sampling: Sampling) -> Complex[Array, " n"]:
        """L(t) on the grid."""
        rate = jnp.asarray(self.rate(values), jnp.result_type(sampling.dwell_time.dtype, complex))
        return exponentials(rate, sampling.dwell_time, sampling.n_points) * self.envelope(values, sampling)

    def coarse(self) -> Lineshape:
        """A simpler line for the first stage of a fit, with a subset of the parameters."""
        return self

    def refine(self, values: dict[str, Array]) -> dict[str, Array]:
        """Start values of the whole line from those that the fits of `coarse()` ended with (NumPy, leading axis the spectra)."""
        return {k: values.get(k, p.start) for k, p in self.parameters().items()}

    def __mul__(self, other: Lineshape) -> Product:
        return Product(self, other)


class Product(Lineshape):
    """L(t) = first(t) * second(t). The names of their parameters must differ."""

    first: Lineshape
    second: Lineshape

    def __check_init__(self):
        both = self.first.parameters().keys() & self.second.parameters().keys()
        if both:
            raise ValueError(f"lineshapes: {', '.join(sorted(both))} would occur twice in the product")

    def parameters(self):
        return self.first.parameters() | self.second.parameters()

    def coarse(self):
        return Product(self.first.coarse(), self.second.coarse())

    def refine(self, values):
        return self.first.refine(values) | self.second.refine(values)

    def rate(self, values):
        return self.first.rate(values) + self.second.rate(values)

    def rate_jacobian(self):
        return self.first.rate_jacobian() | self.second.rate_jacobian()

    def envelope(self, values, sampling):
        return self.first.envelope(values, sampling) * self.second.envelope(values, sampling)

    def envelope_jacobian(self, values, sampling):
        first, second = self.first.envelope(values, sampling), self.second.envelope(values, sampling)
        left = {k: d * second for k, d in self.first.envelope_jacobian(values, sampling).items()}
        return left | {k: d * first for k, d in self.second.envelope_jacobian(values, sampling).items()}


class Lorentz(Lineshape):
    """exp(-pi fwhm t): homogeneous (T2) decay; `lorentz` is the FWHM in Hz."""

    start: float = eqx.field(static=True, default=2.0)
    upper: float = eqx.field(static=True, default=40.0)
    mean: float = eqx.field(static=True, default=0.0)
    sd: float = eqx.field(static=True, default=math.inf)

    def parameters(self):
        return {"lorentz": Parameter(self.start, lower=0.0, upper=self.upper, mean=self.mean, sd=self.sd, unit="Hz")}

    def rate(self, values):
        return -jnp.pi * values["lorentz"]

    def rate_jacobian(self):
        return {"lorentz": -math.pi}


class Gauss(Lineshape):
    """exp(-pi^2 q t^2 / (4 ln 2)): a Gaussian distribution of frequencies with FWHM sqrt(q).

    The parameter is the squared width `gauss` = q in Hz^2: the exponent is linear in it, so that the derivative does not vanish at
    zero width and squared widths of composed lines add.
    """

    start: float = eqx.field(static=True, default=16.0)
    upper: float = eqx.field(static=True, default=900.0)
    mean: float = eqx.field(static=True, default=0.0)
    sd: float = eqx.field(static=True, default=math.inf)

    def parameters(self):
        return {"gauss": Parameter(self.start, lower=0.0, upper=self.upper, mean=self.mean, sd=self.sd, unit="Hz^2")}

    def envelope(self, values, sampling):
        return jnp.exp(-GAUSS_RATE * values["gauss"] * sampling.time**2)

    def envelope_jacobian(self, values, sampling):
        return {"gauss": -GAUSS_RATE * sampling.time**2 * self.envelope(values, sampling)}


def Voigt() -> Product:
    """Lorentz times Gauss in time, the Voigt line in frequency."""
    return Lorentz() * Gauss()


class FreeLine(Lineshape):
    """A free, non-negative, smooth, normalised distribution of frequencies.

        L(t) = sum_k h_k exp(2 pi i s u_k t),   h = softmax(-v^2 / 2 + sum_j a_j psi_j(v)),   u = (v - mean_h v) / sd_h v

    on a grid v = -4 .. 4; s is the standard deviation of the Gaussian whose squared FWHM is the parameter `gauss` (Hz^2); psi_j are Hermite
    functions from order 3 on, a_j = `shape` ~ N(0, `sd`). For every a: h >= 0, sum h = 1, the centre of gravity is 0 Hz and the standard
    deviation s, so that shift, width and shape hardly interact. All a_j = 0 is the line of `Gauss`.
    """

    modes: int = eqx.field(static=True, default=6)
    sd: float = eqx.field(static=True, default=1.0)
    start: float = eqx.field(static=True, default=16.0)
    upper: float = eqx.field(static=True, default=900.0)

    def parameters(self):
        return {
            "gauss": Parameter(self.start, lower=1.0, upper=self.upper, unit="Hz^2"),
            "shape": Parameter(np.zeros(self.modes), sd=self.sd, lower=-8.0, upper=8.0, unit="1"),
        }

    def coarse(self):
        return Gauss(start=self.start, upper=self.upper)

    def refine(self, values):
        # a distribution without width has no shape to find
        return {"gauss": np.maximum(values["gauss"], self.start / 2), "shape": self.parameters()["shape"].start}

    def weights(self, shape: Float[Array, " modes"]) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
        """Grid u of mean 0 and standard deviation 1, and weights h of the distribution."""
        v = np.linspace(-4.0, 4.0, 25)
        psi = [np.exp(-(v**2) / 4), v * np.exp(-(v**2) / 4)]
        for j in range(2, self.modes + 3):  # recurrence of the normalised Hermite functions
            psi.append((v * psi[-1] - math.sqrt(j - 1) * psi[-2]) / math.sqrt(j))
        log_h = shape @ jnp.asarray(np.array(psi[3:]), shape.dtype) - jnp.asarray(v**2 / 2, shape.dtype)
        h = jax.nn.softmax(log_h)
        u = jnp.asarray(v, shape.dtype)
        u = u - h @ u
        return u / jnp.sqrt(h @ u**2), h

    def envelope(self, values, sampling):
        u, h = self.weights(values["shape"])
        return h @ self._waves(values["gauss"], u, sampling)

    def envelope_jacobian(self, values, sampling):
        # dL = sum_k (dh_k + 2 pi i t (s h_k du_k + ds h_k u_k)) exp(2 pi i s u_k t): one product with the waves for all parameters
        q, shape = values["gauss"], values["shape"]
        u, h = self.weights(shape)
        du, dh = jax.jacfwd(self.weights)(shape)
        spread = jnp.sqrt(q) / GAUSS_FWHM
        rows = jnp.concatenate([dh.T, (spread * h[:, None] * du).T, (spread / (2 * q) * h * u)[None]])
        sums = rows @ self._waves(q, u, sampling)
        n, turn = self.modes, 2j * jnp.pi * sampling.time
        return {"shape": sums[:n] + turn * sums[n : 2 * n], "gauss": turn * sums[-1]}

    @staticmethod
    def _waves(q, u, sampling) -> Complex[Array, "k n"]:
        return exponentials(2j * jnp.pi * jnp.sqrt(q) / GAUSS_FWHM * u, sampling.dwell_time, sampling.n_points)
