"""The FID of a density matrix: s(t) = Tr(F_+ U(t) rho U(t)^+), without eigenvectors.

Baby steps and giant steps: with t = (j + k m) dt, s = Tr([U_j^+ F_+ U_j] [U_mk rho U_mk^+]). About sqrt(N) observables
and sqrt(N) density matrices are propagated, and all points are their inner products. F_+ joins neighbouring blocks of
F_z and H joins none, so every product is between blocks padded to the largest (7 spins: 35 x 35 instead of 128 x 128).
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

from simulators.spins import operators as op
from simulators.spins.exponential import propagator
from simulators.spins.propagation import Scanner, hamiltonian_blocks
from simulators.spins.sites import Sites


def free_induction(
    rho: Complex[Array, "n n"], sites: Sites, scanner: Scanner, dwell_time, n_points: int
) -> Complex[Array, " t"]:
    """Tr(F_+ rho(t)) at t = 0, dwell_time, ...; +i phase for +Hz, not scaled by the weight of the sites."""
    twice = sites.twice_spins
    plus = jnp.asarray(op.in_blocks(op.total(twice, "+").T, twice, step=1), rho.dtype)
    hamiltonian = hamiltonian_blocks(sites, scanner)
    baby = max(1, math.ceil(math.sqrt(n_points)))
    giant = -(-n_points // baby)
    small, large = jax.vmap(lambda t: propagator(hamiltonian, t))(jnp.stack([dwell_time, dwell_time * baby]))

    def observe(lower, _):
        # lower = transpose of the block of F_+ from k + 1 to k, so that the signal is a plain inner product
        new = jnp.swapaxes(small[1:], -1, -2) @ lower @ jnp.conj(small[:-1])
        return new, lower.reshape(-1)

    def evolve(state, _):
        new = large[1:] @ state @ jnp.conj(jnp.swapaxes(large[:-1], -1, -2))
        return new, state.reshape(-1)

    _, observables = jax.lax.scan(observe, plus, None, length=baby)
    _, states = jax.lax.scan(evolve, op.in_blocks(rho, twice, step=1), None, length=giant)
    return (states @ observables.T).reshape(-1)[:n_points]
