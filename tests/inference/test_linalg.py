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


@pytest.fixture
def boxes():
    """Ill-conditioned quadratics, starting points within their bounds, a third of them at one."""
    rng = np.random.default_rng(2)
    h = np.stack([_spd(rng, 7) for _ in range(200)])
    low, high = -rng.uniform(0.1, 2, (200, 7)), rng.uniform(0.1, 2, (200, 7))
    x = np.clip(rng.uniform(-3, 3, (200, 7)), low, high)
    g = np.einsum("smn,sn->sm", h, x - 1.5 * rng.standard_normal((200, 7)))
    return h, g, x, low, high


def test_a_boxed_step_never_rises_and_ends_on_its_bounds_or_flat(boxes):
    h, g, x, low, high = boxes
    y = np.asarray(jax.jit(jax.vmap(linalg.boxed))(*boxes))
    move = y - x
    value = np.einsum("sn,sn->s", g, move) + 0.5 * np.einsum("sm,smn,sn->s", move, h, move)
    assert value.max() <= 1e-12 and np.mean(value < -1e-3) > 0.8
    assert np.all((low <= y) & (y <= high))
    inside = (low < y) & (y < high)
    slope = g + np.einsum("smn,sn->sm", h, move)
    assert np.abs(slope[inside]).max() < 1e-9 and 0.1 < inside.mean() < 0.9
    # solved and then cut at the bounds, as it was, some of them rise
    cut = np.clip(x - np.linalg.solve(h, g[..., None])[..., 0], low, high) - x
    assert (np.einsum("sn,sn->s", g, cut) + 0.5 * np.einsum("sm,smn,sn->s", cut, h, cut)).max() > 0.1


def test_a_boxed_step_without_bounds_is_newtons(boxes):
    h, g, x, *_ = boxes
    far = np.full(7, np.inf)
    y = jax.jit(jax.vmap(lambda h, g, x: linalg.boxed(h, g, x, -far, far)))(h, g, x)
    np.testing.assert_allclose(y, x - np.linalg.solve(h, g[..., None])[..., 0], rtol=1e-8, atol=1e-8)


def test_derivatives_of_a_boxed_step_agree_with_finite_differences(boxes):
    """With respect to each argument, along one direction that keeps h symmetric and x off its bounds."""
    h, g, x, low, high = boxes
    x, rng = np.clip(x, 0.9 * low, 0.9 * high), np.random.default_rng(3)
    step = tuple(rng.standard_normal(a.shape) for a in boxes)
    step = (0.05 * np.minimum(np.diagonal(h, axis1=1, axis2=2).min(axis=1), 1.0)[:, None, None] * (step[0] + step[0].swapaxes(1, 2)), *step[1:])  # fmt: skip
    run = jax.jit(jax.vmap(linalg.boxed))
    _, moved = jax.jit(lambda a, t: jax.jvp(jax.vmap(linalg.boxed), a, t))((h, g, x, low, high), step)
    at = lambda e: np.asarray(run(*(a + e * t for a, t in zip((h, g, x, low, high), step, strict=True))))  # noqa: E731
    ends = [((low + e * step[3] < at(e)) & (at(e) < high + e * step[4])) for e in (-1e-6, 1e-6)]
    same = np.all(ends[0] == ends[1], axis=1)  # where the set of bounds changes there is no derivative
    assert same.mean() > 0.95
    numeric = (at(1e-6) - at(-1e-6)) / 2e-6
    np.testing.assert_allclose(np.asarray(moved)[same], numeric[same], rtol=1e-3, atol=1e-3)
    back = jax.jit(jax.grad(lambda *a: jnp.sum(jnp.asarray(step[2]) * jax.vmap(linalg.boxed)(*a)), argnums=(0, 1, 2, 3, 4)))(h, g, x, low, high)  # fmt: skip
    forward = np.einsum("sn,sn->", step[2], moved)
    assert float(sum(np.sum(np.asarray(b) * t) for b, t in zip(back, step, strict=True))) == pytest.approx(
        forward, rel=1e-9
    )
