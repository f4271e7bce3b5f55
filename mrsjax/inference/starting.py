"""Starting values found from the data: frequency shift and phase by correlation with a prototype brain spectrum."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import to_fid, to_spectrum
from mrsjax.core.metabolites import SUMS, canonical
from mrsjax.physics.model import SignalModel

#: Typical amplitudes in adult brain, mmol/kg (order of magnitude, de Graaf 2019): they only weight the correlation.
TYPICAL = {
    "NAA": 11.0, "NAAG": 1.5, "Cr": 4.5, "PCr": 4.0, "GPC": 1.0, "PCh": 0.6, "Cho": 1.5, "Ins": 6.0, "Glu": 9.0, "Gln": 2.5,
    "Tau": 1.5, "GSH": 1.5, "Asp": 2.0, "Scyllo": 0.4,
}  # fmt: skip

#: Correlation times: macromolecules and baseline are gone after the first, the noise takes over after the second, s.
EARLY, LATE = 0.012, 0.15
#: How far from zero (Hz) a shift is looked for, and how far the whole correlation is looked at (Hz, and ppm: less than from creatine to NAA, which a spectrum without one of them would match).
NEAR, FAR, FAR_PPM = 22.0, 110.0, 0.85


class Match(NamedTuple):
    """The best match with a prototype: shift (Hz), phase (rad), and the largest correlation between `NEAR` and `FAR` over that of the match: above 1 the spectrum lies somewhere else."""

    shift: Float[Array, ""]
    phase: Float[Array, ""]
    elsewhere: Float[Array, ""]


def prototype(model: SignalModel) -> Complex[Array, " n"]:
    """FID of a typical mixture of the model's components, at the model's start values.

    Components without a typical amplitude are left out; a basis without any known name is summed as it is.
    """
    parts = [SUMS.get(canonical(name), (canonical(name),)) for name in model.names]
    weight = np.array([sum(TYPICAL.get(part, 0.0) for part in each) for each in parts])
    if not weight.any():
        weight = np.ones(len(model.names))
    real = model.groups[0].fids.real.dtype
    values = jax.tree.map(lambda x: x.astype(real), model.start())
    return model.signal(values, jnp.asarray(weight, real))


def correlate(
    model: SignalModel,
    proto: Complex[Array, " n"],
    fid: Complex[Array, " n"],
    band: Float[Array, " n"],
) -> Match:
    """The best match of a FID with a prototype within `NEAR`.

        rho(f) = sum_t w(t) x(t) conj(p(t)) exp(-2 pi i f t)

    x, p: data and prototype restricted to a `band` (weights on the frequency grid) that holds the singlets; w(t) leaves out the first
    milliseconds, where macromolecules and the baseline live, and the late noise. The modulus of rho has its maximum at the shift, its angle there is the phase.
    """
    s = model.sampling
    x, p = to_fid(band * to_spectrum(fid)), to_fid(band * to_spectrum(proto))
    t = s.time
    w = (1 - jnp.exp(-((t / EARLY) ** 2))) * jnp.exp(-((t / LATE) ** 2))
    product = x * jnp.conj(p) * w
    finer = 4  # zero-filling, for a step well below a line width
    rho = jnp.fft.fftshift(jnp.fft.fft(product, finer * s.n_points))
    frequency = (jnp.arange(finer * s.n_points) - finer * s.n_points // 2) / (finer * s.n_points * s.dwell_time)
    far, size = jnp.abs(frequency), jnp.abs(rho)
    end = jnp.minimum(FAR, FAR_PPM * 1e-6 * s.central_frequency)
    beyond = jnp.max(jnp.where((far > NEAR) & (far < end), size, 0.0))
    size = jnp.where(far <= NEAR, size, 0.0)
    peak = (size > jnp.roll(size, 1)) & (size >= jnp.roll(size, -1))
    at = jnp.argmax(jnp.where(peak, size, 0.0))
    return Match(frequency[at], jnp.angle(rho[at]), beyond / jnp.maximum(size[at], jnp.finfo(size.dtype).tiny))
