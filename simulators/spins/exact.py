"""The oracle: every sample of a pulse as the exponential of the full Hamiltonian, couplings included."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

from mrsjax.core.fourier import cis
from simulators.spins import operators as op
from simulators.spins.exponential import propagator
from simulators.spins.propagation import (
    Scanner,
    coupling_blocks,
    frame_rotation,
    pulse_offsets,
    rephasing,
)
from simulators.spins.pulses import ShapedPulse
from simulators.spins.sites import Sites


def exact_unitary(pulse: ShapedPulse, sites: Sites, scanner: Scanner, nodes: int = 0) -> Complex[Array, "p n n"]:
    """U of a shaped pulse: product over samples of exp(-i 2 pi (H_J + offsets + RF) dt).

    The slow path that the fast one is held against; `nodes` is not used.
    """
    twice = sites.twice_spins
    wave = pulse.waveform
    offset = pulse_offsets(pulse, sites, scanner)
    offset = jnp.broadcast_to(offset, (wave.n_samples, *offset.shape[1:]))
    m = jnp.asarray(op.levels(twice), wave.amplitude.dtype)
    coupling = op.assembled(coupling_blocks(sites), twice)
    fx, fy = jnp.asarray(op.total(twice, "x")), jnp.asarray(op.total(twice, "y"))
    dt = wave.duration / wave.n_samples

    def sample(u, step):
        offset, amplitude, phase = step
        rf = amplitude * (jnp.cos(phase) * fx + jnp.sin(phase) * fy)

        def one(offset, u):
            h = coupling + rf + jnp.diag(offset @ m)
            return propagator(h, dt, squarings=6) @ u

        return jax.vmap(one)(offset, u), None

    start = jnp.broadcast_to(jnp.eye(op.dimension(twice), dtype=fx.dtype), (offset.shape[1], *fx.shape))
    u, _ = jax.lax.scan(sample, start, (offset, wave.amplitude * scanner.b1_scale, wave.phase + pulse.phase))
    total = m.sum(0)
    turn = 2 * jnp.angle(frame_rotation(pulse, scanner)[0])
    frame = cis(turn * total)  # a = exp(-i Theta / 2) of a z rotation by Theta
    back = 2 * jnp.angle(rephasing(pulse, scanner)[0])
    return cis(back * total)[:, :, None] * frame[:, None] * u * frame[None, :]
