"""Each piece of the signal model alone: gradient = finite differences, jit = eager, vmap = loop, single near double precision, one trace; the analytic limits are in test_terms."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from mrsjax.inference.varpro import single
from mrsjax.physics import EddyPhase, FreeLine, Gauss, Lorentz, Phase, ShimDephasing, ratio_prior, spline
from tests.physics.examples import sampling

GRID = sampling(64)
RNG = np.random.default_rng(0)
POINT = {"lorentz": 3.0, "gauss": 20.0, "shape": np.array([0.4, -0.3, 0.2]), "phase_zero": 0.4, "delay": 5e-5}


def line(piece, values):
    return piece(values, GRID)


def phase(piece, values):
    return piece(values, GRID.frequency, jnp.asarray(100.0))


def baseline(piece, values):
    return piece.columns @ (piece.shrinkage(values["log_stiffness"]) * values["coefficients"])


def prior(piece, values):
    c = values["amplitudes"]
    return c @ piece.precision(c, jnp.asarray(0.1)) @ c


BASE = spline(np.linspace(0.2, 4.2, 64), ed_per_ppm=3.0)
FIELD = ShimDephasing(jnp.asarray(RNG.normal(size=20)), jnp.ones(20) / 20, jnp.asarray(RNG.normal(size=(20, 2))))
PIECES = {
    "Lorentz": (Lorentz(), line, ("lorentz",)),
    "Gauss": (Gauss(), line, ("gauss",)),
    "Voigt": (Lorentz() * Gauss(), line, ("lorentz", "gauss")),
    "free line": (Lorentz() * FreeLine(modes=3), line, ("lorentz", "gauss", "shape")),
    "eddy phase": (EddyPhase(jnp.asarray(0.3 * RNG.normal(size=64))), line, ()),
    "shim": (FIELD, line, ("current",)),
    "phase": (Phase(), phase, ("phase_zero", "delay")),
    "baseline": (BASE, baseline, ("log_stiffness", "coefficients")),
    "ratio prior": (ratio_prior(("a", "b"), {"a": 0.4}, sd=0.5, reference={"b": 1.0}), prior, ("amplitudes",)),
}
MORE = {
    "current": np.array([0.3, -0.2]), "log_stiffness": float(BASE.log_stiffness), "coefficients": RNG.normal(size=BASE.columns.shape[1]), "amplitudes": np.array([1.0, 3.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_alone(name):
    piece, call, names = PIECES[name]
    values = {k: jnp.asarray((POINT | MORE)[k]) for k in names}

    def parts(piece, values):
        out = jnp.asarray(call(piece, values))
        return jnp.stack([out.real, out.imag])

    eager = parts(piece, values)
    if values:  # relative changes, as units differ by orders of magnitude
        moved = lambda t: parts(piece, jax.tree.map(lambda x, t: x * (1 + t), values, t))  # noqa: E731
        zeros = jax.tree.map(jnp.zeros_like, values)
        check_grads(moved, (zeros,), order=1, modes=("fwd", "rev"), rtol=1e-5, atol=1e-6)
    chex.clear_trace_counter()
    compiled = eqx.filter_jit(chex.assert_max_traces(parts, n=1))
    np.testing.assert_allclose(compiled(piece, values), eager, rtol=1e-10, atol=1e-12)
    other = jax.tree.map(lambda x: 1.1 * x, values)
    many = jax.tree.map(lambda *x: jnp.stack(x), values, other)
    loop = jnp.stack([eager, compiled(piece, other)])  # other values: the same program
    if values:
        batch = jax.vmap(lambda v: parts(piece, v))(many)
        np.testing.assert_allclose(batch, loop, rtol=1e-10, atol=1e-12)
    low = parts(*single((piece, values)))
    np.testing.assert_allclose(low, eager, atol=3e-5 * float(jnp.abs(eager).max()))
