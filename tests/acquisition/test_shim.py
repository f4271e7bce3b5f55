"""Solvers against scipy, problem table x solver table; objectives and their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import lsq_linear, minimize

from mrsjax.acquisition.shimming import (
    Cuboid,
    Descent,
    Harmonics,
    Huber,
    LeastSquares,
    MeanSquare,
    Region,
    SequentialQuadratic,
    ShimStatus,
    crlb,
    limits_of,
    predict,
    region,
    shim,
    stack,
)
from mrsjax.acquisition.shimming.shim import starts_of
from tests.acquisition.fields import sinus
from tests.physics.examples import brain

COILS = Harmonics(2, "siemens")


def _oracle(r: Region, limits):
    root = np.sqrt(np.asarray(r.weight))
    a, b = root[:, None] * np.asarray(r.maps), -root * np.asarray(r.field)
    free = np.asarray(limits.lower < limits.upper)
    bounds = (np.asarray(limits.lower)[free], np.asarray(limits.upper)[free])
    out = np.zeros(len(free))
    out[free] = lsq_linear(a[:, free], b, bounds=bounds, method="bvls", tol=1e-14).x
    return out


LIMITS = {
    "free": ({}, None),
    "bounds": ({"X": 3.0, "Z2": 10.0, "Y": (-1.0, 0.0)}, None),
    "total": ({"X": 3.0}, 80.0),
    "held": ({"frequency": 0.0, "Z2": 0.0}, None),
}


def _limits(limit, total):
    """Also a total over different units, which `limits_of` refuses as it means nothing."""
    return limits_of(COILS, limit)._replace(total=None if total is None else jnp.asarray(total))


def _total_oracle(r, limits):
    """Currents as differences of non-negative parts: smooth for SLSQP."""
    gram = np.asarray(r.maps.T @ (r.weight[:, None] * r.maps))
    right = -np.asarray(r.maps.T @ (r.weight * r.field))
    k, scale = len(right), 1 / np.sqrt(np.diag(gram))
    cost = lambda v: 0.5 * (x := (v[:k] - v[k:]) * scale) @ gram @ x - right @ x  # noqa: E731
    slope = lambda v: np.r_[g := (gram @ ((v[:k] - v[k:]) * scale) - right) * scale, -g]  # noqa: E731
    counted = np.tile(np.where(limits.counted, scale, 0.0), 2)
    upper = np.minimum(np.r_[np.asarray(limits.upper), -np.asarray(limits.lower)] / np.tile(scale, 2), 1e4)
    rule = {"type": "ineq", "fun": lambda v: float(limits.total) - counted @ v, "jac": lambda v: -counted}
    end = minimize(
        cost, np.zeros(2 * k), jac=slope, bounds=list(zip(0 * upper, upper, strict=True)), constraints=[rule],
        method="SLSQP", options={"ftol": 1e-15, "maxiter": 2000},
    )  # fmt: skip
    return (end.x[:k] - end.x[k:]) * scale


@pytest.mark.parametrize("case", LIMITS)
def test_least_squares_is_exact(voxel, case):
    limit, total = LIMITS[case]
    limits = _limits(limit, total)
    result = shim(voxel, COILS, limits=limits)
    assert int(result.status) == ShimStatus.CONVERGED
    wanted = _oracle(voxel, limits) if total is None else _total_oracle(voxel, limits)
    value = float(MeanSquare()(voxel, jnp.asarray(wanted)))
    assert float(result.value) <= value * (1 + 1e-6)
    if total is None:
        np.testing.assert_allclose(result.currents, wanted, rtol=1e-5, atol=1e-5)
    else:
        assert float(jnp.abs(result.currents[1:]).sum()) <= total * (1 + 1e-6)
        np.testing.assert_allclose(float(result.value), value, rtol=1e-4)
    assert bool(result.at_limit.any()) == (case != "free")
    assert bool(result.total_at_limit) == (case == "total")
    assert float(result.after.line.fwhm) < float(result.before.line.fwhm)
    if case == "free":  # the weights of the points count
        np.testing.assert_allclose(result.after.sd**2, result.value, rtol=1e-9)
        assert abs(float(jnp.var(result.after.field)) / float(result.value) - 1) > 0.05


@pytest.mark.parametrize(
    ("case", "solver"),
    [("bounds", SequentialQuadratic()), ("total", Descent(optax.adam(0.3), 800))],
    ids=["sequential", "descent"],
)
def test_gradient_methods_find_the_same_minimum(voxel, case, solver):
    limit, total = LIMITS[case]
    limits = _limits(limit, total)
    exact = shim(voxel, COILS, limits=limits)
    # away from the least-squares start: the second of two starts is no current
    result = shim(voxel, COILS, MeanSquare(), limits=limits, solver=solver, starts=3)
    np.testing.assert_allclose(
        result.spread[2], exact.value, rtol=1e-4 if isinstance(solver, SequentialQuadratic) else 0.03
    )
    assert int(result.status) == ShimStatus.CONVERGED
    assert float(result.value) == float(result.spread.min())  # the best of the starts


def test_descent_that_still_falls_has_not_converged(voxel):
    result = shim(voxel, COILS, Huber(0.3), solver=Descent(optax.adam(0.02), 10), starts=1)
    assert float(result.value) < float(Huber(0.3)(voxel, shim(voxel, COILS).currents))
    assert int(result.status) == ShimStatus.MAX_ITERATIONS


def test_least_squares_in_single_precision_says_that_it_converged(voxel):
    """Its stop level is 7.6e-6 there."""
    cases = [LIMITS[case][0] for case in ("free", "bounds", "held")]
    exact = [float(MeanSquare()(voxel, jnp.asarray(_oracle(voxel, limits_of(COILS, limit))))) for limit in cases]
    with jax.enable_x64(False):
        single = jax.tree.map(lambda x: jnp.asarray(np.asarray(x, np.float32)), voxel)
        for limit, wanted in zip(cases, exact, strict=True):
            result = shim(single, COILS, limits=limits_of(COILS, limit))
            assert result.currents.dtype == jnp.float32
            assert int(result.status) == ShimStatus.CONVERGED
            np.testing.assert_allclose(float(result.value), wanted, rtol=1e-3)


def test_many_regions_in_one_program_are_each_alone():
    regions = [region(sinus(), Cuboid([5, y, 0], [15, 15, 15]), COILS, points=n) for y, n in ((0.0, 4), (25.0, 5))]
    limits = limits_of(COILS, {"X": 2.0})
    both = shim(stack(regions), COILS, limits=limits)
    for i, r in enumerate(regions):
        np.testing.assert_allclose(both.currents[i], _oracle(r, limits), rtol=1e-5, atol=1e-5)
        alone = jax.jit(predict)(r, both.currents[i])
        found = [both.after.line.fwhm[i], both.after.kept[i], both.after.sd[i]]  # points of no weight count nothing
        np.testing.assert_allclose(found, [alone.line.fwhm, alone.kept, alone.sd], rtol=1e-9)
    assert np.all(np.asarray(both.status) == ShimStatus.CONVERGED)
    assert np.all(np.asarray(both.at_limit) == (np.abs(np.asarray(both.currents)) > 1.999) * (np.arange(9) == 1))


def test_bad_calls_are_one_clear_sentence(voxel):
    with pytest.raises(ValueError, match="Q is no channel of"):
        limits_of(COILS, {"Q": 1.0})
    with pytest.raises(ValueError, match="wanted a range that holds 0"):
        limits_of(COILS, {"X": (1.0, 2.0)})
    for r in (voxel, stack([voxel, voxel])):
        with pytest.raises(ValueError, match="LeastSquares minimises MeanSquare only"):
            shim(r, COILS, Huber(), solver=LeastSquares())
        with pytest.raises(ValueError, match="wanted maps of 4 channels, found 9"):
            shim(r, Harmonics(1))
    with pytest.raises(ValueError, match="total limit: wanted channels of one unit"):
        limits_of(COILS, total=80.0)
    assert float(limits_of(Harmonics(1), total=80.0).total) == 80.0
    with pytest.raises(ValueError, match="XX not among"):
        crlb(brain(256), {"NAA": 1.0}, ("XX",))


def test_a_field_that_is_no_number_is_reported(voxel):
    broken = Region(voxel.field.at[3].set(jnp.nan), voxel.weight, voxel.maps, voxel.position, voxel.covered)
    assert int(shim(broken, COILS).status) == ShimStatus.INVALID


def test_channels_that_are_alike_in_a_region_still_give_a_shim():
    """In one axial slice Z is a shift of the carrier: the currents are not unique, the field is."""
    x, y = (v.ravel() for v in np.meshgrid(np.arange(-4.0, 5.0), np.arange(-3.0, 4.0)))
    maps = jnp.asarray(np.stack([np.ones(x.size), x, y, np.full(x.size, 3.0)], axis=1))
    field = jnp.asarray(2.0 * x + 5.0 + 0.01 * x * y)
    weight = jnp.full(x.size, 1.0 / x.size)
    slice_ = Region(field, weight, maps, jnp.zeros((x.size, 3)), jnp.asarray(1.0))
    result = shim(slice_, Harmonics(1))
    assert int(result.status) == ShimStatus.CONVERGED
    np.testing.assert_allclose(result.value, np.mean((0.01 * x * y) ** 2), rtol=1e-6)
    assert np.all(np.abs(np.asarray(result.currents)) < 20)


def test_robust_start_is_near_the_minimum_of_the_huber_norm(voxel):
    limits = limits_of(COILS, {"X": 2.0})
    base, robust, none, *drawn = jax.jit(starts_of, static_argnums=2, static_argnames="width")(
        voxel, limits, 5, 8.0, jax.random.key(0), width=0.3
    )
    np.testing.assert_allclose(base, shim(voxel, COILS, limits=limits).currents, rtol=1e-9)
    assert not none.any() and float(jnp.abs(drawn[0] - drawn[1]).max()) > 0
    for start in drawn:  # 8 Hz away but for the channel at its limit
        assert 4.0 < float(jnp.sqrt(voxel.weight @ (voxel.maps @ (start - base)) ** 2)) < 16.0
    scale = jnp.asarray(1.0 / np.sqrt(np.asarray(voxel.weight @ voxel.maps**2)))
    slope = jax.jit(jax.grad(lambda c: Huber(0.3)(voxel, c)))
    held = jnp.abs(robust[1]) > 1.999  # the channel at its limit keeps a slope
    free = jnp.ones(9).at[1].set(jnp.where(held, 0.0, 1.0)) * scale
    assert float(jnp.linalg.norm(slope(robust) * free)) < 0.1 * float(jnp.linalg.norm(slope(base) * free))
    assert float(jnp.abs(robust[1])) <= 2.0 + 1e-9
