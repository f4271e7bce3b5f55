"""Spin systems: chemical shifts and scalar couplings of a molecule, in groups that do not couple to each other."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simulators.spins.isotopes import twice_spin


def _equivalent_sets(isotopes: Sequence[str], shifts: np.ndarray, couplings: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Magnetically equivalent spins: same isotope, same shift, the same coupling to every spin outside the set."""
    sets: list[list[int]] = []
    for i in range(len(isotopes)):
        for members in sets:
            others = [k for k in range(len(isotopes)) if k not in (*members, i)]
            if all(
                isotopes[i] == isotopes[j]
                and abs(shifts[i] - shifts[j]) < 1e-9
                and np.allclose(couplings[i, others], couplings[j, others], rtol=0, atol=1e-9)
                for j in members
            ):
                members.append(i)
                break
        else:
            sets.append([i])
    # A set must also hold against spins that joined other sets later: split what does not.
    final: list[tuple[int, ...]] = []
    for members in sets:
        outside = [k for k in range(len(isotopes)) if k not in members]
        same = all(
            np.allclose(couplings[m, outside], couplings[members[0], outside], rtol=0, atol=1e-9) for m in members
        )
        if same and twice_spin(isotopes[members[0]]) == 1:
            final.append(tuple(members))
        else:
            final.extend((m,) for m in members)
    return tuple(sorted(final))


class SpinGroup(eqx.Module):
    """Spins that couple to each other, H = sum_i nu_i I_iz + sum_{i<j} J_ij I_i . I_j (Hz; secular between isotopes).

    **Arguments:**

    - `shifts`: chemical shift of each spin, ppm; `None` for a nucleus that is never observed.
    - `couplings`: symmetric matrix `(n, n)` of J in Hz, or a list of `(i, j, J)`.
    - `isotopes`: one a spin, e.g. `"1H"`; all protons when left out.
    - `scale`: multiplies the signal (number of equivalent molecules or uncoupled protons).
    - `t1`, `t2`: relaxation times of the group in s, `None` when not known.

    The sets of magnetically equivalent spins (CH3) are found here, from the values given, and kept: the simulator
    treats a set as composite spins. The derivative of a signal with respect to the shift of one member of a set is
    exact, because the signal is symmetric in the members.

    **Raises:** `ValueError` for an asymmetric matrix, a coupling of a spin with itself, an unknown isotope, or lengths
    that differ.
    """

    shifts: Float[Array, " n"]
    couplings: Float[Array, "n n"]
    scale: Float[Array, ""]
    t1: Float[Array, ""] | None
    t2: Float[Array, ""] | None
    isotopes: tuple[str, ...] = eqx.field(static=True)
    has_shift: tuple[bool, ...] = eqx.field(static=True)
    sets: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    name: str = eqx.field(static=True)

    def __init__(
        self, shifts, couplings=(), isotopes: Sequence[str] | None = None, *, scale=1.0, t1=None, t2=None, name=""
    ):
        n = len(shifts)
        isotopes = ("1H",) * n if isotopes is None else tuple(isotopes)
        if n == 0 or len(isotopes) != n:
            raise ValueError(
                f"isotopes: wanted one for each of the {n} shifts of group {name!r}, found {len(isotopes)}"
            )
        for isotope in isotopes:
            twice_spin(isotope)
        matrix = _coupling_matrix(couplings, n, name)
        values = np.array([0.0 if s is None else float(s) for s in shifts])
        if not np.all(np.isfinite(values)):
            raise ValueError(f"shifts: wanted finite numbers or None in group {name!r}, found {list(shifts)}")
        dtype = jnp.result_type(float)
        self.shifts = jnp.asarray(values, dtype)
        self.couplings = jnp.asarray(matrix, dtype)
        self.scale = jnp.asarray(scale, dtype)
        self.t1 = None if t1 is None else jnp.asarray(t1, dtype)
        self.t2 = None if t2 is None else jnp.asarray(t2, dtype)
        self.isotopes = isotopes
        self.has_shift = tuple(s is not None for s in shifts)
        self.sets = _equivalent_sets(isotopes, values, matrix)
        self.name = str(name)


def _coupling_matrix(couplings, n: int, name: str) -> np.ndarray:
    """A checked symmetric (n, n) matrix from a matrix or from (i, j, J) entries."""
    given = np.asarray(couplings, dtype=float)
    if given.shape == (n, n) and not (n == 3 and _looks_like_entries(given, n)):
        if not np.allclose(given, given.T, rtol=0, atol=1e-9):
            raise ValueError(
                f"couplings: wanted a symmetric matrix in group {name!r}, found J and J^T up to "
                f"{np.abs(given - given.T).max():g} Hz apart"
            )
        matrix = given
    else:
        matrix = np.zeros((n, n))
        for entry in couplings:
            i, j, value = int(entry[0]), int(entry[1]), float(entry[2])
            if not (0 <= i < n and 0 <= j < n):
                raise ValueError(f"couplings: wanted spin indices 0..{n - 1} in group {name!r}, found ({i}, {j})")
            if matrix[j, i] not in (0.0, value):
                raise ValueError(
                    f"couplings: J of ({i}, {j}) in group {name!r} is given as {matrix[j, i]} and as {value} Hz"
                )
            matrix[i, j] = matrix[j, i] = value
    if np.any(np.diagonal(matrix) != 0.0):
        raise ValueError(
            f"couplings: wanted no coupling of a spin with itself in group {name!r}, found {np.diagonal(matrix)}"
        )
    if not np.all(np.isfinite(matrix)):
        raise ValueError(f"couplings: wanted finite numbers in group {name!r}")
    return matrix


def _looks_like_entries(given: np.ndarray, n: int) -> bool:
    """Three (i, j, J) rows for three spins are a 3x3 array as well: they hold indices i != j, and are not symmetric."""
    index = given[:, :2]
    return bool(
        np.all(index == index.astype(int)) and np.all((index >= 0) & (index < n)) and np.all(index[:, 0] != index[:, 1])
    ) and not np.allclose(given, given.T)


class SpinSystem(eqx.Module):
    """A molecule: groups of coupled spins, and where the numbers were published.

    **Arguments:**

    - `groups`: `SpinGroup`s that do not couple to each other; their signals add.
    - `name`: the project's name (mrsjax.core.metabolites).
    - `source`: literature source of the values; `notes`: known disagreements; `settled`: off where published values
      disagree and nothing that could be read decides.
    """

    groups: tuple[SpinGroup, ...]
    name: str = eqx.field(static=True)
    full_name: str = eqx.field(static=True)
    source: str = eqx.field(static=True)
    notes: str = eqx.field(static=True)
    settled: bool = eqx.field(static=True)

    def __init__(
        self,
        groups: Sequence[SpinGroup],
        name: str,
        *,
        full_name: str = "",
        source: str = "",
        notes: str = "",
        settled: bool = True,
    ):
        if not groups:
            raise ValueError(f"groups: wanted at least one group in {name!r}")
        self.groups = tuple(groups)
        self.name = str(name)
        self.full_name = full_name or self.name
        self.source = source
        self.notes = notes
        self.settled = settled


def singlet(name: str, shift: float, protons: float = 1.0, *, nucleus: str = "1H") -> SpinSystem:
    """A line of `protons` uncoupled spins at `shift` ppm: a reference, or an unassigned resonance."""
    return SpinSystem(
        [SpinGroup([shift], (), (nucleus,), scale=protons, name=name)], name, source="singlet made on request"
    )
