import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls as scipy_nnls

from mrsjax.inference import linalg


def _spd(rng, n, spread=3.0):
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return q @ np.diag(10.0 ** rng.uniform(-spread, 0, n)) @ q.T


@pytest.mark.parametrize("n", [1, 5, 8, 35, 70])
def test_solutions_agree_with_numpy(n):
    rng = np.random.default_rng(n)
    a = _spd(rng, n)
    b = rng.standard_normal((n, 3))
    np.testing.assert_allclose(linalg.eliminate(jnp.asarray(a), b), np.linalg.solve(a, b), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(linalg.inverse(jnp.asarray(a)), np.linalg.inv(a), rtol=1e-8, atol=1e-7)


def test_solve_leaves_out_masked_rows():
    rng = np.random.default_rng(0)
    a, b = _spd(rng, 9), rng.standard_normal(9)
    keep = rng.random(9) > 0.4
    x = np.asarray(linalg.solve(jnp.asarray(a), jnp.asarray(b), jnp.asarray(keep)))
    np.testing.assert_allclose(x[keep], np.linalg.solve(a[np.ix_(keep, keep)], b[keep]), rtol=1e-9)
    assert np.all(x[~keep] == 0)


def test_hermitian_systems_are_solved_too():
    rng = np.random.default_rng(5)
    a = rng.normal(size=(5, 9, 9)) + 1j * rng.normal(size=(5, 9, 9))
    a, b = a @ a.conj().swapaxes(1, 2), rng.normal(size=(5, 9, 2)) + 1j * rng.normal(size=(5, 9, 2))
    x = jax.vmap(linalg.solve, in_axes=(0, 0, None))(a, b, jnp.ones(9, bool))
    np.testing.assert_allclose(a @ x, b, atol=1e-10)


@pytest.mark.parametrize("warm", [True, False])
def test_nnls_agrees_with_lawson_hanson_in_a_batch(warm):
    rng = np.random.default_rng(1)
    a = rng.standard_normal((64, 60, 20)) + 0.8 * rng.standard_normal((64, 60, 1))  # strongly correlated columns
    b = np.einsum("smn,sn->sm", a, np.maximum(rng.standard_normal((64, 20)), 0)) + rng.standard_normal((64, 60))
    gram, right = np.einsum("smi,smj->sij", a, a), np.einsum("smi,sm->si", a, b)
    passive = np.ones((64, 20), bool) if warm else rng.random((64, 20)) > 0.5
    c, kept = jax.jit(jax.vmap(linalg.nnls))(jnp.asarray(gram), jnp.asarray(right), jnp.asarray(passive))
    wanted = np.array([scipy_nnls(x, y)[0] for x, y in zip(a, b, strict=True)])
    np.testing.assert_allclose(c, wanted, atol=1e-9)
    assert np.array_equal(np.asarray(kept), wanted > 0)


def test_nnls_of_nothing_is_zero():
    c, _ = linalg.nnls(jnp.eye(3), jnp.zeros(3), jnp.ones(3, bool))
    assert np.all(np.asarray(c) == 0)
