"""When and at which frequencies a signal was sampled: every axis of the project is made here."""

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from mrsjax.core.constants import PPM_REF_WATER


def _real(x) -> Float[Array, "..."]:
    """A float array of JAX's default width: a fixed dtype, never weakly typed, so that a new value does not retrace."""
    return jnp.asarray(x, dtype=jnp.result_type(float))


def _computed(function, *constants) -> Float[Array, "..."]:
    """`function(numpy, *constants)` of known numbers in NumPy: nothing to compile, and double precision before the cast; of traced ones in JAX."""
    if any(isinstance(c, jax.core.Tracer) for c in constants):
        return function(jnp, *constants)
    return jnp.asarray(function(np, *(np.asarray(c, float) for c in constants)), jnp.result_type(*constants))


class Sampling(eqx.Module):
    """Time and frequency grid of a FID.

    **Arguments:**

    - `dwell_time`: time between points, s.
    - `central_frequency`: spectrometer (0 Hz) frequency, Hz.
    - `n_points`: number of complex points of a FID.
    - `ppm_ref`: chemical shift at 0 Hz, ppm.
    - `nucleus`: e.g. `"1H"`.

    The axes: `time` t_n = n * dwell_time; `frequency` f_k ascending, Hz, +f = higher ppm; `ppm` = ppm_ref + f / central_frequency.

    **Raises:** `ValueError` for fewer than 2 points, or a dwell time or frequency that is not a positive number.
    """

    dwell_time: Float[Array, ""] = eqx.field(converter=_real)
    central_frequency: Float[Array, ""] = eqx.field(converter=_real)
    ppm_ref: Float[Array, ""] = eqx.field(converter=_real)
    n_points: int = eqx.field(static=True)
    nucleus: str = eqx.field(static=True)

    def __init__(self, dwell_time, central_frequency, n_points: int, *, ppm_ref=PPM_REF_WATER, nucleus: str = "1H"):
        self.dwell_time = _real(dwell_time)
        self.central_frequency = _real(central_frequency)
        self.ppm_ref = _real(ppm_ref)
        self.n_points = int(n_points)
        self.nucleus = nucleus

    def __check_init__(self):
        if self.n_points < 2:
            raise ValueError(f"n_points: wanted at least 2, found {self.n_points}")
        for name in ("dwell_time", "central_frequency"):
            value = getattr(self, name)
            if not isinstance(value, jax.core.Tracer) and not (np.isfinite(value) & (value > 0)).all():
                raise ValueError(f"{name}: wanted a positive number, found {value}")

    @property
    def time(self) -> Float[Array, " n"]:
        """Sample times, s."""
        return _computed(lambda numbers, dwell: numbers.arange(self.n_points) * dwell, self.dwell_time)

    @property
    def frequency(self) -> Float[Array, " n"]:
        """Frequencies, ascending, Hz."""
        n = self.n_points
        return _computed(lambda numbers, dwell: (numbers.arange(n) - n // 2) / (n * dwell), self.dwell_time)

    @property
    def ppm(self) -> Float[Array, " n"]:
        """Chemical shifts, ascending with `frequency`, ppm."""
        return self.to_ppm(self.frequency)

    def to_ppm(self, frequency: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """Chemical shift (ppm) at a frequency (Hz)."""
        return _computed(
            lambda _, f, center, ref: ref + 1e6 * f / center, frequency, self.central_frequency, self.ppm_ref
        )

    def to_hz(self, ppm: Float[ArrayLike, "*s"]) -> Float[Array, "*s"]:
        """Frequency (Hz) of a chemical shift (ppm)."""
        return _computed(lambda _, p, center, ref: (p - ref) * 1e-6 * center, ppm, self.central_frequency, self.ppm_ref)
