"""Removal of nuisance peaks by a Hankel singular value decomposition that looks at one band of frequencies only.

HLSVD (Barkhuijsen et al. 1987; Pijnappel et al. 1992) writes a FID as a sum of damped exponentials a_k z_k^n and finds the z_k from the
singular vectors of its Hankel matrix H. Here H is first multiplied by Slepian sequences Q of the band (Slepian 1978), the most concentrated ones there are:

    Y = H Q,   Y_nj = sum_m s_{n+m} q_j(m) = sum_k a_k z_k^n g_kj,   g_kj = sum_m q_j(m) z_k^m

Each column of Y is the FID behind a band-pass filter. The filter keeps the z_k as they are and removes what lies outside of the band, so a few exponentials and a
matrix of M = N / 3 rows and K = 2 W M + 4 columns are enough where the whole Hankel matrix needs many: the products are FFTs, the singular vectors come from the small matrix Y^H Y, the
amplitudes from the least-squares fit of Y. No LAPACK call: under `vmap` the cost is that of the arithmetic.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Complex, Float
from scipy.signal.windows import dpss

from mrsjax.core.fourier import exponentials
from mrsjax.core.sampling import Sampling
from mrsjax.inference.linalg import solve
from mrsjax.processing import hermitian
from mrsjax.processing.checks import usable
from mrsjax.processing.noise import noise_power

#: Where residual water lies, ppm.
WATER_PPM = (4.35, 4.95)
#: The analysis band is wider than the window by this, ppm: a line at the edge of the window is then seen whole.
MARGIN_PPM = 0.15
#: Eigenvalues of Y^H Y up to this multiple of the mean of noise alone are noise; the bound for white columns is (1 + sqrt(K / L))^2 (Marchenko & Pastur 1967), 1.42 for K / L = 23 / 683.
EDGE = 1.5


class Exponentials(eqx.Module):
    """Damped exponentials found in one FID: a_k exp((2 pi i f_k - d_k) t).

    `amplitude` complex; `frequency` Hz (+ = higher ppm); `damping` 1/s (FWHM = damping / pi); `used` whether the line lies in the window.
    """

    amplitude: Complex[Array, " k"]
    frequency: Float[Array, " k"]
    damping: Float[Array, " k"]
    used: Float[Array, " k"]

    def signal(self, dwell_time: Float[Array, ""], n_points: int) -> Complex[Array, " n"]:
        """Sum of the exponentials inside the window."""
        rate = -self.damping + 2j * jnp.pi * self.frequency
        return (self.used * self.amplitude) @ exponentials(rate, dwell_time, n_points)


class BandHLSVD(eqx.Module):
    """The set-up of a band for FIDs of one sampling: make it once, call it on each FID, `vmap` for more.

    **Arguments:**

    - `window`: ppm bounds of the lines that are removed.
    - `components`: number of exponentials in the band.

    **Raises:** `ValueError` for a window outside the spectrum, upside down, or too narrow to be seen.
    """

    filters: Complex[Array, "m k"]
    response: Complex[Array, "k n"]
    bounds: Float[Array, "2"]
    margin: Float[Array, ""]
    dwell_time: Float[Array, ""]
    components: int = eqx.field(static=True)
    n_points: int = eqx.field(static=True)

    def __init__(self, sampling: Sampling, window: tuple[float, float] = WATER_PPM, *, components: int = 12):
        low, high = float(window[0]), float(window[1])
        n, step = sampling.n_points, float(sampling.dwell_time)
        edge = np.asarray(sampling.to_hz(np.array([low - MARGIN_PPM, high + MARGIN_PPM])), dtype=float)
        width = 0.5 / step
        if not low < high:
            raise ValueError(f"window: wanted (low, high) in ppm, found {window}")
        if edge[0] < -width or edge[1] > width:
            ppm = np.asarray(sampling.ppm)
            raise ValueError(f"window: wanted ppm inside {ppm[0]:.2f} to {ppm[-1]:.2f}, found {window} +- {MARGIN_PPM}")
        if components < 1:
            raise ValueError(f"components: wanted at least 1, found {components}")
        length = n // 3
        half_band = 0.5 * (edge[1] - edge[0]) * step * length  # W M of Slepian's sequences
        count = min(length, max(int(np.ceil(2 * half_band)) + 4, components + 2))
        if 2 * half_band < 0.5 or length < components + 2:
            raise ValueError(
                f"window: {low} to {high} ppm is narrower than the resolution of a FID of {n * step:.3g} s; wanted a longer FID"
            )
        tapers = dpss(length, max(half_band, 0.5), count)  # (count, length), orthonormal
        carrier = np.exp(-2j * np.pi * edge.mean() * step * np.arange(length))
        filters = (tapers * carrier).T
        # Y by correlation: Y_n = sum_m s_{n+m} q(m) is the inverse FFT of S(f) times the transform of q run backwards.
        self.response = jnp.asarray(np.fft.ifft(filters.T, n, axis=-1) * n)
        self.filters = jnp.asarray(filters)
        self.bounds = jnp.asarray(np.asarray(sampling.to_hz(np.array([low, high]))))
        self.margin = self.bounds[0] - float(edge[0])
        self.dwell_time = sampling.dwell_time
        self.components = int(components)
        self.n_points = n

    def __call__(self, fid: Complex[Array, " n"]) -> Exponentials:
        """The exponentials of one FID in the band."""
        if fid.shape != (self.n_points,):
            raise ValueError(f"fid: wanted {self.n_points} points, found shape {fid.shape}")
        size = jnp.sqrt(jnp.mean(jnp.abs(fid) ** 2))
        fid = fid / jnp.maximum(size, jnp.finfo(size.dtype).tiny)
        rows = self.n_points - self.filters.shape[0] + 1
        dtype = fid.dtype
        response = self.response.astype(dtype)
        y = jnp.fft.ifft(jnp.fft.fft(fid)[None, :] * response, axis=-1)[:, :rows].T
        poles, real = self._poles(y, noise_power(fid))
        amplitude = self._amplitudes(y, poles, real)
        rate = jnp.log(poles) / self.dwell_time.astype(fid.real.dtype)
        frequency, damping = jnp.imag(rate) / (2 * jnp.pi), -jnp.real(rate)
        inside = (frequency >= self.bounds[0]) & (frequency <= self.bounds[1])
        return Exponentials(amplitude * size, frequency, damping, (inside & real).astype(fid.real.dtype))

    def _poles(
        self, y: Complex[Array, "l k"], noise: Float[Array, ""]
    ) -> tuple[Complex[Array, " r"], Bool[Array, " r"]]:
        """Shift invariance of the dominant left singular vectors: U_up Z = U_down, the poles are the eigenvalues of Z; and which of them are signals.

        Singular vectors of no more energy than the largest that noise alone would have are left out, and so are poles that grow, or decay faster than
        the band is wide.
        """
        gram = hermitian.product(hermitian.dagger(y), y)
        v = _dominant(gram, self.components)
        u = hermitian.product(y, v)
        energy = jnp.sum(jnp.abs(u) ** 2, axis=0)
        eps = jnp.finfo(energy.dtype).eps
        kept = energy > jnp.maximum(
            EDGE * y.shape[0] * noise, 1e3 * eps**2 * jnp.max(energy) + jnp.finfo(energy.dtype).tiny
        )
        u = jnp.where(kept, u * lax.rsqrt(jnp.where(kept, energy, 1.0)), 0.0)
        up, down = u[:-1], u[1:]
        left = hermitian.product(hermitian.dagger(up), up)
        left = left + jnp.diag(jnp.where(kept, 10 * eps, 1.0).astype(left.dtype))
        z = hermitian.eigenvalues(solve(left, hermitian.product(hermitian.dagger(up), down), jnp.ones(len(left), bool)))
        modulus = jnp.abs(z)
        fastest = jnp.exp(-jnp.pi * (self.bounds[1] - self.bounds[0] + 2 * self.margin) * self.dwell_time)
        real = (modulus > fastest) & (modulus < 1.0 + 2.0 / self.n_points)
        return jnp.where(real, z / jnp.maximum(modulus, 1.0), 1.0), real

    def _amplitudes(
        self, y: Complex[Array, "l k"], poles: Complex[Array, " r"], real: Bool[Array, " r"]
    ) -> Complex[Array, " r"]:
        """Least squares of Y_nj = sum_k a_k z_k^n g_kj."""
        rows = y.shape[0]
        rate = jnp.log(poles)
        one = jnp.ones((), y.real.dtype)
        time = exponentials(rate, one, rows)  # (r, l)
        g = hermitian.product(exponentials(rate, one, self.filters.shape[0]), self.filters.astype(y.dtype))  # (r, k)
        gram = hermitian.product(jnp.conj(time), time.T) * hermitian.product(jnp.conj(g), g.T)
        right = jnp.sum(hermitian.product(jnp.conj(time), y) * jnp.conj(g), axis=1)
        gram = jnp.where(real[:, None] & real[None, :], gram, jnp.eye(gram.shape[0], dtype=gram.dtype))
        right = jnp.where(real, right, 0.0)
        size = jnp.real(jnp.diagonal(gram))
        gram = gram + jnp.diag((100 * jnp.finfo(y.real.dtype).eps * size).astype(gram.dtype))
        return solve(gram, right, jnp.ones(len(right), bool))


def _dominant(gram: Complex[Array, "k k"], rank: int, *, iterations: int = 6) -> Complex[Array, "k r"]:
    """The `rank` leading eigenvectors of a Hermitian matrix: subspace iteration from its pivoted columns."""

    def pick(i, carry):
        rest, chosen = carry
        diagonal = jnp.real(jnp.diagonal(rest))
        at = jnp.argmax(diagonal)
        pivot = jnp.maximum(diagonal[at], jnp.finfo(diagonal.dtype).tiny)
        column = rest[:, at] * lax.rsqrt(pivot)
        return rest - column[:, None] * jnp.conj(column)[None, :], chosen.at[:, i].set(column)

    start = jnp.zeros((gram.shape[0], rank), gram.dtype)
    v = lax.fori_loop(0, rank, pick, (gram, start))[1]
    v = hermitian.orthonormal(v)
    return lax.fori_loop(0, iterations, lambda _, v: hermitian.orthonormal(hermitian.product(gram, v)), v)


def remove_peaks(
    fid: Complex[Array, " n"], band: BandHLSVD
) -> tuple[Complex[Array, " n"], Complex[Array, " n"], Exponentials]:
    """A FID without the lines in the window of `band`; the removed signal; its exponentials."""
    found = band(fid)
    removed = found.signal(band.dwell_time.astype(fid.real.dtype), fid.shape[-1])
    return fid - removed, removed, found


@eqx.filter_jit
def _remove_chunk(fids, band):
    return jax.vmap(lambda s: remove_peaks(s, band)[:2])(fids)


def remove_peaks_all(
    fids: Complex[np.ndarray, "s n"], band: BandHLSVD, *, slots: int | None = None
) -> tuple[Complex[np.ndarray, "s n"], Complex[np.ndarray, "s n"]]:
    """`remove_peaks` over a stack in chunks of `slots` spectra (what a cache holds), on the host: cleaned and removed FIDs.

    A FID that is not finite or all zero is passed through and nothing is removed from it.
    """
    fids = np.asarray(fids)
    good = usable(fids)
    slots = slots or (16 if jax.default_backend() == "cpu" else 4096)
    rows = np.flatnonzero(good)
    slots = min(slots, max(len(rows), 1))
    clean, removed = fids.copy(), np.zeros_like(fids)
    for first in range(0, len(rows), slots):
        index = rows[np.minimum(np.arange(first, first + slots), len(rows) - 1)]
        kept, gone = _remove_chunk(jnp.asarray(fids[index]), band)
        clean[index], removed[index] = np.asarray(kept), np.asarray(gone)
    return clean, removed
