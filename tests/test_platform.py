"""Faults of JAX releases that would make our numbers wrong in silence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.mark.parametrize("n", [16385, 20000])
def test_batched_matrix_vector_and_sum(n):
    # jax 0.10.2 on CPU: jax-ml/jax#39103
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(n, 3, 3)), rng.normal(size=(n, 3))
    got = jax.jit(lambda a, b: jnp.sum(jax.vmap(lambda m, v: m @ v)(a, b), axis=0))(jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(got, np.einsum("nij,nj->i", a, b), rtol=1e-9)
