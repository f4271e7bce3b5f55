"""MRSI worlds: fields, heads, k-space, coils."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.physics import dipole_field
from simulators import phantoms
from simulators.phantoms import Tissue, b0
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
    label = head(jax.random.key(1), shape)
    fractions = phantoms.lesioned(jax.nn.one_hot(label, len(Tissue)), lesion)
    np.testing.assert_allclose(fractions.sum(-1), 1.0)
    brain = np.isin(np.asarray(label), (Tissue.GREY, Tissue.WHITE, Tissue.CSF))
    label = np.asarray(jnp.argmax(fractions, -1))
    assert np.all(brain[label == Tissue.LESION])
    part = {t.name: (label == t).mean() for t in Tissue}
    assert part["GREY"] > 0.05 and part["WHITE"] > 0.08 and part["CSF"] > 0.01 and part["LESION"] > 0.001
    assert np.all(label[0] == Tissue.AIR) and np.all(label[:, :, 0] == Tissue.AIR)
    line = label[:, 20, 20]
    found = line[line != Tissue.AIR]
    assert found[0] == found[-1] == Tissue.SCALP and Tissue.SKULL in found[:5]
    assert (label[16:24, 30:36, :20] == Tissue.AIR).any(), "no sinus"
    other = np.asarray(head(jax.random.key(2), shape))
    assert (other != label).mean() > 0.02
    t1 = np.asarray(phantoms.rendered(fractions, phantoms.T1W))
    assert t1[label == Tissue.WHITE].mean() > t1[label == Tissue.GREY].mean() > t1[label == Tissue.CSF].mean()


def test_point_spread_is_the_dirichlet_kernel_and_a_uniform_object_keeps_its_value():
    n, m = 32, 8
    k = phantoms.sampled(jnp.ones((n, n, 4, 3)), (m, m, 2))
    np.testing.assert_allclose(phantoms.reconstructed(k), np.ones((m, m, 2, 3)), atol=1e-6)
    point = jnp.zeros((n, n, 1)).at[18, 13].set(1.0)
    seen = np.abs(np.asarray(phantoms.reconstructed(phantoms.sampled(point, (m, m, 1)))))[..., 0]
    kernel = [
        np.abs(np.sin(np.pi * u * m) / np.sin(np.pi * u)) / n
        for u in ((np.arange(m) - 3.5) / m - (at - 15.5) / n for at in (18, 13))
    ]
    np.testing.assert_allclose(seen, np.outer(*kernel), atol=1e-7)
    assert 0.7 < phantoms.elliptical((16, 16, 1)).mean() < 0.85
    with pytest.raises(ValueError, match="matrix"):
        phantoms.sampled(point, (64, 8, 1))


def test_random_k_space_has_its_number_and_a_whole_centre():
    draw = jax.jit(lambda key: phantoms.variable_density(key, (16, 16, 1), acceleration=4.0, centre=0.25))
    masks = np.asarray(jax.vmap(draw)(jax.random.split(jax.random.key(0), 200)))
    assert np.all(masks.sum((1, 2, 3)) == 64)
    radius = np.hypot(*np.meshgrid(np.arange(-8, 8) / 8, np.arange(-8, 8) / 8, indexing="ij"))
    often = masks.mean(0)[..., 0]
    assert np.all(often[radius <= 0.25] == 1) and np.all(often[radius >= 1] == 0)
    assert often[(radius > 0.3) & (radius < 0.5)].mean() > 2 * often[(radius > 0.7) & (radius < 0.9)].mean() > 0
    with pytest.raises(ValueError, match="acceleration"):
        phantoms.variable_density(jax.random.key(0), (16, 16, 1), acceleration=100.0)


@pytest.mark.parametrize("kind", [phantoms.spiral, phantoms.rosette])
def test_trajectories_are_the_sum_over_the_object_and_see_it_like_an_ellipse(kind):
    pytest.importorskip("jax_finufft")
    n, m = 32, 16
    path = kind((m, m))
    x = (np.arange(n) - (n - 1) / 2) / n
    disc = np.exp(-((np.hypot(*np.meshgrid(x - 0.1, x + 0.05, indexing="ij")) / 0.25) ** 4))
    image = jnp.asarray(np.stack([disc, 1j * disc[::-1]]).astype(np.complex64))
    found = np.asarray(jax.jit(phantoms.sampled_along)(image, path))
    k = np.asarray(path.k, float)
    waves = [np.exp(-2j * np.pi * np.outer(x, k[:, i])) for i in (0, 1)]
    direct = np.einsum("sab,aj,bj->sj", np.asarray(image), *waves) / n**2
    np.testing.assert_allclose(found, direct, atol=3e-5)
    seen = np.asarray(phantoms.image_along(jnp.asarray(direct.astype(np.complex64)), path, (m, m)))
    v = (np.arange(m) - (m - 1) / 2) / m
    back = [np.exp(2j * np.pi * np.outer(v, k[:, i])) for i in (0, 1)]
    np.testing.assert_allclose(seen, np.einsum("sj,aj,bj->sab", direct * np.asarray(path.density), *back), atol=1e-4)
    whole = phantoms.sampled(jnp.asarray(disc[..., None] + 0j), (m, m, 1)) * phantoms.elliptical((m, m, 1))
    expected = np.asarray(phantoms.reconstructed(whole))[..., 0]
    assert np.linalg.norm(seen[0] - expected) < 0.03 * np.linalg.norm(expected)
    power = lambda s: jnp.sum(jnp.abs(phantoms.sampled_along(s * image, path)) ** 2)  # noqa: E731
    np.testing.assert_allclose(jax.grad(power)(1.0), (power(1.1) - power(0.9)) / 0.2, rtol=1e-3)


def test_shim_takes_its_terms_off_and_leaves_what_was_asked():
    shape, fov = (12, 14, 10), (200.0, 220.0, 180.0)
    terms = b0.shim_terms(shape, fov)
    inside = (np.random.default_rng(0).random(shape) > 0.4).astype(np.float32)
    modes = np.asarray(b0.orthonormal(jnp.asarray(terms), jnp.asarray(inside)), float)
    gram = np.einsum("kxyz,lxyz,xyz->kl", modes, modes, inside) / inside.sum()
    np.testing.assert_allclose(gram, np.eye(9), atol=1e-4)
    fractions = np.zeros((*shape, len(Tissue)), np.float32)
    fractions[..., Tissue.AIR] = 1
    fractions[3:9, 3:10, 2:8] = np.eye(len(Tissue))[Tissue.GREY]
    wanted = np.linspace(-4, 4, 9).astype(np.float32)
    field = b0.shimmed_field(
        jnp.asarray(fractions), jnp.asarray(inside), jnp.asarray(wanted), terms=jnp.asarray(terms), field_of_view=fov, frequency=123e6
    )  # fmt: skip
    left = np.einsum("kxyz,xyz->k", modes, np.asarray(field, float) * inside) / inside.sum()
    np.testing.assert_allclose(left, wanted, atol=2e-3)
    assert np.std(np.asarray(field)[inside > 0]) > 20


def test_loops_see_what_is_near_and_are_turns_of_each_other():
    s = np.asarray(phantoms.loop_sensitivities((33, 33, 1), 4))[..., 0]
    assert np.isclose(np.abs(s).max(), 1) and np.abs(s[0, -1, 16]) > 5 * np.abs(s[0, 0, 16])
    np.testing.assert_allclose(np.abs(s[1]), np.abs(np.rot90(s[0])), atol=1e-5)
    # on the axis of a loop: R^2 / (R^2 + d^2)^(3/2)
    x = (np.arange(33) - 16) / 16.5
    expected = (0.25 + (1.2 - x) ** 2) ** -1.5
    np.testing.assert_allclose(np.abs(s[0, :, 16]) / np.abs(s[0, 16, 16]), expected / expected[16], rtol=2e-3)
