import jax
import numpy as np
import pytest

from mrsjax.processing import hermitian


def _random(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


@pytest.mark.parametrize("n", [2, 7, 16])
def test_eigenvalues_are_those_of_lapack(n):
    a = _random(np.random.default_rng(n), 12, n, n)
    found = np.asarray(jax.jit(jax.vmap(hermitian.eigenvalues))(a))
    for mine, theirs in zip(found, np.linalg.eigvals(a), strict=True):
        nearest = np.abs(mine[:, None] - theirs[None, :])
        assert nearest.min(axis=0).max() < 1e-11 and nearest.min(axis=1).max() < 1e-11


def test_cholesky():
    a = _random(np.random.default_rng(0), 5, 9, 9)
    a = a @ a.conj().swapaxes(1, 2)
    low = jax.vmap(hermitian.cholesky)(a)
    np.testing.assert_allclose(low @ np.conj(np.swapaxes(low, 1, 2)), a, atol=1e-12)


def test_principal_vector_and_orthonormal_columns():
    rng = np.random.default_rng(1)
    u = np.linalg.qr(_random(rng, 8, 8))[0]
    values = np.array([5.0, 3.0, 1, 1, 0.5, 0.1, 0, 0])
    vector, share = hermitian.principal_vector(jax.numpy.asarray((u * values) @ u.conj().T))
    assert abs(np.vdot(u[:, 0], vector)) == pytest.approx(1, abs=1e-12)
    assert float(share) == pytest.approx(5 / values.sum(), abs=1e-12)
    a = _random(rng, 8, 3)
    a = np.concatenate([a, a[:, :1]], axis=1)  # dependent: the last column becomes zero
    q = np.asarray(hermitian.orthonormal(jax.numpy.asarray(a)))
    np.testing.assert_allclose(q.conj().T @ q, np.diag([1, 1, 1, 0]), atol=1e-12)


def test_no_lapack_call_under_vmap():
    a = _random(np.random.default_rng(2), 4, 6, 6)
    text = jax.jit(jax.vmap(hermitian.eigenvalues)).lower(a).as_text()
    assert "custom_call" not in text and "lapack" not in text
