"""How much water signal there is, and how much signal one proton of a basis set gives: the two scales of water
referencing.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from scipy.optimize import least_squares

from mrsjax.core import BasisSet
from mrsjax.core.compilation import jit
from mrsjax.core.metabolites import canonical
from mrsjax.inference.linalg import solve

# Shifted Legendre polynomials up to the third degree, on [0, 1]: well conditioned in float32 as well.
_LEGENDRE = ((1.0,), (-1.0, 2.0), (1.0, -6.0, 6.0), (-1.0, 12.0, -30.0, 20.0))


def water_amplitude(
    fid: Complex[Array, " n"], *, degree: int = 3, floor: float = 0.3
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Amplitude at t = 0 of an unsuppressed water FID and its standard deviation, in the unit of the FID.

    The logarithm of the envelope is a polynomial of time, log|s(t)| = log A - a t - b t^2 - c t^3 (a Voigt line has c =
    0), fitted by weighted least squares from t = 0 until the envelope first falls below `floor` of its maximum. Only
    magnitudes are used: eddy currents, frequency drift and receiver phase change nothing. The weights are |s|^2, the
    inverse variance of log|s|; the mean of log|s| under complex noise of SD sigma is log A + E1(A^2 / 2 sigma^2) / 2,
    that is unbiased above a few sigma, unlike the mean of |s|. The standard deviation comes from the residual, so that
    a poor fit of the envelope shows in it.

    **Arguments:** `fid` one FID; `degree` 1 to 3; `floor` between 0 and 1.

    **Returns:** amplitude and SD; both NaN for an empty or a zero FID.
    """
    if degree not in (1, 2, 3):
        raise ValueError(f"degree: wanted 1, 2 or 3, found {degree}")
    power = jnp.real(fid) ** 2 + jnp.imag(fid) ** 2
    # A mean of five points: one noisy point of a weak signal must not end the fit.
    padded = jnp.pad(power, 2, mode="edge")
    smooth = sum(padded[i : i + power.shape[0]] for i in range(5)) / 5.0
    inside = jnp.cumprod((smooth > floor**2 * jnp.max(smooth)).astype(power.dtype))
    count = jnp.sum(inside)
    u = jnp.arange(power.shape[0], dtype=power.dtype) / jnp.maximum(count - 1.0, 1.0)
    design = jnp.stack([jnp.polyval(jnp.array(c[::-1], power.dtype), u) for c in _LEGENDRE[: degree + 1]])
    scale = jnp.max(power)
    every = jnp.ones(degree + 1, dtype=bool)
    log_envelope = 0.5 * jnp.log(jnp.where(power > 0, power / scale, 1.0))

    def fit(weight):
        normal = (design * weight) @ design.T
        return normal, solve(normal, design @ (weight * log_envelope), every)

    _, first = fit(inside * power / scale)
    # Weights from the fitted envelope, not from the noisy points: |s|^2 and the error of log|s| are correlated.
    weight = inside * jnp.exp(2.0 * jnp.minimum(design.T @ first, 0.5))
    normal, c = fit(weight)
    at_zero = design[:, 0]
    residual = inside * (log_envelope - design.T @ c)
    variance = jnp.sum(weight * residual**2) / jnp.maximum(count - (degree + 1), 1.0)
    spread = at_zero @ solve(normal, at_zero, every)
    amplitude = jnp.sqrt(scale) * jnp.exp(at_zero @ c)
    sd = amplitude * jnp.sqrt(variance * spread)
    valid = (scale > 0) & jnp.all(jnp.isfinite(power)) & (count >= 2 * (degree + 1))
    return jnp.where(valid, amplitude, jnp.nan), jnp.where(valid, sd, jnp.nan)


@jit
def water_amplitudes(fids: Complex[Array, "s n"]) -> tuple[Float[Array, " s"], Float[Array, " s"]]:
    """`water_amplitude` of many FIDs, one program."""
    return jax.vmap(water_amplitude)(fids)


@dataclasses.dataclass(frozen=True)
class ProtonSignal:
    """Signal at t = 0 of one proton at unit concentration in a basis set.

    `value` is the one used (of the singlet `singlet`), `spread` the largest relative difference between it and the
    other singlets that could be measured (`all`: name of the singlet -> value).
    """

    value: float
    singlet: str
    spread: float
    all: dict[str, float]


# Singlets whose signal does not depend on couplings or echo time: name, shift (ppm), protons (Govindaraju 2000), by
# preference.
_SINGLETS = (
    ("Cr", 3.027, 3), ("PCr", 3.029, 3), ("NAA", 2.008, 3), ("GPC", 3.212, 9), ("PCh", 3.208, 9), ("Cho", 3.185, 9),
    ("Scyllo", 3.340, 6), ("tCr", 3.027, 3), ("tNAA", 2.008, 3), ("tCho", 3.210, 9),
)  # fmt: skip


def proton_signal(basis: BasisSet) -> ProtonSignal:
    """Signal of one proton at unit concentration, measured on the singlets of a basis.

    A Voigt line with a linear complex background is fitted to the spectrum within 0.25 ppm of each singlet; its
    amplitude at t = 0 over the number of protons is the signal of a proton. The basis file's own scaling is thereby of
    no importance.

    **Raises:** `ValueError` when no known singlet is in the basis.
    """
    names = [canonical(n) for n in basis.names]
    found = {}
    for name, ppm, protons in _SINGLETS:
        if name in names:
            amplitude = _singlet_amplitude(np.asarray(basis.fids[names.index(name)]), basis, ppm)
            if amplitude is not None:
                found[f"{name} {ppm:.2f} ppm ({protons} H)"] = amplitude / protons
    if not found:
        raise ValueError(
            f"basis: wanted one of Cr, PCr, NAA, GPC, PCh, Scyllo to scale by water, found {', '.join(basis.names)}"
        )
    singlet, value = next(iter(found.items()))
    spread = max(abs(v / value - 1) for v in found.values())
    return ProtonSignal(value, singlet, spread, found)


def _singlet_amplitude(fid: np.ndarray, basis: BasisSet, ppm: float) -> float | None:
    """Amplitude at t = 0 of the singlet near `ppm`, or None when there is no clear line."""
    sampling = basis.sampling
    dwell, n = float(sampling.dwell_time), sampling.n_points
    time = np.arange(n) * dwell
    weight = np.where(np.arange(n) == 0, 0.5, 1.0)

    def spectrum(x):
        return np.fft.fftshift(np.fft.fft(x * weight, norm="ortho"))

    frequency = (np.arange(n) - n // 2) / (n * dwell)
    centre = float(sampling.to_hz(jnp.asarray(ppm)))
    half_width = 0.25e-6 * float(sampling.central_frequency)
    window = np.abs(frequency - centre) < half_width
    if window.sum() < 12:
        return None
    data = spectrum(fid)[window]
    offset = (frequency[window] - centre) / half_width
    peak = frequency[window][np.argmax(np.abs(data) * np.exp(-((2 * offset) ** 2)))]

    def project(p):
        line = spectrum(
            np.exp(2j * np.pi * p[0] * time - np.pi * p[1] * time - (np.pi * p[2] * time) ** 2 / (4 * np.log(2)))
        )[window]
        design = np.stack([line, np.ones_like(line), offset.astype(complex)], axis=1)
        solution = np.linalg.lstsq(design, data, rcond=None)[0]
        return solution, data - design @ solution

    def residual(p):
        r = project(p)[1]
        return np.concatenate([r.real, r.imag])

    bounds = ([peak - 5.0, 0.0, 0.0], [peak + 5.0, 40.0, 40.0])
    result = least_squares(residual, [peak, 1.5, 1.5], bounds=bounds, x_scale=[1.0, 1.0, 1.0])
    amplitude, rest = project(result.x)
    if np.linalg.norm(rest) > 0.2 * np.linalg.norm(data) or not abs(amplitude[0]) > 0:
        return None
    return float(abs(amplitude[0]))
