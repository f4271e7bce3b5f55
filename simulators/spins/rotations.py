"""Exact rotations of uncoupled spins, and how they act on a product of sites.

A rotation of a spin 1/2 is the matrix [[a, -b*], [b, a*]], |a|^2 + |b|^2 = 1. For a constant field of offset D and
amplitude B (Hz) at phase p during t, with Theta = 2 pi t sqrt(D^2 + B^2):

    a = cos(Theta/2) - i (2 pi t D / 2) sinc(Theta/2),    b = -i (2 pi t B / 2) exp(i p) sinc(Theta/2)

The rotation of a spin S is the symmetric 2S-fold product of that of a spin 1/2.
"""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import cis

SU2 = tuple[Complex[Array, "..."], Complex[Array, "..."]]


def rotation(offset: Float[Array, "..."], amplitude: Float[Array, "..."], phase: Float[Array, "..."], time) -> SU2:
    """(a, b) of a constant field: `offset`, `amplitude` in Hz, `phase` in rad, `time` in s; shapes broadcast."""
    half = jnp.pi * time
    squared = half**2 * (offset**2 + amplitude**2)
    small = squared < 1e-8
    root = jnp.sqrt(jnp.where(small, 1.0, squared))
    sinc = jnp.where(small, 1 - squared / 6, jnp.sin(root) / root)
    cosine = jnp.where(small, 1 - squared / 2, jnp.cos(root))
    return cosine - 1j * (half * offset * sinc), -1j * (half * amplitude * sinc) * cis(phase)


def compose(later: SU2, earlier: SU2) -> SU2:
    """The rotation `earlier` followed by `later`."""
    (a2, b2), (a1, b1) = later, earlier
    return a2 * a1 - jnp.conj(b2) * b1, b2 * a1 + jnp.conj(a2) * b1


def inverse(r: SU2) -> SU2:
    """The rotation back."""
    return jnp.conj(r[0]), -r[1]


@functools.cache
def _symmetric_states(twice: int) -> np.ndarray:
    """Isometry from a spin `twice`/2 to the symmetric states of `twice` spins 1/2: `(2**twice, twice + 1)`."""
    out = np.zeros((2**twice, twice + 1))
    for index, bits in enumerate(itertools.product((0, 1), repeat=twice)):
        out[index, sum(bits)] = 1 / math.sqrt(math.comb(twice, sum(bits)))
    return out


def matrix(r: SU2) -> Complex[Array, "... 2 2"]:
    """The matrix of a rotation for a spin 1/2."""
    a, b = r
    return jnp.stack([a, -jnp.conj(b), b, jnp.conj(a)], -1).reshape(*a.shape, 2, 2)


def spin_rotation(half: Complex[Array, "... 2 2"], twice: int) -> Complex[Array, "... d d"]:
    """The matrix of a rotation for a spin S = twice/2 from that of a spin 1/2, states by descending m."""
    if twice == 1:
        return half
    full = half
    for _ in range(twice - 1):
        full = kron(full, half)
    isometry = jnp.asarray(_symmetric_states(twice), full.real.dtype)
    return isometry.T @ full @ isometry


def kron(left: Complex[Array, "... a b"], right: Complex[Array, "... c d"]) -> Complex[Array, "... ac bd"]:
    """Kronecker product of the last two axes."""
    product = left[..., :, None, :, None] * right[..., None, :, None, :]
    (a, b), (c, d) = left.shape[-2:], right.shape[-2:]
    return product.reshape(*product.shape[:-4], a * c, b * d)


def halves(r: SU2, twice: tuple[int, ...]) -> tuple[Complex[Array, "... d d"], Complex[Array, "... e e"]]:
    """The Kronecker product of the rotations of all sites, as two factors of similar size; sites in the last axis of
    `r`.
    """
    n = len(twice)
    split = min(
        range(1, n + 1), key=lambda k: abs(math.prod(t + 1 for t in twice[:k]) - math.prod(t + 1 for t in twice[k:]))
    )
    half = matrix(r)

    def part(sites: range):
        factors = [spin_rotation(half[..., i, :, :], twice[i]) for i in sites]
        return functools.reduce(kron, factors) if factors else jnp.ones((*half.shape[:-3], 1, 1), half.dtype)

    return part(range(split)), part(range(split, n))


def gauss_nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on (0, 1), ascending."""
    x, w = np.polynomial.legendre.leggauss(count)
    return (x + 1) / 2, w / 2


def segments(
    offset: Float[Array, "..."],
    amplitude: Float[Array, " k"],
    phase: Float[Array, " k"],
    duration,
    fractions: np.ndarray,
) -> SU2:
    """Rotations between the times fractions * duration of a waveform: `(m + 1, *s)`, from 0 to the first, ..., to the
    end.

    `offset` has one row for each of the `k` samples, or one row for all.
    """
    count = amplitude.shape[0]
    dt = duration / count
    position = np.clip(fractions * count, 0, count - 1e-9)
    index = position.astype(int)
    rest = position - index
    shape = (count,) + (1,) * (offset.ndim - 1)
    amplitude, phase = amplitude.reshape(shape), phase.reshape(shape)
    whole = rotation(offset, amplitude, phase, dt)
    whole = tuple(jnp.broadcast_to(x, (count, *offset.shape[1:])) for x in whole)
    one = (jnp.ones_like(whole[0][0]), jnp.zeros_like(whole[1][0]))

    def step(total, sample):
        return compose(sample, total), total

    final, before = jax.lax.scan(step, one, whole)
    row = index if offset.shape[0] > 1 else np.zeros_like(index)
    left = jnp.asarray(rest, duration.dtype).reshape(-1, *shape[1:]) * dt
    partial = rotation(offset[row], amplitude[index], phase[index], left)
    until = compose(partial, (before[0][index], before[1][index]))
    times = tuple(jnp.concatenate([f[None], u, e[None]]) for f, u, e in zip(one, until, final, strict=True))
    return compose((times[0][1:], times[1][1:]), inverse((times[0][:-1], times[1][:-1])))
