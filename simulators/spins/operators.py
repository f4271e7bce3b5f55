"""Spin operators of a product of sites, as constants (numpy), and the blocks of equal total F_z.

Site i has spin S_i; basis states are ordered by descending m, the first site slowest (Kronecker order).
"""

import functools
import itertools
import math

import numpy as np


@functools.cache
def spin_matrices(twice: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(I_x, I_y, I_z) of a spin S = twice / 2, states by descending m."""
    s = twice / 2
    m = s - np.arange(twice + 1)
    plus = np.diag(np.sqrt(s * (s + 1) - m[1:] * (m[1:] + 1)), 1)
    return (plus + plus.T) / 2 + 0j, (plus - plus.T) / 2j, np.diag(m) + 0j


def dimension(twice: tuple[int, ...]) -> int:
    """Number of states."""
    return math.prod(t + 1 for t in twice)


def embed(operator: np.ndarray, site: int, twice: tuple[int, ...]) -> np.ndarray:
    """An operator of one site in the whole space."""
    before = math.prod(t + 1 for t in twice[:site])
    after = math.prod(t + 1 for t in twice[site + 1 :])
    return np.kron(np.kron(np.eye(before), operator), np.eye(after))


@functools.cache
def total(twice: tuple[int, ...], axis: str) -> np.ndarray:
    """F_x, F_y, F_z or F_+ = F_x + i F_y."""
    if axis == "+":
        return np.abs(total(twice, "x") + 1j * total(twice, "y"))  # no element of F_+ is negative
    k = "xyz".index(axis)
    return np.sum([embed(spin_matrices(t)[k], i, twice) for i, t in enumerate(twice)], axis=0)


@functools.cache
def levels(twice: tuple[int, ...]) -> np.ndarray:
    """m of each site (rows) in each basis state: `(s, N)`."""
    return np.array(list(itertools.product(*[t / 2 - np.arange(t + 1) for t in twice]))).T


@functools.cache
def orders(twice: tuple[int, ...]) -> np.ndarray:
    """Coherence order m_a - m_b of each matrix element |a><b|: `(N, N)` integers."""
    m = levels(twice).sum(0)
    return np.rint(m[:, None] - m[None, :]).astype(int)


@functools.cache
def pairs(n_sites: int) -> tuple[tuple[int, int], ...]:
    """All i < j."""
    return tuple(itertools.combinations(range(n_sites), 2))


@functools.cache
def scalar_products(twice: tuple[int, ...]) -> np.ndarray:
    """I_i . I_j for every pair i < j: `(n_pairs, N, N)`, real."""
    n = dimension(twice)
    out = np.zeros((len(pairs(len(twice))), n, n))
    for row, (i, j) in enumerate(pairs(len(twice))):
        for a, b in zip(spin_matrices(twice[i]), spin_matrices(twice[j]), strict=True):
            out[row] += np.real(embed(a, i, twice) @ embed(b, j, twice))
    return out


@functools.cache
def blocks(twice: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The states of equal F_z, F_z descending, as rows padded to one length: `(index, mask)`, both `(B, b)`.

    H without RF has no element between two blocks, and F_+ joins neighbouring ones only. Padding entries have index 0
    and mask 0.
    """
    m = np.rint(2 * levels(twice).sum(0)).astype(int)
    members = [np.flatnonzero(m == value) for value in sorted(set(m.tolist()), reverse=True)]
    width = max(len(x) for x in members)
    index = np.zeros((len(members), width), int)
    mask = np.zeros((len(members), width))
    for row, states in enumerate(members):
        index[row, : len(states)] = states
        mask[row, : len(states)] = 1.0
    return index, mask


@functools.cache
def places(twice: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Block and position within it of each basis state: the way back from `blocks`."""
    index, mask = blocks(twice)
    block, position = np.zeros((2, dimension(twice)), int)
    for row, column in zip(*np.nonzero(mask), strict=True):
        block[index[row, column]], position[index[row, column]] = row, column
    return block, position


def in_blocks(matrix, twice: tuple[int, ...], step: int = 0):
    """Blocks of the last two axes of a matrix: rows of block k + step, columns of block k; zero where padded.

    Works on numpy and JAX arrays: `(..., N, N)` to `(..., B - step, b, b)`.
    """
    index, mask = blocks(twice)
    rows, columns = (index, index) if step == 0 else (index[step:], index[:-step])
    keep = (mask[step:, :, None] * mask[: len(mask) - step, None, :]).astype(matrix.real.dtype)
    return matrix[..., rows[:, :, None], columns[:, None, :]] * keep


def assembled(parts, twice: tuple[int, ...]):
    """One matrix `(..., N, N)` from its diagonal blocks `(..., B, b, b)`."""
    block, position = places(twice)
    same = (block[:, None] == block[None, :]).astype(parts.real.dtype)
    return parts[..., block[:, None], position[:, None], position[None, :]] * same
