"""Combination of receiver coils into one signal of the best signal-to-noise ratio.

With noise covariance C = L L^H of the coils and a signal s(t) that reaches them with sensitivities b, the data are d(t) = b s(t) + n(t). The weights of minimum variance
are w ~ C^-1 b (Roemer 1990). The methods differ in where b comes from: the dominant singular vector of the whitened data (Rodgers & Robson 2010, wSVD), or its first point
(Brown 2004). Both may be taken from another acquisition with the same coils, a water reference. Weights are scaled so that the noise of the combination has
the mean variance of the coils, and rotated so that the strongest coil keeps its phase.
"""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from mrsjax.core import Sampling, to_spectrum
from mrsjax.inference.noise import BLOCK, noise_blocks
from mrsjax.processing import hermitian
from mrsjax.processing.checks import usable
from mrsjax.processing.programs import program, with_same


class CoilWeights(eqx.Module):
    """How coils are combined: s(t) = sum_c weights_c d_c(t).

    `weights` complex, zero for coils that are dead; `live` which coils carry finite, non-zero data; `share` of the whitened energy that one signal
    explains (1: all coils see the same signal; 1 / n_coils: nothing but noise).
    """

    weights: Complex[Array, " c"]
    live: Bool[Array, " c"]
    share: Float[Array, ""]

    def __call__(self, data: Complex[Array, "c *rest n"]) -> Complex[Array, "*rest n"]:
        """The combined signals; dead coils are not looked at."""
        kept = jnp.where(self.live.reshape(-1, *[1] * (data.ndim - 1)), data, 0.0)
        return jnp.tensordot(self.weights, kept, axes=1)


def live_coils(data: Complex[Array, "c *rest n"]) -> Bool[Array, " c"]:
    """Coils with at least one usable signal."""
    return jnp.any(usable(data).reshape(data.shape[0], -1), axis=1)


def noise_covariance(data: Complex[Array, "c *rest n"], sampling: Sampling) -> Complex[Array, "c c"]:
    """Noise covariance of the coils, E n n^H for one point of a FID, from blocks of the spectra outside the signal region.

    Each block of 32 points loses its parabola first (tails of water). Transients that are not finite in every live coil are left out; dead coils have zero rows. Other nuclei than 1H have no known
    signal region: the quieter half of their blocks is taken.
    """
    n_coils = data.shape[0]
    with jax.ensure_compile_time_eval():  # the sampling is known, the data may be traced
        flags = np.asarray(noise_blocks(sampling).quiet)
    if sampling.nucleus != "1H":
        flags = np.ones_like(flags)
    used = np.flatnonzero(flags)
    spectra = to_spectrum(jnp.where(jnp.isfinite(data), data, 0.0)).reshape(n_coils, -1, data.shape[-1])
    blocks = spectra[..., : len(flags) * BLOCK].reshape(n_coils, spectra.shape[1], len(flags), BLOCK)[:, :, used]
    x = np.linspace(-1, 1, BLOCK)
    q = jnp.asarray(np.linalg.qr(np.stack([np.ones(BLOCK), x, x**2], axis=1))[0], blocks.real.dtype)
    rest = blocks - (blocks @ q) @ q.T
    live = live_coils(data)
    finite = jnp.all(jnp.isfinite(data.reshape(n_coils, -1, data.shape[-1])), axis=2)
    good = jnp.all(finite | ~live[:, None], axis=0)
    rest = jnp.where(good[None, :, None, None] & live[:, None, None, None], rest, 0.0)
    if used.size == flags.size:
        # No block is known to be free of signal: keep the quieter half of them.
        energy = jnp.sum(jnp.abs(rest) ** 2, axis=(0, 1, 3))
        rest = jnp.where((energy <= jnp.median(energy))[None, None, :, None], rest, 0.0)
        blocks_used = jnp.sum(energy <= jnp.median(energy))
    else:
        blocks_used = jnp.asarray(used.size)
    flat = rest.reshape(n_coils, -1)
    count = jnp.maximum(jnp.sum(good) * blocks_used * (BLOCK - 3), 1)
    return hermitian.product(flat, hermitian.dagger(flat)) / count


def _whitener(covariance, live):
    """Cholesky factor of the covariance of the live coils (identity elsewhere), and their mean variance."""
    both = live[:, None] & live[None, :]
    variance = jnp.sum(jnp.where(live, jnp.real(jnp.diagonal(covariance)), 0.0)) / jnp.maximum(jnp.sum(live), 1)
    floor = 1e-9 * variance + jnp.finfo(variance.dtype).tiny
    eye = jnp.eye(covariance.shape[0], dtype=covariance.dtype)
    return hermitian.cholesky(jnp.where(both, covariance + floor * eye, eye)), variance


def _dominant(samples, low, variance, live):
    """Weights from the dominant left singular vector of L^-1 samples."""
    gram = hermitian.product(samples, hermitian.dagger(samples))
    white = hermitian.solve_lower(low, hermitian.dagger(hermitian.solve_lower(low, gram)))
    direction, share = hermitian.principal_vector(0.5 * (white + hermitian.dagger(white)))
    return _weights(direction, low, variance, live, share)


def _weights(direction, low, variance, live, share):
    """w = L^-H u sqrt(mean variance), with u the unit vector of the whitened sensitivities; conjugated for use as a row."""
    size = jnp.sqrt(jnp.sum(jnp.abs(direction) ** 2))
    u = direction / jnp.maximum(size, jnp.finfo(size.dtype).tiny)
    w = jnp.conj(hermitian.solve_upper(low, u[:, None])[:, 0])
    seen = (low @ u) * jnp.where(live, 1.0, 0.0)
    strongest = seen[jnp.argmax(jnp.abs(seen))]
    turn = strongest / jnp.maximum(jnp.abs(strongest), jnp.finfo(size.dtype).tiny)
    return CoilWeights(jnp.where(live, w * turn * jnp.sqrt(variance), 0.0), live, share)


def wsvd(
    data: Complex[Array, "c *rest n"],
    covariance: Complex[Array, "c c"] | None = None,
    *,
    live: Bool[Array, " c"] | None = None,
) -> CoilWeights:
    """Weights from the dominant singular vector of the whitened data, all transients together (Rodgers & Robson 2010).

    **Arguments:** `data` the data to combine or a reference measured with the same coils; `covariance` of `noise_covariance`, the identity when `None`; `live` which coils may be used, those of
    `data` by default.
    """
    live = live_coils(data) if live is None else live
    cov = jnp.eye(data.shape[0], dtype=data.dtype) if covariance is None else covariance
    low, variance = _whitener(cov, live)
    finite = jnp.all(jnp.where(live.reshape(-1, *[1] * (data.ndim - 1)), jnp.isfinite(data), True), axis=(0, -1))
    keep = live.reshape(-1, *[1] * (data.ndim - 1)) & finite[None, ..., None]
    flat = jnp.where(keep, data, 0.0).reshape(data.shape[0], -1)
    return _dominant(flat, low, variance, live)


def first_points(
    data: Complex[Array, "c *rest n"],
    covariance: Complex[Array, "c c"] | None = None,
    *,
    points: int = 5,
    live: Bool[Array, " c"] | None = None,
) -> CoilWeights:
    """Weights from the mean of the first points of the FIDs (Brown 2004), averaged over transients: the classical choice where water is present."""
    if not 1 <= points <= data.shape[-1]:
        raise ValueError(f"points: wanted 1 to {data.shape[-1]}, found {points}")
    live = live_coils(data) if live is None else live
    cov = jnp.eye(data.shape[0], dtype=data.dtype) if covariance is None else covariance
    low, variance = _whitener(cov, live)
    kept = jnp.isfinite(data) & live.reshape(-1, *[1] * (data.ndim - 1))
    start = jnp.where(kept, data, 0.0)[..., :points].reshape(data.shape[0], -1)
    # Phase drifts between transients must not cancel: each column is a sight of the same sensitivities.
    return _dominant(start, low, variance, live)


#: Where the sensitivities come from, by the names of `Options.coil_method`.
METHODS = {"wsvd": wsvd, "first_points": first_points}
WORDS = {"wsvd": "wSVD", "first_points": "first points"}


def combined(
    data: Complex[np.ndarray, "v c *rest n"],
    references: Mapping[str, Complex[np.ndarray, "v c *some n"]],
    sampling: Sampling,
    *,
    method: str = "wsvd",
) -> tuple[Complex[np.ndarray, "v *rest n"], dict[str, Complex[np.ndarray, "v *some n"]], CoilWeights]:
    """Data and references of the same coils combined voxel by voxel with the same weights: (data, references, weights (v, c)).

    One noise covariance of all voxels; weights from the first reference, else from the data (a name of `METHODS`); a coil counts in a voxel only if it is live in the data and in every reference.
    """
    signals = {"": jnp.asarray(data), **{k: jnp.asarray(v) for k, v in references.items()}}
    anywhere = [np.asarray(jnp.any(usable(x).reshape(*x.shape[:2], -1), axis=(0, 2))) for x in signals.values()]
    shown = np.where(np.all(anywhere, axis=0).reshape(-1, *[1] * (data.ndim - 2)), data, 0.0)
    covariance = program(_covariance, sampling)(jnp.asarray(shown))
    source = next(iter(references), "")
    done, weights = program(_combined, source, method, over=with_same)(signals, covariance)
    made = {k: np.asarray(v) for k, v in done.items()}
    return made.pop(""), made, weights


def _covariance(data: Complex[Array, "v c *rest n"], sampling: Sampling):
    return noise_covariance(jnp.moveaxis(data, 1, 0), sampling)


def _combined(parts: dict[str, Complex[Array, "c *rest n"]], covariance, source: str, method: str):
    """The signals of one voxel combined by the weights of the one named `source`, and these."""
    live = jnp.all(jnp.stack([live_coils(x) for x in parts.values()]), axis=0)
    w = METHODS[method](parts[source], covariance, live=live)
    return {k: w(x) for k, x in parts.items()}, w
