"""From spin systems and a sequence to signals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Many
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.basis import BasisOrigin
from simulators.spins.accuracy import STANDARD, Accuracy
from simulators.spins.detection import free_induction
from simulators.spins.events import Sequence, _known
from simulators.spins.exact import exact_unitary
from simulators.spins.positions import default_positions
from simulators.spins.propagation import Scanner, propagate, shaped_unitary
from simulators.spins.provenance import describe
from simulators.spins.pulses import ShapedPulse
from simulators.spins.relaxation import Relaxation, relaxation_weight
from simulators.spins.sites import SMALL, Sites, padded, reduce_group
from simulators.spins.systems import SpinSystem, singlet

Progress = Callable[[str], None]


def simulate(
    systems: Many[SpinSystem],
    sequence: Sequence,
    sampling: Sampling,
    *,
    positions: Mapping[str, Array] | int = 32,
    b1_scale=1.0,
    b0_offset=0.0,
    accuracy: Accuracy = STANDARD,
    linewidth=0.0,
    relaxation: Relaxation | None = None,
    normalise: bool = True,
    full_grid: bool = False,
    single: bool = False,
    progress: Progress | None = None,
) -> BasisSet:
    """Responses of `systems` to `sequence`: one FID each, 1 for each proton.

    **Arguments:**

    - `systems`, `sequence`, `sampling`: what, how, and on which grid.
    - `positions`: metres along each gradient axis, or how many to place over each pulse's slice and its surroundings.
    - `b1_scale`: multiplies all pulses; `b0_offset`: Hz.
    - `accuracy`: how finely shaped pulses resolve the couplings.
    - `linewidth`: Lorentzian FWHM put into the FIDs, Hz.
    - `relaxation`: weights of the groups whose T1 and T2 are known.
    - `normalise`: divide by the response (complex) of one uncoupled proton at `sequence.reference` ppm: amplitude 1 a
      proton, real and positive at t = 0. Otherwise the mean over the positions, as it is.
    - `full_grid`: keep all axes open to the end (a check of the 1-D projections).
    - `single`: compute in complex64 even when JAX has 64-bit numbers switched on.
    - `progress`: called with a line for each bucket of systems of the same size.

    **Returns:** a `BasisSet`; differentiable with respect to every array in the arguments.

    **Raises:** `ValueError` for doubled names, a missing shift, or positions that a traced pulse leaves unknown.
    """
    fids = signals(
        systems,
        sequence,
        sampling,
        positions=positions,
        b1_scale=b1_scale,
        b0_offset=b0_offset,
        accuracy=accuracy,
        linewidth=linewidth,
        relaxation=relaxation,
        normalise=normalise,
        full_grid=full_grid,
        single=single,
        progress=progress,
    )
    origin = BasisOrigin(
        sequence=sequence.name,
        echo_time=_known(sequence.echo_time),
        linewidth=_known(linewidth),
        source="simulators.spins",
        header=describe(systems, sequence, sampling, accuracy=accuracy, positions=positions),
    )
    return BasisSet(fids, [s.name for s in systems], sampling, origin)


def signals(
    systems: Many[SpinSystem],
    sequence: Sequence,
    sampling: Sampling,
    *,
    positions: Mapping[str, Array] | int = 32,
    b1_scale=1.0,
    b0_offset=0.0,
    accuracy: Accuracy = STANDARD,
    linewidth=0.0,
    relaxation: Relaxation | None = None,
    normalise: bool = True,
    full_grid: bool = False,
    single: bool = False,
    progress: Progress | None = None,
) -> Complex[Array, "m n"]:
    """The FIDs of `simulate` as an array `(n_systems, n_points)`; arguments as there."""
    names = [s.name for s in systems]
    if len(set(names)) != len(names):
        raise ValueError(f"systems: wanted distinct names, found {names}")
    scanner = prepare(
        sequence,
        sampling,
        positions=positions,
        b1_scale=b1_scale,
        b0_offset=b0_offset,
        accuracy=accuracy,
        full_grid=full_grid,
    )
    asked = list(systems)
    if normalise:
        asked.append(reference_spin(sequence.reference, sampling.nucleus))
    rows, sites = [], []
    for row, system in enumerate(asked):
        for group in system.groups:
            weight = relaxation_weight(group, sequence, relaxation)
            for s in reduce_group(group, sampling.nucleus):
                sites.append(dataclasses.replace(s, weight=s.weight * weight))
                rows.append(row)
    out = _responses(
        sites, rows, len(asked), sequence, scanner, sampling, exact=accuracy.exact, single=single, progress=progress
    )
    if normalise:
        out = out[:-1] / out[-1, 0]
    decay = jnp.exp(-jnp.pi * jnp.asarray(linewidth, sampling.time.dtype) * sampling.time)
    return out * decay.astype(out.real.dtype)


def reference_spin(shift, nucleus: str = "1H") -> SpinSystem:
    """One uncoupled spin at `shift` ppm (may be traced): its response is the unit of a normalised basis."""
    return eqx.tree_at(
        lambda s: s.groups[0].shifts, singlet("reference", 0.0, nucleus=nucleus), jnp.reshape(shift, (1,))
    )


def prepare(
    sequence: Sequence,
    sampling: Sampling,
    *,
    positions: Mapping[str, Array] | int = 32,
    b1_scale=1.0,
    b0_offset=0.0,
    accuracy: Accuracy = STANDARD,
    full_grid: bool = False,
) -> Scanner:
    """The surroundings of a simulation: positions, field, and the nodes of each pulse."""
    real = jnp.result_type(float)
    grid = default_positions(sequence, sampling, positions) if isinstance(positions, int) else positions
    missing = set(sequence.axes) - set(grid)
    if missing:
        raise ValueError(
            f"positions: wanted metres along {', '.join(sequence.axes)}, found none along {', '.join(missing)}"
        )
    return Scanner(
        central_frequency=sampling.central_frequency,
        ppm_ref=sampling.ppm_ref,
        b0_offset=jnp.asarray(b0_offset, real),
        b1_scale=jnp.asarray(b1_scale, real),
        positions={a: jnp.asarray(grid[a], real) for a in sequence.axes},
        nucleus=sampling.nucleus,
        nodes=tuple(_nodes(e, sampling, accuracy) for e in sequence.events),
        full_grid=full_grid,
    )


def _nodes(event: Any, sampling: Sampling, accuracy: Accuracy) -> int:
    """Nodes of one event; 0 for what is no shaped pulse."""
    if not isinstance(event, ShapedPulse) or accuracy.exact:
        return 0
    if event.nodes is not None:
        return event.nodes
    duration, peak = _known(event.waveform.duration), _known(event.waveform.amplitude.max())
    frequency = _known(sampling.central_frequency)
    if duration is None or peak is None or frequency is None:
        raise ValueError("nodes: a waveform is traced, so its number of nodes is not known; set `nodes` of the pulse")
    return accuracy.nodes(duration, peak, frequency)


def _responses(
    sites: list[Sites],
    rows: list[int],
    n_rows: int,
    sequence: Sequence,
    scanner: Scanner,
    sampling: Sampling,
    *,
    exact: bool,
    single: bool,
    progress: Progress | None,
) -> Complex[Array, "m n"]:
    """Sum of the signals of all sites into rows, bucket by bucket."""
    sites = _few_sizes(sites)
    buckets: dict[tuple[int, ...], list[int]] = {}
    for i, s in enumerate(sites):
        buckets.setdefault(s.twice_spins, []).append(i)
    out = None
    for twice, members in sorted(buckets.items(), key=lambda kv: len(kv[0])):
        if progress is not None:
            progress(f"{len(members)} systems of {len(twice)} sites")
        stack = jax.tree.map(_stack, *[sites[i] for i in members])
        arguments = (stack, _nameless(sequence), scanner, sampling.dwell_time)
        if single:
            arguments = jax.tree.map(lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x, arguments)
        fids = _bucket(arguments, sampling.n_points, exact)
        into = np.zeros((n_rows, len(members)))
        into[[rows[i] for i in members], np.arange(len(members))] = 1
        part = jnp.asarray(into, fids.real.dtype) @ fids
        out = part if out is None else out + part
    if out is None:
        raise ValueError(f"systems: wanted at least one spin of {sampling.nucleus}")
    return out


def _few_sizes(sites: list[Sites]) -> list[Sites]:
    """Small systems of spins 1/2 padded to the largest small one, so that one program serves them all."""
    small = [len(s.twice_spins) <= SMALL and set(s.twice_spins) == {1} for s in sites]
    largest = max((len(s.twice_spins) for s, yes in zip(sites, small, strict=True) if yes), default=0)
    return [padded(s, largest) if yes else s for s, yes in zip(sites, small, strict=True)]


def _nameless(sequence: Sequence) -> Sequence:
    """The sequence without its names, which would compile the same computation once more for each name."""
    events = tuple(
        dataclasses.replace(e, waveform=dataclasses.replace(e.waveform, name="")) if isinstance(e, ShapedPulse) else e
        for e in sequence.events
    )
    return dataclasses.replace(sequence, events=events, name="")


def _stack(*leaves):
    """Leaves of several systems as one; in numpy as long as none is traced."""
    return np.stack(leaves) if not any(isinstance(x, jax.Array) for x in leaves) else jnp.stack(leaves)


@eqx.filter_jit
def _bucket(
    arguments: tuple[Sites, Sequence, Scanner, Float[Array, ""]], n_points: int, exact: bool
) -> Complex[Array, "k n"]:
    """Signals of systems of the same size."""
    sites, sequence, scanner, dwell_time = arguments

    def one(s: Sites):
        rho = propagate(s, sequence, scanner, exact_unitary if exact else shaped_unitary)
        return s.weight * free_induction(rho, s, scanner, dwell_time, n_points)

    return jax.vmap(one)(sites)
