"""A group of components (metabolites, macromolecules, lipids) that share a shift and a lineshape."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import exponentials
from mrsjax.core.parameters import Parameter
from mrsjax.core.sampling import Sampling
from mrsjax.physics.lineshape import GAUSS_RATE, Lineshape


class OwnLine(eqx.Module):
    """Priors of what each component has of its own, beside what the group shares.

    `shift_sd` (Hz), `lorentz_sd` (Hz, FWHM), `gauss_sd` (Hz^2, squared FWHM): standard deviations of zero-mean Gaussian priors, one a component;
    `None` where the components have nothing of their own.
    """

    shift_sd: Float[np.ndarray, " m"] | None = None
    lorentz_sd: Float[np.ndarray, " m"] | None = None
    gauss_sd: Float[np.ndarray, " m"] | None = None


class Group(eqx.Module):
    """Components x_m(t) = b_m(t) L(t) exp(2 pi i (shift + own_shift_m) t - pi own_lorentz_m t - k own_gauss_m t^2).

    **Arguments:**

    - `fids`: (m, n), the responses b_m.
    - `lineshape`: the shared L(t).
    - `own`: what each component has of its own.
    - `shift_sd`, `shift_limit`: prior and bounds of the group's shift, Hz.
    - `name`: of the group, `names`: of its components.
    """

    fids: Complex[Array, "m n"]
    lineshape: Lineshape
    own: OwnLine
    name: str = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    shift_sd: float = eqx.field(static=True, default=math.inf)
    shift_limit: float = eqx.field(static=True, default=25.0)

    def parameters(self) -> dict[str, Parameter]:
        shared = {"shift": Parameter(0.0, lower=-self.shift_limit, upper=self.shift_limit, sd=self.shift_sd, unit="Hz")}
        own = {}
        limits = {"own_shift": 4.0, "own_lorentz": 4.0, "own_gauss": 2.0}
        for name, sd, unit in (
            ("own_shift", self.own.shift_sd, "Hz"),
            ("own_lorentz", self.own.lorentz_sd, "Hz"),
            ("own_gauss", self.own.gauss_sd, "Hz^2"),
        ):
            if sd is not None:
                bound = limits[name] * sd
                own[name] = Parameter(np.zeros(len(self.names)), lower=-bound, upper=bound, sd=sd, unit=unit)
        return shared | self.lineshape.parameters() | own

    def rate(self, values: dict[str, Array]) -> Complex[Array, ""]:
        """Exponent that all components have in common, rad/s: 2 pi i shift and the line's exponential part."""
        return 2j * jnp.pi * values["shift"] + self.lineshape.rate(values)

    def rate_jacobian(self) -> dict[str, complex]:
        """Derivatives of `rate`: constants."""
        return {"shift": 2j * math.pi} | self.lineshape.rate_jacobian()

    def rates(self, values: dict[str, Array]) -> Complex[Array, " m"]:
        """Exponent of each component, its own shift and width included."""
        rate = jnp.broadcast_to(self.rate(values), len(self.names))
        if "own_shift" in values:
            rate = rate + 2j * jnp.pi * values["own_shift"]
        return rate - jnp.pi * values["own_lorentz"] if "own_lorentz" in values else rate

    def components(
        self, values: dict[str, Array], waves: Complex[Array, "m n"], sampling: Sampling
    ) -> Complex[Array, "m n"]:
        """The components without the line's envelope; `waves`: exp(rates t)."""
        x = self.fids * waves
        if "own_gauss" in values:
            exponent = -GAUSS_RATE * values["own_gauss"][:, None] * sampling.time**2
            # of a narrowed line; x is 0 where single precision would overflow
            x = x * jnp.exp(jnp.minimum(exponent, 80.0))
        return x

    def signal(
        self, values: dict[str, Array], amplitudes: Float[Array, " m"], sampling: Sampling
    ) -> Complex[Array, " n"]:
        """sum_m c_m x_m(t). Components that have nothing of their own are summed first."""
        step, n = sampling.dwell_time, sampling.n_points
        if any(name.startswith("own_") for name in values):
            total = amplitudes @ self.components(values, exponentials(self.rates(values), step, n), sampling)
        else:
            # a real matrix product over (Re, Im): under vmap one large product for the whole batch
            both = amplitudes @ jnp.concatenate([self.fids.real, self.fids.imag], axis=1)
            total = lax.complex(both[:n], both[n:]) * exponentials(self.rate(values), step, n)
        return total * self.lineshape.envelope(values, sampling)
