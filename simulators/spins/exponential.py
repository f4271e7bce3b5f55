"""exp(-i H t) of small Hermitian matrices by scaling and squaring: matrix products only.

No eigenvectors, so equal eigenvalues (GABA, myo-inositol, taurine) need no care: the derivative, including at
degenerate levels, is that of a polynomial. No LAPACK, so it can be vmapped (platform.md), and runs on any device in
any precision.

With X = -i H t / 2^s, E_0 = exp(X) - 1 by its Taylor series, and E_{k+1} = 2 E_k + E_k E_k = exp(2^{k+1} X) - 1.
Keeping E = exp - 1 instead of exp holds the relative error of small rotations: squaring more often than necessary
costs no accuracy.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

TERMS = 12
#: |H t| / 2^SQUARINGS stays below 1 up to |H| t = 6e4 rad: seven spins over 1.5 kHz each for one second.
SQUARINGS = 16


def propagator(
    hamiltonian: Inexact[Array, "n n"], time: Float[Array, ""], *, squarings: int = SQUARINGS
) -> Complex[Array, "n n"]:
    """exp(-2 pi i H t), H in Hz, t in s. Accurate to rounding while |2 pi H t| < 2^squarings."""
    eye = jnp.eye(hamiltonian.shape[-1], dtype=hamiltonian.dtype)
    x = hamiltonian * (-2j * jnp.pi * time / 2**squarings)

    def term(k, total):
        return x @ (eye + total) / (TERMS - k)

    small = jax.lax.fori_loop(0, TERMS, term, jnp.zeros_like(x))
    full = jax.lax.fori_loop(0, squarings, lambda _, e: 2 * e + e @ e, small)
    return eye + full
