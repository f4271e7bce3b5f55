"""Apodisation, zero-filling, truncation and interpolation of a FID."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from mrsjax.core import FIDs, Sampling
from mrsjax.core.constants import GAUSS_FWHM


def apodise(
    fid: Complex[Array, " n"],
    sampling: Sampling,
    *,
    lorentz_hz: Float[Array, ""] | float = 0.0,
    gauss_hz: Float[Array, ""] | float = 0.0,
) -> Complex[Array, " n"]:
    """s(t) exp(-pi lorentz t) exp(-(2 pi sigma t)^2 / 2), sigma = gauss / 2.355: lines gain this FWHM (Hz); a negative value narrows them."""
    t = sampling.time
    sigma = jnp.asarray(gauss_hz) / GAUSS_FWHM
    exponent = -jnp.pi * jnp.asarray(lorentz_hz) * t - 0.5 * jnp.sign(sigma) * (2.0 * jnp.pi * sigma * t) ** 2
    return fid * jnp.exp(exponent).astype(fid.dtype)


def _with_points(fids: FIDs, data, n_points: int) -> FIDs:
    s = fids.sampling
    sampling = Sampling(s.dwell_time, s.central_frequency, n_points, ppm_ref=float(s.ppm_ref), nucleus=s.nucleus)
    return FIDs(data, sampling, fids.dims, fids.acquisition)


def zero_fill(fids: FIDs, n_points: int) -> FIDs:
    """FIDs continued by zeros to `n_points`.

    **Raises:** `ValueError` when that is shorter.
    """
    n = fids.sampling.n_points
    if n_points < n:
        raise ValueError(f"n_points: wanted at least the {n} of the data, found {n_points}; truncate shortens")
    width = [(0, 0)] * (fids.data.ndim - 1) + [(0, n_points - n)]
    return _with_points(fids, jnp.pad(jnp.asarray(fids.data), width), n_points)


def truncate(fids: FIDs, *, first: int = 0, last: int = 0) -> FIDs:
    """FIDs without `first` leading points (those before the echo or of the receiver's filter) and `last` trailing ones.

    **Raises:** `ValueError` when fewer than 2 points are left.
    """
    n = fids.sampling.n_points
    if first < 0 or last < 0 or first + last > n - 2:
        raise ValueError(f"truncate: wanted 0 or more points at each end and 2 left of {n}, found {first} and {last}")
    return _with_points(fids, fids.data[..., first : n - last], n - first - last)


def interpolate(fids: FIDs, factor: int) -> FIDs:
    """FIDs on a time grid `factor` times finer (zero-filled spectrum): the same frequencies in a wider spectrum.

    **Raises:** `ValueError` for a factor below 1.
    """
    if factor < 1:
        raise ValueError(f"factor: wanted at least 1, found {factor}")
    n, s = fids.sampling.n_points, fids.sampling
    spectrum = jnp.fft.fftshift(jnp.fft.fft(jnp.asarray(fids.data)), axes=-1)
    before = (factor * n) // 2 - n // 2
    width = [(0, 0)] * (fids.data.ndim - 1) + [(before, factor * n - n - before)]
    fine = factor * jnp.fft.ifft(jnp.fft.ifftshift(jnp.pad(spectrum, width), axes=-1))
    sampling = Sampling(
        s.dwell_time / factor, s.central_frequency, factor * n, ppm_ref=float(s.ppm_ref), nucleus=s.nucleus
    )
    return FIDs(fine, sampling, fids.dims, fids.acquisition)
