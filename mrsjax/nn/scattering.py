"""Fixed front ends of a band of a spectrum: wavelet scattering and the spectrogram."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

#: Octaves, and wavelets for each octave, of the two layers (Anden and Mallat 2014).
OCTAVES, PER_OCTAVE = 5, (4, 1)


def morlet_bank(n: int, octaves: int = OCTAVES, per_octave: int = 1) -> Float[np.ndarray, "w n"]:
    """Transfer functions of analytic Gaussian (Morlet) wavelets on the grid of `fftfreq(n)`: centres 0.35 2^(-j / per_octave)."""
    f = np.fft.fftfreq(n)
    centres = 0.35 * 2.0 ** (-np.arange(octaves * per_octave) / per_octave)
    widths = centres * (2 ** (1 / per_octave) - 1) / (2 ** (1 / per_octave) + 1) * 1.2
    bank = np.exp(-0.5 * ((f - centres[:, None]) / widths[:, None]) ** 2)
    return bank - bank[:, :1] * np.exp(-0.5 * (f / widths[:, None]) ** 2)  # no mean: admissible


def scattering(signal: Complex[Array, " k"], *, averaged: int = 16) -> Float[Array, "j p"]:
    """Scattering coefficients of order 0 (four of them: real, imaginary and both signs' first layer), 1 and 2, low-passed and decimated by `averaged`.

        S0 = x * phi,  S1 = |x * psi_a| * phi,  S2 = ||x * psi_a| * psi_b| * phi  for wavelets b coarser than a

    Convolutions are products in the Fourier domain; psi with positive and negative centre, since x is complex. Rows: positions; columns: paths.
    """
    n = signal.shape[-1]
    first, second = morlet_bank(n, per_octave=PER_OCTAVE[0]), morlet_bank(n, per_octave=PER_OCTAVE[1])
    both = np.concatenate([first, first[:, (-np.arange(n)) % n]])
    low = np.exp(-0.5 * (np.fft.fftfreq(n) * averaged * 2.0) ** 2)
    dtype = signal.real.dtype
    one = jnp.abs(jnp.fft.ifft(jnp.fft.fft(signal) * jnp.asarray(both, dtype)))
    octave = np.tile(np.arange(first.shape[0]) // PER_OCTAVE[0], 2)
    pairs = np.array([(a, b) for a in range(len(both)) for b in range(len(second)) if b > octave[a]])
    spectra = jnp.fft.fft(one)
    two = jnp.abs(jnp.fft.ifft(spectra[pairs[:, 0]] * jnp.asarray(second[pairs[:, 1]], dtype)))
    zero = jnp.stack([signal.real, signal.imag])
    paths = jnp.concatenate([zero, one, two])
    smooth = jnp.fft.ifft(jnp.fft.fft(paths) * jnp.asarray(low, dtype)).real
    return smooth[:, averaged // 2 :: averaged].T


def spectrogram(spectrum: Complex[Array, " k"], *, frames: int = 16, overlap: int = 2) -> Complex[Array, "j t"]:
    """Short-time spectra of a band: the band's own time signal under `frames` Hann windows, `overlap` of which cover each point.

    Rows are frequencies of the band (decimated by frames / overlap), columns times: coarse in frequency where resolved in time.
    """
    n = spectrum.shape[-1]
    signal = jnp.fft.ifft(jnp.fft.ifftshift(spectrum), norm="ortho")
    width = overlap * n // frames
    starts = np.linspace(0, n - width, frames).round().astype(int)
    window = np.sin(np.pi * (np.arange(width) + 0.5) / width) ** 2
    pieces = signal[starts[:, None] + np.arange(width)] * jnp.asarray(window, spectrum.real.dtype)
    return jnp.fft.fftshift(jnp.fft.fft(pieces, norm="ortho"), axes=-1).T
