"""Removal of lipid from MRSI by L2 projection (Bilgic et al. 2014): lipid spectra of the scalp and brain spectra are nearly orthogonal.

With the lipid voxels' FIDs as the columns of A (n, m), each FID x0 becomes

    x = argmin |x - x0|^2 + beta |A^H x|^2 = x0 - A (A^H A + I / beta)^-1 A^H x0 .

This is also the best estimate of x0 less a lipid signal A c with c of variance s^2 in white noise of variance sigma^2, beta = s^2 / sigma^2 (Gauss-Markov): beta is taken from the data by
that reading, with s^2 |A|^2 the energy of the voxels outside the mask between 0.7 and 1.9 ppm. Linear in x0: one solve serves all voxels.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from mrsjax.core import Sampling
from mrsjax.inference.linalg import solve
from mrsjax.processing import hermitian
from mrsjax.processing.alignment import band
from mrsjax.processing.checks import usable
from mrsjax.processing.noise import noise_power

#: Where scalp lipid is strong, ppm.
BAND = (0.7, 1.9)


def strength(
    fids: Complex[Array, "v n"], lipid: Bool[Array, " v"], brain: Bool[Array, " v"], sampling: Sampling
) -> Float[Array, ""]:
    """beta of the module's equation, by the lipid band's energy in the brain and in the scalp and by the noise."""
    energy = jnp.sum(jnp.abs(jax.vmap(lambda s: band(s, sampling, BAND))(fids)) ** 2, axis=-1)
    noise = jnp.nanmedian(jnp.where(brain, jax.vmap(noise_power)(fids), jnp.nan))
    share = (BAND[1] - BAND[0]) * 1e-6 * sampling.central_frequency * sampling.dwell_time
    tiny = jnp.finfo(energy.dtype).tiny
    inside = jnp.sum(jnp.where(brain, energy, 0.0)) / jnp.maximum(jnp.sum(brain), 1)
    leaked = jnp.maximum(inside - share * fids.shape[-1] * noise, 0.0)
    total = jnp.sum(jnp.where(lipid, energy, 0.0))
    return leaked / jnp.maximum(total, tiny) / jnp.maximum(noise, tiny)


def remove_lipids(
    fids: Complex[Array, "v n"],
    lipid: Bool[Array, " v"],
    sampling: Sampling,
    *,
    beta: Float[Array, ""] | float | None = None,
) -> tuple[Complex[Array, "v n"], Float[Array, ""]]:
    """FIDs without what the voxels in the mask `lipid` explain, and the beta used. Remove water first: the lipid voxels' water would be taken for lipid.

    Voxels that are not finite or all zero stay as they are and explain nothing.
    """
    good = usable(fids)
    clean = jnp.where(good[:, None], fids, 0.0)
    lipid = lipid & good
    used = strength(clean, lipid, good & ~lipid, sampling) if beta is None else jnp.asarray(beta, clean.real.dtype)
    a = jnp.where(lipid[:, None], clean, 0.0)  # rows: transposed A
    gram = hermitian.product(jnp.conj(a), a.T)
    right = hermitian.product(jnp.conj(a), clean.T)
    tiny = jnp.finfo(gram.real.dtype).tiny
    # Multiplied by beta so that beta = 0 is no special case.
    eye = jnp.eye(len(a), dtype=gram.dtype)
    answer = solve(used * gram + eye, used * right, jnp.ones(len(a), bool))
    out = clean - hermitian.product(a.T, answer).T
    return jnp.where(good[:, None] & (used > tiny), out, fids), used
