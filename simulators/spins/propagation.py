"""Density matrices through a sequence.

The density matrix lives on a grid of positions `(x, y, z, N, N)`; an axis has one position until the first pulse that
is selective along it, and is averaged after the last. An axis that does not recur therefore costs one 1-D projection,
and axes that are open together make a full grid.

A shaped pulse: with R(t) the exact rotation of uncoupled spins and H_J the couplings,

    U = R(T) exp_T(-i 2 pi int R(t)^+ H_J R(t) dt),

the integral is a Gauss-Legendre sum over nodes t_k, U = R(T,t_K) V_K ... R(t_2,t_1) V_1 R(t_1,0), V_k = exp(-i 2 pi
H_J w_k T).
R is a Kronecker product of 2x2 rotations and exact for every sample; only the couplings see the nodes. A rotation
common to all spins commutes with H_J, so the number of nodes follows the *differences* of shift during the pulse, not
its bandwidth.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import cis
from simulators.spins import operators as op
from simulators.spins import rotations
from simulators.spins.events import Delay, OrderFilter, Readout, Sequence, Spoil
from simulators.spins.exponential import propagator
from simulators.spins.isotopes import gamma_bar
from simulators.spins.pulses import HardPulse, ShapedPulse
from simulators.spins.sites import Sites

#: Squarings for the propagators of couplings within a pulse: 2 pi |H_J| w T stays far below 2^8.
PULSE_SQUARINGS = 8


class Scanner(eqx.Module):
    """What the spins meet besides the sequence.

    - `central_frequency` (Hz), `ppm_ref`: of the rotating frame, as in `Sampling`.
    - `b0_offset`: Hz; `b1_scale`: multiplies every pulse's amplitude and ideal flip angle.
    - `positions`: metres along each axis, `(p,)`, for the axes that are used.
    - `nodes`: for each pulse of the sequence without its own number (static); 0 = the exact path.
    """

    central_frequency: Float[Array, ""]
    ppm_ref: Float[Array, ""]
    b0_offset: Float[Array, ""]
    b1_scale: Float[Array, ""]
    positions: dict[str, Float[Array, " p"]]
    nucleus: str = eqx.field(static=True)
    nodes: tuple[int, ...] = eqx.field(static=True)
    full_grid: bool = eqx.field(static=True)


def larmor(sites: Sites, scanner: Scanner) -> Float[Array, " s"]:
    """Frequency of each site in the rotating frame, Hz, +Hz = higher ppm."""
    return (sites.shifts - scanner.ppm_ref) * 1e-6 * scanner.central_frequency + sites.offsets + scanner.b0_offset


def coupling_blocks(sites: Sites) -> Float[Array, "B b b"]:
    """H_J = sum J_ij I_i . I_j (Hz), one block for each F_z."""
    constant = op.in_blocks(op.scalar_products(sites.twice_spins), sites.twice_spins)
    values = jnp.asarray(sites.couplings)[np.triu_indices(len(sites.twice_spins), 1)]  # the order of op.pairs
    return jnp.tensordot(values, jnp.asarray(constant, values.dtype), axes=1)


def hamiltonian_blocks(sites: Sites, scanner: Scanner) -> Float[Array, "B b b"]:
    """H = sum nu_i I_iz + H_J (Hz), one block for each F_z."""
    frequency = larmor(sites, scanner)
    index, mask = op.blocks(sites.twice_spins)
    m = jnp.asarray(op.levels(sites.twice_spins)[:, index] * mask, frequency.dtype)
    diagonal = jnp.tensordot(frequency, m, axes=1)
    return coupling_blocks(sites) + diagonal[..., None] * jnp.eye(diagonal.shape[-1], dtype=diagonal.dtype)


def delay_propagators(sites: Sites, sequence: Sequence, scanner: Scanner) -> Complex[Array, "d n n"]:
    """exp(-2 pi i H t) of every delay, in the order of the sequence."""
    durations = [e.duration for e in sequence.events if isinstance(e, Delay)]
    if not durations:
        return jnp.zeros((0, 0, 0))
    h = hamiltonian_blocks(sites, scanner)
    return op.assembled(jax.vmap(lambda t: propagator(h, t))(jnp.stack(durations)), sites.twice_spins)


def pulse_offsets(pulse: ShapedPulse, sites: Sites, scanner: Scanner) -> Float[Array, "k p s"]:
    """Offset from the carrier of each site at each position during each sample, Hz."""
    shift = (sites.shifts - pulse.centre) * 1e-6 * scanner.central_frequency + sites.offsets + scanner.b0_offset
    if pulse.axis is None:
        return shift[None, None, :]
    gradient = gamma_bar(scanner.nucleus) * pulse.gradient * pulse.waveform.gradient
    return shift + gradient[:, None, None] * scanner.positions[pulse.axis][:, None]


def frame_rotation(pulse: ShapedPulse, scanner: Scanner) -> rotations.SU2:
    """Half the precession of the carrier's frame during the pulse: its phase is the given one at its centre."""
    carrier = (pulse.centre - scanner.ppm_ref) * 1e-6 * scanner.central_frequency
    zero = jnp.zeros_like(carrier)
    return rotations.rotation(carrier, zero, zero, pulse.waveform.duration / 2)


def rephasing(pulse: ShapedPulse, scanner: Scanner) -> rotations.SU2:
    """Rotation by the rephasing lobe, one for each position `(p, 1)`."""
    area = -pulse.rephase * pulse.waveform.duration * gamma_bar(scanner.nucleus) * pulse.gradient
    where = jnp.zeros_like(area)[None] if pulse.axis is None else scanner.positions[pulse.axis]
    angle = 2 * jnp.pi * area * where[:, None]
    return cis(-angle / 2), jnp.zeros_like(angle) + 0j


def shaped_unitary(pulse: ShapedPulse, sites: Sites, scanner: Scanner, nodes: int) -> Complex[Array, "p n n"]:
    """U of a shaped pulse at each position."""
    twice = sites.twice_spins
    fractions, weights = rotations.gauss_nodes(nodes)
    wave = pulse.waveform
    offset = pulse_offsets(pulse, sites, scanner)
    amplitude = wave.amplitude * scanner.b1_scale
    turn = rotations.segments(offset, amplitude, wave.phase + pulse.phase, wave.duration, fractions)
    frame = frame_rotation(pulse, scanner)
    first = rotations.compose((turn[0][:1], turn[1][:1]), frame)
    last = rotations.compose(frame, (turn[0][-1:], turn[1][-1:]))
    last = rotations.compose(rephasing(pulse, scanner), last)
    middle = (turn[0][1:-1], turn[1][1:-1])
    a, b = (jnp.concatenate([f, m, e]) for f, m, e in zip(first, middle, last, strict=True))
    left, right = rotations.halves((a, b), twice)  # (nodes + 1, p, d, d), (nodes + 1, p, e, e)

    coupling = coupling_blocks(sites)
    times = jnp.asarray(weights, wave.duration.dtype) * wave.duration
    v = op.assembled(jax.vmap(lambda t: propagator(coupling, t, squarings=PULSE_SQUARINGS))(times), twice)
    d, e = left.shape[-1], right.shape[-1]
    n = d * e

    def node(x, step):
        v, left, right = step
        x = jnp.einsum("ab,pbc->pac", v, x)
        x = (left @ x.reshape(-1, d, e * n)).reshape(-1, d, e, n)
        return (right[:, None] @ x).reshape(-1, n, n), None

    start = rotations.kron(left[0], right[0])
    if len(twice) == 1:
        u, _ = jax.lax.scan(lambda x, lr: (rotations.kron(*lr) @ x, None), start, (left[1:], right[1:]))
    else:
        u, _ = jax.lax.scan(node, start, (v, left[1:], right[1:]))
    return u


def shaped_unitaries(sites: Sites, sequence: Sequence, scanner: Scanner, unitary) -> list[Complex[Array, "p n n"]]:
    """U of every shaped pulse, in the order of the sequence.

    Pulses of the same shapes (the two refocusing pulses of PRESS, the four of semi-LASER) go through one loop and are
    compiled once.
    """
    kinds: dict[Any, list[tuple[int, ShapedPulse, dict]]] = {}
    for i, event in enumerate(sequence.events):
        if isinstance(event, ShapedPulse):
            # The loop sees every axis as "x", with the positions of its own.
            where = {} if event.axis is None else {"x": scanner.positions[event.axis]}
            pulse = dataclasses.replace(
                event, axis=None if event.axis is None else "x", nodes=event.nodes or scanner.nodes[i]
            )
            leaves, shape = jax.tree.flatten((pulse, where))
            kinds.setdefault((shape, *(x.shape for x in leaves)), []).append((i, pulse, where))
    out: dict[int, Array] = {}
    for members in kinds.values():
        stack = jax.tree.map(lambda *x: jnp.stack(x), *[m[1:] for m in members])

        def one(part):
            pulse, where = part
            return unitary(pulse, sites, dataclasses.replace(scanner, positions=where), pulse.nodes)

        us = jax.lax.map(one, stack)
        out |= {i: u for (i, _, _), u in zip(members, us, strict=True)}
    return [out[i] for i in sorted(out)]


def hard_unitary(pulse: HardPulse, sites: Sites, scanner: Scanner) -> Complex[Array, "1 n n"]:
    """U of an ideal pulse."""
    flip = pulse.flip * scanner.b1_scale * jnp.ones_like(sites.shifts)
    if pulse.band is not None:
        inside = jnp.abs(sites.shifts - pulse.band[0]) <= pulse.band[1] / 2
        flip = flip * jnp.where(inside, 1.0, 0.0)
    # A constant field without offset: flip = 2 pi * amplitude * time.
    turn = rotations.rotation(jnp.zeros_like(flip), flip / (2 * jnp.pi), pulse.phase, jnp.ones((), flip.dtype))
    return rotations.kron(*rotations.halves(turn, sites.twice_spins))[None]


def _average_at_once(rho, u):
    """mean_p U_p rho U_p^+ for one rho: two matrix products."""
    count, n, _ = u.shape
    x = (u.reshape(count * n, n) @ rho).reshape(count, n, n)
    return jnp.einsum("paj,pbj->ab", x, u.conj()) / count


def apply_unitary(rho: Complex[Array, "x y z n n"], u: Complex[Array, "p n n"], axis: str | None, *, average: bool):
    """U rho U^+ on the grid; `average` over the pulse's axis afterwards."""
    where = "xyz".index(axis) if axis is not None else 0
    n = u.shape[-1]
    if average and rho.shape[:3] == (1, 1, 1):
        return _average_at_once(rho[0, 0, 0], u)[None, None, None]
    shape = [1, 1, 1]
    shape[where] = u.shape[0]
    u = u.reshape(*shape, n, n)
    rho = u @ rho @ jnp.conj(jnp.swapaxes(u, -1, -2))
    return rho.mean(where, keepdims=True) if average else rho


def keep_orders(rho: Complex[Array, "*g n n"], orders: tuple[int, ...], twice: tuple[int, ...]):
    """rho with only the coherence orders `orders`."""
    return rho * jnp.asarray(np.isin(op.orders(twice), orders), rho.real.dtype)


def equilibrium(sites: Sites, scanner: Scanner) -> Complex[Array, "1 1 1 n n"]:
    """rho_0 = F_z (of the polarised sites)."""
    m = jnp.asarray(op.levels(sites.twice_spins), sites.shifts.dtype)
    return (jnp.diag(sites.polarised @ m) + 0j)[None, None, None]


def last_uses(sequence: Sequence) -> dict[str, int]:
    """Index of the last event that is selective along each axis."""
    return {e.axis: i for i, e in enumerate(sequence.events) if isinstance(e, ShapedPulse) and e.axis is not None}


def propagate(sites: Sites, sequence: Sequence, scanner: Scanner, unitary=shaped_unitary) -> Complex[Array, "n n"]:
    """The density matrix when the receiver opens, averaged over positions."""
    twice = sites.twice_spins
    free = iter(delay_propagators(sites, sequence, scanner))
    shaped = iter(shaped_unitaries(sites, sequence, scanner, unitary))
    rho = equilibrium(sites, scanner)
    last = last_uses(sequence)
    for i, event in enumerate(sequence.events):
        if isinstance(event, HardPulse):
            rho = apply_unitary(rho, hard_unitary(event, sites, scanner), None, average=False)
        elif isinstance(event, ShapedPulse):
            u = next(shaped)
            average = event.axis is not None and last[event.axis] == i and not scanner.full_grid
            rho = apply_unitary(rho, u, event.axis, average=average)
        elif isinstance(event, Delay):
            rho = apply_unitary(rho, next(free)[None], None, average=False)
        elif isinstance(event, OrderFilter | Spoil):
            rho = keep_orders(rho, event.orders, twice)
        elif isinstance(event, Readout):
            rho = rho.mean((0, 1, 2)) * cis(-event.phase)
    return rho
