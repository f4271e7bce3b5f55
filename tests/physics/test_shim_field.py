"""Solid harmonics, dipole fields and the dephasing sums against analytic results."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.accuracy.shim_dipole import ball, cylinder, sphere
from mrsjax.core import Sampling
from mrsjax.physics import (
    CONVENTIONS,
    ShimDephasing,
    dipole_field,
    direct_sum,
    harmonic_names,
    histogram_sum,
    shim_fields,
    solid_harmonics,
)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_harmonics_solve_laplace_and_are_homogeneous_and_orthogonal(order):
    rng = np.random.default_rng(order)
    point = jnp.asarray(rng.normal(size=3))
    hessian = jax.hessian(lambda p: solid_harmonics(p, order))(point)
    np.testing.assert_allclose(jnp.trace(hessian, axis1=1, axis2=2), 0.0, atol=1e-12)
    degree = np.array([n for n in (1, 2, 3) for _ in range(2 * n + 1)])[: len(harmonic_names(order))]
    np.testing.assert_allclose(
        solid_harmonics(2.0 * point, order), 2.0**degree * solid_harmonics(point, order), rtol=1e-12
    )
    directions = rng.normal(size=(200000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    columns = np.asarray(solid_harmonics(directions, order))
    gram = columns.T @ columns
    scale = np.sqrt(np.diag(gram))
    off = gram / scale / scale[:, None] - np.eye(len(scale))
    assert np.abs(off).max() < 0.02


def test_order_outside_the_table_is_refused():
    with pytest.raises(ValueError, match="wanted 1, 2 or 3, found 4"):
        solid_harmonics(jnp.zeros(3), 4)


def test_vendor_frames_and_units():
    at = np.array([[1000.0, 0.0, 0.0], [0.0, 1000.0, 0.0], [0.0, 0.0, 1000.0]])  # 1 m right, anterior, superior
    one_meter = 42.577478518  # Hz, of 1 uT
    wanted = {"siemens": [-1, 1, -1], "ge": [-1, -1, -1], "philips": [1000, -1000, -1000]}
    for vendor, diagonal in wanted.items():
        fields = np.asarray(shim_fields(at, 1, CONVENTIONS[vendor]))
        np.testing.assert_allclose(fields, np.diag(diagonal) * one_meter, rtol=1e-9, atol=1e-9)
    zx = np.asarray(shim_fields(np.array([[-707.10678, 0.0, -707.10678]]), 2, CONVENTIONS["siemens"]))[0, 4]
    np.testing.assert_allclose(zx, one_meter, rtol=1e-6)  # 1 uT at 1 m where the term is largest


def test_measured_siemens_channels_are_our_harmonics(shared_data):
    from benchmarks.accuracy.shim_harmonics import calibration

    rows = calibration(shared_data)
    assert [row.channel for row in rows] == ["Y", "X", "Z", "Z2", "XY", "ZY", "X2-Y2", "ZX"]
    assert min(row.r2 for row in rows) >= 0.998
    for row in rows:  # the unit of the table explains the applied current
        assert abs(abs(row.units_per_current) - 1.0) < 0.05, row


def test_field_of_a_sphere():
    field, r, error = sphere()
    assert error < 0.03, error
    assert np.abs(field[r < 5.0]).max() < 0.02  # Lorentz-corrected
    turned = np.asarray(dipole_field(jnp.asarray(ball(48, 7.0)), jnp.ones(3), direction=(1.0, 0.0, 0.0)))
    np.testing.assert_allclose(turned, np.moveaxis(field, 2, 0).transpose(0, 2, 1), atol=1e-6)
    assert sphere((1, 1, 1))[2] > 1.5 * error


def test_field_of_a_cylinder_across_the_field():
    field, r, error = cylinder()
    assert error < 0.03, error
    np.testing.assert_allclose(field[r < 6.0], -1 / 6, atol=0.02)


def _points(r=700):
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(0, 30, r)), jnp.asarray(rng.uniform(0, 2 / r, r))


@pytest.mark.parametrize("n", [63, 256])
def test_histogram_is_the_sum_to_its_stated_accuracy(n):
    s = Sampling(2e-3, 123e6, n)
    field, weight = _points()
    exact = direct_sum(field, weight, s)
    assert float(jnp.abs(histogram_sum(field, weight, s) - exact).max()) < 3e-6
    low = Sampling(jnp.float32(2e-3), 123e6, n)
    single = histogram_sum(field.astype(jnp.float32), weight.astype(jnp.float32), low)
    assert float(jnp.abs(single - exact).max()) < 1e-4
    np.testing.assert_allclose(histogram_sum(field + 500.0, weight, s), direct_sum(field + 500.0, weight, s), atol=3e-6)


@pytest.mark.parametrize("histogram", [False, True])
def test_jacobian_of_the_shim_factor_against_finite_differences(histogram):
    s = Sampling(2e-3, 123e6, 128)
    field, weight = _points(150)
    maps = jnp.asarray(np.random.default_rng(1).normal(size=(150, 2)))
    factor = ShimDephasing(field, weight, maps, histogram=histogram)
    at = jnp.asarray([0.7, -1.3])
    jacobian = factor.jacobian({"current": at}, s)["current"]
    automatic = jax.jacfwd(lambda c: factor({"current": c}, s))(at).T
    for k in range(2):
        step = 1e-4 * jnp.eye(2)[k]
        wanted = (factor({"current": at + step}, s) - factor({"current": at - step}, s)) / 2e-4
        np.testing.assert_allclose(jacobian[k], wanted, atol=2e-4)
        np.testing.assert_allclose(automatic[k], wanted, atol=2e-4)


def test_factor_compiles_once_for_new_fields_and_maps_over_voxels():
    s = Sampling(2e-3, 123e6, 64)
    traces = []

    @jax.jit
    def dephased(factor):
        traces.append(0)
        return factor({}, s)

    field, weight = _points(40)
    none = jnp.zeros((40, 0))
    one = [dephased(ShimDephasing(f, weight, none, histogram=True)) for f in (field, 2 * field)]
    many = jax.vmap(lambda f: ShimDephasing(f, weight, none, histogram=True)({}, s))(jnp.stack([field, 2 * field]))
    np.testing.assert_allclose(many, jnp.stack(one), atol=1e-12)
    assert len(traces) == 1
