"""MRSI worlds: fields, heads, k-space, coils."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.physics import dipole_field
from simulators import phantoms
from simulators.phantoms import Tissue
from simulators.phantoms.head import grid


def test_field_of_a_sphere_is_that_of_a_dipole_outside_and_nothing_inside():
    n, a = 48, 0.35
    x = grid((n, n, n))
    r = np.sqrt((x**2).sum(0))
    field = np.asarray(dipole_field(jnp.asarray((r < a) * 1e-6), jnp.ones(3)))
    volume = (r < a).mean() * 8  # of the voxels: a sphere of steps
    radius = (3 * volume / (4 * np.pi)) ** (1 / 3)
    outside = (r > 1.5 * a) & (r < 0.9)
    angle = x[2] / np.where(r > 0, r, 1)
    expected = 1e-6 / 3 * (radius / np.where(r > 0, r, 1)) ** 3 * (3 * angle**2 - 1)
    error = np.abs(field - expected)[outside]
    assert (
        error.max() < 0.06 * np.abs(expected[outside]).max() and error.mean() < 0.01 * np.abs(expected[outside]).max()
    )
    assert np.abs(field[r < 0.6 * a]).max() < 0.03 * 1e-6


def test_field_is_linear_with_a_gradient():
    chi = jax.random.normal(jax.random.key(0), (8, 8, 8))
    one = jax.jit(jax.value_and_grad(lambda s: dipole_field(chi * s, jnp.ones(3))[2, 3, 4]))
    np.testing.assert_allclose(one(1.0)[1], one(2.0)[0] - one(1.0)[0], rtol=1e-6)


def test_head_has_a_ring_of_fat_around_three_tissues_and_lesions_in_the_brain():
    shape = (40, 40, 40)
    head = jax.jit(phantoms.head, static_argnums=1)
    lesion = jax.jit(phantoms.random_lesion)(jax.random.key(4))
    np.testing.assert_allclose(lesion.rotation @ lesion.rotation.T, np.eye(3), atol=1e-5)
    label = np.asarray(head(jax.random.key(1), shape, lesions=(lesion,)))
    part = {t.name: (label == t).mean() for t in Tissue}
    assert part["GREY"] > 0.05 and part["WHITE"] > 0.08 and part["CSF"] > 0.01 and part["LESION"] > 0.001
    assert np.all(label[0] == Tissue.AIR) and np.all(label[:, :, 0] == Tissue.AIR)
    line = label[:, 20, 20]
    found = line[line != Tissue.AIR]
    assert found[0] == found[-1] == Tissue.SCALP and Tissue.SKULL in found[:5]
    other = np.asarray(head(jax.random.key(2), shape, lesions=(lesion,)))
    assert (other != label).mean() > 0.02
    t1 = np.asarray(phantoms.rendered(jnp.asarray(label), phantoms.T1W))
    assert t1[label == Tissue.WHITE].mean() > t1[label == Tissue.GREY].mean() > t1[label == Tissue.CSF].mean()


def test_point_spread_is_the_dirichlet_kernel_and_a_uniform_object_keeps_its_value():
    n, m = 32, 8
    k = phantoms.sampled(jnp.ones((n, n, 3)), (m, m))
    np.testing.assert_allclose(phantoms.reconstructed(k), np.ones((m, m, 3)), atol=1e-6)
    point = jnp.zeros((n, n)).at[16, 16].set(1.0)
    seen = np.abs(np.asarray(phantoms.reconstructed(phantoms.sampled(point, (m, m)))))
    # the spectrum of m points around k = 0 at a source in the middle of voxel 4: all of it there, zeros at the others
    np.testing.assert_allclose(
        seen, np.where(np.arange(m)[:, None] * m + np.arange(m) == 4 * m + 4, (m / n) ** 2, 0), atol=1e-7
    )
    shifted = jnp.zeros((n, n)).at[18, 16].set(1.0)  # half a voxel off
    seen = np.abs(np.asarray(phantoms.reconstructed(phantoms.sampled(shifted, (m, m)))))[:, 4]
    u = np.arange(m) - 4.5
    expected = np.abs(np.sin(np.pi * u) / np.sin(np.pi * u / m)) * m / n**2
    np.testing.assert_allclose(seen, expected, atol=1e-7)
    assert 0.7 < phantoms.elliptical((16, 16)).mean() < 0.85
    with pytest.raises(ValueError, match="matrix"):
        phantoms.sampled(point, (64, 8))


def test_loops_see_what_is_near_and_are_turns_of_each_other():
    s = np.asarray(phantoms.loop_sensitivities((33, 33), 4))
    assert np.isclose(np.abs(s).max(), 1) and np.abs(s[0, -1, 16]) > 5 * np.abs(s[0, 0, 16])
    np.testing.assert_allclose(np.abs(s[1]), np.abs(np.rot90(s[0])), atol=1e-5)
    # on the axis of a loop: R^2 / (R^2 + d^2)^(3/2)
    x = (np.arange(33) - 16) / 16.5
    expected = (0.25 + (1.2 - x) ** 2) ** -1.5
    np.testing.assert_allclose(np.abs(s[0, :, 16]) / np.abs(s[0, 16, 16]), expected / expected[16], rtol=2e-3)
