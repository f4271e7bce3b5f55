"""Signals that end before the readout does: broad lines are below rounding after a few hundred points, and are computed there only."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

#: What is smaller than this, relative to its first point, is left out.
SMALLEST = 3e-7
#: Lengths are multiples of it: sums of signals of one length are one loop.
STEP = 320


def support(waves: Complex[np.ndarray, "k n"], largest: float = 1.0) -> int:
    """Number of points after which each of the waves, at most `largest` times as large, stays below `SMALLEST` of its first point, rounded up."""
    size = np.abs(np.asarray(waves))
    above = np.flatnonzero((largest * size > SMALLEST * size[:, :1]).any(axis=0))
    points = above[-1] + 1 if len(above) else 1
    return int(min(-(-points // STEP) * STEP, size.shape[1]))


def added(data: Complex[Array, "*s n"], short: Complex[Array, " k"]) -> Complex[Array, "*s n"]:
    """data + short, zeros following; in two pieces, of which XLA makes faster loops than of a padded sum."""
    k = short.shape[-1]
    if k == data.shape[-1]:
        return data + short
    return jnp.concatenate([data[..., :k] + short, data[..., k:]], axis=-1)


def real_rows(waves: Complex[Array, "*c m n"]) -> Float[Array, "*c m 2n"]:
    """(Re, Im) beside each other: a real combination of waves is one real product with them, under vmap one large product for a whole batch."""
    return jnp.concatenate([jnp.real(waves), jnp.imag(waves)], axis=-1)
