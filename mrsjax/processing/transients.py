"""Which transients are fit to be averaged, and their average."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from mrsjax.processing.alignment import median_target
from mrsjax.processing.checks import usable


class Selection(eqx.Module):
    """What was measured on each transient and which are kept.

    `similarity`: Re <s, m> / (|s| |m|) with the median m of the kept ones; `distance`: |s - m|^2, `z` its robust z-score (distance from the median over 1.4826 MAD);
    `keep`; `bad_data`, `unlike`, `outlying`: the reasons of those that are dropped.
    """

    similarity: Float[Array, " t"]
    z: Float[Array, " t"]
    keep: Bool[Array, " t"]
    bad_data: Bool[Array, " t"]
    unlike: Bool[Array, " t"]
    outlying: Bool[Array, " t"]


def _robust_z(x: Float[Array, " t"], among: Bool[Array, " t"]) -> Float[Array, " t"]:
    """(x - median) / (1.4826 MAD) with a floor of 2 % of the median: equal values are no outliers of one another."""
    shown = jnp.where(among, x, jnp.nan)
    middle = jnp.nan_to_num(jnp.nanmedian(shown))
    spread = 1.4826 * jnp.nan_to_num(jnp.nanmedian(jnp.abs(shown - middle)))
    floor = 0.02 * jnp.abs(middle) + jnp.finfo(x.dtype).tiny
    return (x - middle) / jnp.maximum(spread, floor)


def select(
    fids: Complex[Array, "t n"],
    *,
    z_limit: float = 4.0,
    similarity_z: float = 5.0,
    least: int = 3,
) -> Selection:
    """Transients that agree with the others, after alignment.

    Dropped: not finite or empty; distance from the median transient more than `z_limit` robust standard deviations above that of the others; similarity with it more than
    `similarity_z` robust standard deviations below (Slotboom 2009, Near 2021). With fewer than `least` finite transients nothing but the unusable is dropped.
    """
    good = usable(fids)
    clean = jnp.where(good[:, None], fids, 0.0)
    middle = median_target(clean, good)
    tiny = jnp.finfo(clean.real.dtype).tiny
    energy = jnp.sum(jnp.abs(clean) ** 2, axis=-1)
    inner = jnp.real(clean @ jnp.conj(middle))
    similarity = inner / jnp.sqrt(jnp.maximum(energy * jnp.sum(jnp.abs(middle) ** 2), tiny))
    distance = jnp.sum(jnp.abs(clean - middle) ** 2, axis=-1)
    z = _robust_z(distance, good)
    enough = jnp.sum(good) >= least
    outlying = good & enough & (z > z_limit)
    unlike = good & enough & (-_robust_z(similarity, good) > similarity_z)
    keep = good & ~outlying & ~unlike
    return Selection(similarity, jnp.where(good, z, jnp.nan), keep, ~good, unlike, outlying)


def average(
    fids: Complex[Array, "t n"], keep: Bool[Array, " t"], weights: Float[Array, " t"] | None = None
) -> Complex[Array, " n"]:
    """sum_k w_k s_k / sum_k w_k over the transients that are kept; w = 1 without `weights`."""
    w = jnp.where(keep, 1.0 if weights is None else weights, 0.0)
    total = jnp.sum(jnp.where(keep[:, None], fids, 0.0) * w[:, None], axis=0)
    return total / jnp.maximum(jnp.sum(w), jnp.finfo(fids.real.dtype).tiny)


def similarity_weights(fids: Complex[Array, "t n"], keep: Bool[Array, " t"]) -> Float[Array, " t"]:
    """Weights 1 / |s_k - median|^2, of mean 1: the inverse variance of each transient about the others (Mikkelsen et al. 2020)."""
    middle = median_target(jnp.where(keep[:, None], fids, 0.0), keep)
    distance = jnp.sum(jnp.abs(jnp.where(keep[:, None], fids, 0.0) - middle) ** 2, axis=-1)
    floor = 1e-6 * jnp.sum(jnp.abs(middle) ** 2) + jnp.finfo(distance.dtype).tiny
    w = jnp.where(keep, 1.0 / jnp.maximum(distance, floor), 0.0)
    return w * jnp.sum(keep) / jnp.maximum(jnp.sum(w), jnp.finfo(w.dtype).tiny)
