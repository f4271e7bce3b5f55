"""The one Fourier and sign convention of the project.

A FID s(t_n), t_n = n * dwell_time, and its spectrum S(f_k), f ascending in Hz and +f at higher ppm:

    S(f_k) = N**-1/2 * sum_n w_n s(t_n) exp(-2 pi i f_k t_n),      w_0 = 1/2, w_n = 1 otherwise

The half weight of the first point is the trapezoid rule at the step t = 0: without it every spectrum stands on a constant
offset of s(0)/2 (Otting et al. 1986). The factor N**-1/2 makes the pair unitary apart from w_0, so that white noise has the same standard deviation
in both domains.
"""

from typing import TypeVar

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float

T = TypeVar("T", np.ndarray, Array)


def to_spectrum(fid: Complex[T, "*batch n"]) -> Complex[T, "*batch n"]:
    """Spectrum of a FID (last axis), frequency ascending; see the module docstring for the equation. Of a NumPy array in NumPy."""
    if isinstance(fid, np.ndarray):
        halved = np.array(fid, np.result_type(fid.dtype, np.complex64))
        halved[..., 0] *= 0.5
        return np.fft.fftshift(np.fft.fft(halved, norm="ortho").astype(halved.dtype), axes=-1)
    fid = jnp.asarray(fid).at[..., 0].multiply(0.5)
    return jnp.fft.fftshift(jnp.fft.fft(fid, norm="ortho"), axes=-1)


def to_fid(spectrum: Complex[T, "*batch n"]) -> Complex[T, "*batch n"]:
    """FID of a spectrum: the exact inverse of `to_spectrum`. Of a NumPy array in NumPy."""
    if isinstance(spectrum, np.ndarray):
        whole = np.fft.ifft(np.fft.ifftshift(spectrum, axes=-1), norm="ortho")
        whole[..., 0] *= 2.0
        return whole.astype(np.result_type(spectrum.dtype, np.complex64))
    fid = jnp.fft.ifft(jnp.fft.ifftshift(jnp.asarray(spectrum), axes=-1), norm="ortho")
    return fid.at[..., 0].multiply(2.0)


def cis(phase: Float[Array, "*shape"]) -> Complex[Array, "*shape"]:
    """exp(i * phase), phase in rad, in the complex dtype that matches the phase (no weak-type promotion)."""
    return jnp.cos(phase) + 1j * jnp.sin(phase)


def exponentials(rate: Complex[Array, "*batch"], step: Float[Array, ""], n_points: int) -> Complex[Array, "*batch n"]:
    """exp(rate * step * n) for n = 0 .. n_points - 1: oscillation and decay on a uniform grid, in time or in frequency.

    With n = 64 j + k the sequence is the outer product of N/64 giant and 64 baby steps: N/64 + 64 exponentials in place of N. The
    product is written as a real matrix product over (Re, Im), which XLA evaluates once; as an elementwise product it would be fused into, and
    evaluated again in, every use.
    """
    baby = min(64, n_points)
    giant = -(-n_points // baby)
    count = np.concatenate([np.arange(baby), baby * np.arange(giant)])
    decay, turn = (rate.real * step)[..., None] * count, (rate.imag * step)[..., None] * count
    real, imag = jnp.exp(decay) * jnp.cos(turn), jnp.exp(decay) * jnp.sin(turn)
    left = jnp.stack([real[..., baby:], imag[..., baby:]], axis=-1)
    real, imag = real[..., :baby], imag[..., :baby]
    right = jnp.stack([jnp.concatenate([real, imag], -1), jnp.concatenate([-imag, real], -1)], axis=-2)
    both = jnp.matmul(left, right, precision=lax.Precision.HIGHEST)
    product = lax.complex(both[..., :baby], both[..., baby:])
    return product.reshape(*rate.shape, -1)[..., :n_points]
