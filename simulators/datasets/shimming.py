"""`DistortedField`: the signal of an object in an unknown field, and after a known probe of each shim channel."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key
from numpyro.distributions import Distribution

from mrsjax.core import Sample, Sampling, cis, exponentials
from simulators.artefacts.noise import complex_normal
from simulators.artefacts.random import draws
from simulators.tissue.priors import single


class DistortedField(eqx.Module):
    """What a network that shims sees (Becker 2022a, b); a `mrsjax.core.Simulator`.

        s_j(t) = exp(i phase_j + 2 pi i drift_j t - pi lorentz t) sum_r w_r exp(2 pi i t (c + p_j) . B(r) + 2 pi i t o . O(r)),    j = 0 .. k

    - `weight` (r,): of the object's points, sum 1; `channels` (r, k): fields B, `others` (r, l): fields O that no channel reaches, each mean 0 and root mean square
      1 Hz over the object.
    - `distortion`, `other`: priors of c (k,) and o (l,), Hz, signed (a prior of one sign makes every field lean one way). `probe`: Hz, p_0 = 0 and p_j = `probe` in channel j.
    - `lorentz` (FWHM, Hz), `drift` (k + 1,) Hz, `phase` (k + 1,) rad. `snr`: of the height of the line at c = p = o = 0 over the standard deviation of the real noise in the spectrum.

    A sample: `data` (1 + k, n); `truth`: "distortion" (k,) (its negative is the shim), "others" (l,), "field" (r,) Hz, "fid" (1 + k, n) without noise; `labels`: "snr", "noise", "lorentz",
    "drift", "phase", "rms" (Hz, of the field).
    """

    sampling: Sampling
    weight: Float[Array, " r"]
    channels: Float[Array, "r k"]
    others: Float[Array, "r l"]
    distortion: Distribution
    other: Distribution
    lorentz: Distribution
    drift: Distribution
    phase: Distribution
    snr: Distribution
    probe: Float[Array, ""] = eqx.field(converter=single)

    block = 256
    together = 32

    @property
    def dims(self) -> tuple[str, ...]:
        return ("DIM_DYN",)

    def sample(self, key: Key[Array, ""]) -> Sample:
        """One field and its spectra; pure."""
        of_noise, (c, o, lorentz, drift, phase, snr) = draws(
            key, self.distortion, self.other, self.lorentz, self.drift, self.phase, self.snr
        )
        fixed = jnp.dot(self.channels, c, precision=jax.lax.Precision.HIGHEST)
        fixed = fixed + jnp.dot(self.others, o, precision=jax.lax.Precision.HIGHEST)
        probes = jnp.concatenate([jnp.zeros_like(fixed)[None], self.probe * self.channels.T])
        s = self.sampling
        dephased = jax.vmap(lambda p: dephasing(fixed + p, self.weight, s))(probes)
        rate = jax.lax.complex(-math.pi * lorentz * jnp.ones_like(drift), 2 * math.pi * drift)
        clean = cis(phase)[:, None] * dephased * exponentials(rate, s.dwell_time, s.n_points)
        half = jnp.where(jnp.arange(s.n_points) == 0, 0.5, 1.0).astype(jnp.float32)
        height = jnp.sum(half * jnp.exp(-math.pi * lorentz * s.time.astype(jnp.float32))) / math.sqrt(s.n_points)
        sd = height / snr
        data = clean + sd * complex_normal(of_noise, clean.size).reshape(clean.shape)
        truth = {"distortion": c, "others": o, "field": fixed, "fid": clean}
        rms = jnp.sqrt(jnp.sum(self.weight * fixed**2))
        labels = {"snr": snr, "noise": sd, "lorentz": lorentz, "drift": drift, "phase": phase, "rms": rms}
        return Sample(data, truth, labels)


def dephasing(field: Float[Array, " r"], weight: Float[Array, " r"], sampling: Sampling) -> Complex[Array, " n"]:
    """D(t) = sum_r w_r exp(2 pi i field_r t) (`physics.dephasing.direct_sum`) as one matrix product over the points: D(64 j + k) = sum_r [w_r exp(64 j a_r)] exp(k a_r)."""
    baby, n = 64, sampling.n_points
    step = sampling.dwell_time.astype(jnp.float32)
    rate = jax.lax.complex(jnp.zeros_like(field), 2 * math.pi * field)
    small = exponentials(rate, step, baby)
    large = weight[:, None] * exponentials(rate, step * baby, -(-n // baby))
    return jnp.einsum("rj,rk->jk", large, small, precision=jax.lax.Precision.HIGHEST).reshape(-1)[:n]
