"""From a spin group to the small systems that are propagated: conserved nuclei and equivalent spins taken out.

- A nucleus of another isotope than the observed one keeps its I_z under pulses on the observed nucleus. Its coupling
  J I_z S_z is then a shift J m of the observed spin, m = -S .. S with equal weights (31P: two states, 14N: three). The
  matrices stay those of the observed spins.
- Small systems can be padded with spins that carry no polarisation and no coupling: one compiled program then serves
  systems of several sizes.
- k magnetically equivalent spins 1/2 split into total spins S = k/2, k/2 - 1, ... that do not mix; S comes
  C(k, k/2 - S) - C(k, k/2 - S - 1) times (Corio 1966). CH3: one spin 3/2 and two spins 1/2. Groups of up to `SMALL`
  spins keep all their spins: they fit into the program that the small systems share (lactate, alanine).
"""

import itertools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from simulators.spins.isotopes import twice_spin
from simulators.spins.systems import SpinGroup

#: Up to this many spins 1/2 a system takes milliseconds and a program of its own takes seconds to compile.
SMALL = 4


class Sites(eqx.Module):
    """One system to propagate.

    - `shifts`: ppm; `offsets`: Hz, from conserved nuclei; `couplings`: Hz, `(s, s)`.
    - `weight`: multiplies Tr(F_+ rho) so that one proton gives 1, times scale and statistical weight.
    - `polarised`: 1 for a real site, 0 for padding.
    - `twice_spins`: 2 S of each site (static); it decides the bucket.
    """

    shifts: Float[Array, " s"]
    offsets: Float[Array, " s"]
    couplings: Float[Array, "s s"]
    weight: Float[Array, ""]
    polarised: Float[Array, " s"]
    twice_spins: tuple[int, ...] = eqx.field(static=True)


def _composites(size: int) -> list[tuple[int, int]]:
    """(2 S, multiplicity) of the total spins of `size` spins 1/2."""
    out = []
    for j in range(size // 2 + 1):
        multiplicity = math.comb(size, j) - (math.comb(size, j - 1) if j else 0)
        out.append((size - 2 * j, multiplicity))
    return out


def _concrete(x: Array) -> Array | np.ndarray:
    """A numpy array unless JAX traces `x`: the reduction is bookkeeping, not worth compiling."""
    return x if isinstance(x, Tracer) else np.asarray(x)


def reduce_group(group: SpinGroup, nucleus: str, *, composite: bool | None = None) -> list[Sites]:
    """All systems whose signals add up to that of `group`; an empty list when it holds none of `nucleus`.

    `composite`: take equivalent spins together; left out, in groups of more than `SMALL` spins.

    **Raises:** `ValueError` when an observed spin has no chemical shift.
    """
    observed = [i for i, isotope in enumerate(group.isotopes) if isotope == nucleus]
    conserved = [i for i, isotope in enumerate(group.isotopes) if isotope != nucleus]
    missing = [i for i in observed if not group.has_shift[i]]
    if missing:
        raise ValueError(f"shifts: spins {missing} ({nucleus}) of group {group.name!r} have no chemical shift")
    if not observed:
        return []
    two_s = twice_spin(nucleus)
    composite = len(observed) > SMALL if composite is None else composite
    sets = [s for s in group.sets if s[0] in observed] if composite else [(i,) for i in observed]
    sets = sorted(sets, key=len, reverse=True)  # CH-CH3 and CH3-CH are systems of one kind
    scale, group_shifts, matrix = (_concrete(x) for x in (group.scale, group.shifts, group.couplings))
    couplings = 0.5 * (matrix + matrix.T)
    mean = np.zeros((len(sets), len(group.isotopes)))
    for row, members in enumerate(sets):
        mean[row, list(members)] = 1.0 / len(members)
    mean = mean.astype(group.shifts.dtype)
    shifts = mean @ group_shifts
    between = (mean @ couplings @ mean.T) * (1 - np.eye(len(sets), dtype=shifts.dtype))

    states = list(
        itertools.product(*[np.arange(-t, t + 1, 2) / 2 for t in (twice_spin(group.isotopes[k]) for k in conserved)])
    )
    to_conserved = mean @ couplings[:, np.asarray(conserved, int)]
    # Tr(F_x F_x) of one spin S in a space of dimension (2S+1)^n, against the 1 that it shall give.
    spin = two_s / 2
    norm = 3.0 / (spin * (spin + 1) * (two_s + 1) ** len(observed)) / len(states)

    options = [_composites(len(members)) if len(members) > 1 else [(two_s, 1)] for members in sets]
    out = []
    for choice in itertools.product(*options):
        keep = [k for k, (t, _) in enumerate(choice) if t > 0]
        if not keep:
            continue
        multiplicity = math.prod(m for _, m in choice)
        index = np.asarray(keep)
        for m in states:
            offsets = to_conserved[index] @ np.asarray(m, shifts.dtype)
            weight = scale * np.asarray(norm * multiplicity, shifts.dtype)
            coupling = between[index][:, index]
            parts: Any = (shifts[index], offsets, coupling, weight, np.ones(len(keep), shifts.dtype))
            out.append(Sites(*parts, twice_spins=tuple(choice[k][0] for k in keep)))
    return out


def padded(sites: Sites, count: int) -> Sites:
    """The same signal from `count` sites: spins 1/2 without polarisation and couplings, at the first site's shift.

    Each doubles the trace of F_+ rho, so it halves the weight.
    """
    more = count - len(sites.twice_spins)
    xp = jnp if isinstance(sites.shifts, jax.Array) else np
    shifts, offsets, couplings, polarised = sites.shifts, sites.offsets, sites.couplings, sites.polarised
    parts: Any = (
        xp.concatenate([shifts, xp.full(more, 1.0) * shifts[0]]),
        xp.concatenate([offsets, xp.zeros(more, offsets.dtype)]),
        xp.pad(couplings, (0, more)),
        sites.weight / 2**more,
        xp.concatenate([polarised, xp.zeros(more, polarised.dtype)]),
    )
    return Sites(*parts, twice_spins=(*sites.twice_spins, *(1,) * more))
