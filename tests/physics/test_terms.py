import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import BasisSet, Sampling, cis, exponentials, to_fid, to_spectrum
from mrsjax.physics import (
    EddyPhase,
    FreeLine,
    Gauss,
    Lorentz,
    Phase,
    ShimDephasing,
    default_model,
    no_baseline,
    polynomial,
    ratio_prior,
    spline,
    with_columns,
)
from mrsjax.physics.macromolecules import basis_offset
from mrsjax.physics.relaxation import relaxation_table
from tests.physics.examples import sampling

PPM = np.linspace(0.2, 4.2, 300)


def test_transform_round_trip_and_a_line_at_its_ppm():
    s = sampling()
    rng = np.random.default_rng(0)
    fid = jnp.asarray(rng.normal(size=(3, 1024)) + 1j * rng.normal(size=(3, 1024)))
    np.testing.assert_allclose(to_fid(to_spectrum(fid)), fid, atol=1e-12)
    line = jnp.exp((2j * jnp.pi * s.to_hz(3.03) - 10.0) * s.time)
    assert abs(float(s.ppm[jnp.argmax(to_spectrum(line).real)]) - 3.03) < 0.01  # +Hz is higher ppm
    noise = to_spectrum(jnp.asarray(rng.normal(size=(50, 1024)) + 1j * rng.normal(size=(50, 1024))))
    assert abs(float(jnp.std(noise.real)) - 1.0) < 0.02  # unitary


@pytest.mark.parametrize("n", [1, 63, 64, 65, 1024])
def test_exponentials_are_exponentials(n):
    rate = jnp.asarray([-3.0 + 50j, 0.0 + 0j, -0.5 - 2000j])
    wanted = np.exp(np.asarray(rate)[:, None] * 5e-4 * np.arange(n))
    np.testing.assert_allclose(exponentials(rate, jnp.asarray(5e-4), n), wanted, atol=1e-12)


@pytest.mark.parametrize(("line", "width"), [(Lorentz(), 5.0), (Gauss(), 25.0)])
def test_width_at_half_height(line, width):
    s = Sampling(1e-3, 123e6, 65536)
    name = next(iter(line.parameters()))
    spectrum = to_spectrum(line({name: jnp.asarray(width)}, s)).real
    above = s.frequency[spectrum >= spectrum.max() / 2]
    fwhm = width if name == "lorentz" else math.sqrt(width)
    assert abs(float(above[-1] - above[0]) - fwhm) < 0.05


def test_free_line_is_a_distribution_for_any_shape_and_gauss_at_zero():
    s = sampling()
    line = FreeLine(modes=4)
    q = jnp.asarray(20.0)
    gauss = Gauss()({"gauss": q}, s)
    free = line({"gauss": q, "shape": jnp.zeros(4)}, s)
    np.testing.assert_allclose(free[:400], gauss[:400], atol=3e-4)  # the grid ends at 4 standard deviations
    for seed in range(5):
        shape = 2 * jax.random.normal(jax.random.key(seed), (4,))
        u, h = line.weights(shape)
        assert float(h.min()) >= 0
        np.testing.assert_allclose([h.sum(), h @ u, h @ u**2], [1.0, 0.0, 1.0], atol=1e-10)
        assert float(jnp.abs(line({"gauss": q, "shape": shape}, s)).max()) <= 1 + 1e-12


def test_phase_pivot_and_order():
    f = jnp.linspace(-400.0, 100.0, 51)
    phase = Phase()({"phase_zero": jnp.asarray(0.3), "delay": jnp.asarray(1e-3)}, f, jnp.asarray(-150.0))
    np.testing.assert_allclose(phase, cis(0.3 + 2 * jnp.pi * (f + 150.0) * 1e-3), atol=1e-12)


def test_dephasing_by_a_uniform_field_is_a_sinc():
    s = sampling()
    width = 12.0
    offset = jnp.asarray((np.arange(2000) + 0.5) / 2000 - 0.5) * width
    d = ShimDephasing(offset, jnp.full(2000, 1 / 2000), jnp.zeros((2000, 0)))({}, s)
    np.testing.assert_allclose(d, jnp.sinc(width * s.time), atol=1e-5)


def test_shim_currents_that_undo_the_field_undo_the_dephasing():
    s = sampling()
    maps = jax.random.normal(jax.random.key(0), (30, 2))
    shim = ShimDephasing(-maps @ jnp.asarray([2.0, -1.0]), jnp.full(30, 1 / 30), maps)
    np.testing.assert_allclose(shim({"current": jnp.asarray([2.0, -1.0])}, s), jnp.ones(1024), atol=1e-9)


def test_eddy_phase_is_undone_by_its_conjugate():
    s = sampling()
    phase = 0.4 * jnp.exp(-s.time / 0.03)
    np.testing.assert_allclose(EddyPhase(phase)({}, s) * EddyPhase(-phase)({}, s), jnp.ones(1024), atol=1e-12)


@pytest.mark.parametrize("ed", [1.0, 3.0, 7.0])
def test_spline_has_the_dimension_asked_for_and_leaves_lines_alone(ed):
    base = spline(PPM, ed_per_ppm=ed)
    q = np.asarray(base.columns)
    np.testing.assert_allclose(q.T @ q, np.eye(q.shape[1]), atol=1e-9)
    np.testing.assert_allclose(base.effective_dimension(base.log_stiffness), ed, rtol=1e-6)
    smoother = q @ np.diag(np.asarray(base.shrinkage(base.log_stiffness))) @ q.T
    np.testing.assert_allclose(smoother @ (3 * PPM - 1), 3 * PPM - 1, atol=1e-8)  # a straight line is free


def test_spline_smoother_is_the_penalised_least_squares_solution():
    from scipy.interpolate import BSpline

    base = spline(PPM, ed_per_ppm=3.0, knots_per_ppm=5.0)
    y = np.sin(3 * PPM)
    knots = 0.2 + 4.0 * np.arange(-3, 24) / 20
    design = BSpline.design_matrix(PPM, knots, 3, extrapolate=True).toarray()
    d = np.diff(np.eye(design.shape[1]), 2, axis=0)
    stiffness = math.exp(float(base.log_stiffness))
    wanted = design @ np.linalg.solve(design.T @ design + stiffness * d.T @ d, design.T @ y)
    q = np.asarray(base.columns)
    got = q @ (np.asarray(base.shrinkage(base.log_stiffness)) * (q.T @ y))
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_polynomial_off_and_extra_columns():
    assert no_baseline(PPM).columns.shape == (300, 0)
    cubic = np.asarray(polynomial(PPM, 3).columns)
    y = 1 - 2 * PPM + PPM**3
    np.testing.assert_allclose(cubic @ (cubic.T @ y), y, atol=1e-9)
    tail = 1 / (PPM - 4.65)
    base = with_columns(spline(PPM, ed_per_ppm=2.0), tail[:, None])
    q = np.asarray(base.columns)
    np.testing.assert_allclose(q.T @ q, np.eye(q.shape[1]), atol=1e-6)
    got = q @ (np.asarray(base.shrinkage(base.log_stiffness)) * (q.T @ tail))
    np.testing.assert_allclose(got, tail, atol=1e-6)


def test_ratio_prior_is_zero_at_the_ratios_and_names_what_is_missing():
    names = ("a", "b", "c")
    prior = ratio_prior(names, {"a": 1.0, "b": 0.5}, sd=0.25, reference={"a": 1.0})
    p = prior.precision(np.array([2.0, 1.0, 7.0]), np.array(0.1))
    c = np.array([2.0, 1.0, 7.0])
    assert abs(c @ p @ c) < 1e-9
    d = np.array([2.0, 1.5, 7.0])  # b is 50 % off: two standard deviations
    np.testing.assert_allclose(d @ p @ d, 4.0)
    with pytest.raises(ValueError, match="x not among"):
        ratio_prior(names, {"x": 1.0}, sd=0.5, reference={"a": 1.0})


def test_water_is_where_it_is_when_the_carrier_is_not():
    """The tails of the water line do not depend on the ppm of 0 Hz."""
    moved = Sampling(5e-4, 123.25e6, 1024, ppm_ref=3.0)
    t = np.asarray(moved.time)
    fids = np.array([np.exp((2j * np.pi * float(moved.to_hz(2.01)) - 3) * t)])
    model = default_model(BasisSet(fids, ("NAA",), moved), moved, macromolecules="off", baseline="poly1", water_tails=1)
    x = 1 / (np.asarray(model.ppm) - 4.65)
    q = np.asarray(model.baseline.columns)
    assert q.shape[1] == 3 and np.linalg.norm(x - q @ (q.T @ x)) < 1e-3 * np.linalg.norm(x)


def test_a_wrapped_eddy_phase_is_resampled_without_jumps():
    s = sampling()
    true = 9.0 * jnp.exp(-s.time / 0.05)
    finer = Sampling(4e-4, 123.25e6, 1024)
    new = EddyPhase(jnp.angle(jnp.exp(1j * true))).resampled(s, finer)
    np.testing.assert_allclose(new({}, finer)[:800], jnp.exp(9j * jnp.exp(-finer.time / 0.05))[:800], atol=2e-3)


def test_a_sum_in_a_basis_is_known_by_its_first_part():
    table = relaxation_table(3.0)
    assert table.of("tNAA") == table.of("NAA") and table.of("tCho") == table.of("GPC") and table.of("X") == table.other
    line = lambda ppm: np.exp((2j * np.pi * float(sampling().to_hz(ppm)) - 3) * np.asarray(sampling().time))  # noqa: E731
    assert basis_offset(BasisSet(np.array([line(3.077)]), ("tCr",), sampling())) == pytest.approx(0.05, abs=0.004)
