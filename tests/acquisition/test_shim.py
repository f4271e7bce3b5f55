"""Solvers against scipy, problem table x solver table; objectives and their gradients."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import lsq_linear, minimize

from mrsjax.acquisition.shimming import (
    Average,
    BandLeakage,
    Cuboid,
    CurrentPenalty,
    Descent,
    Harmonics,
    Huber,
    InversePeak,
    LeastSquares,
    Linewidth,
    LostVolume,
    MeanSquare,
    Percentile,
    Region,
    SequentialQuadratic,
    ShimStatus,
    crlb,
    limits_of,
    predict,
    region,
    shim,
    stack,
    volume_kept,
)
from mrsjax.acquisition.shimming import (
    line as shim_line,
)
from mrsjax.acquisition.shimming.robustness import perturbed
from mrsjax.acquisition.shimming.shim import starts_of
from mrsjax.core import FieldMap, Status
from mrsjax.inference import fit
from mrsjax.physics import ShimDephasing
from tests.acquisition.fields import sinus
from tests.physics.examples import PLAIN, brain

COILS = Harmonics(2, "siemens")


@pytest.fixture(scope="module")
def voxel() -> Region:
    return region(sinus(), Cuboid([5, 30, 0], [20, 20, 20]), COILS, points=6)


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


def test_line_of_a_uniform_and_of_a_gaussian_field():
    field = jnp.linspace(-15.0, 15.0, 3001) + 7.0
    line = jax.jit(shim_line, static_argnames=("lorentz", "n"))
    flat = line(field, jnp.full(3001, 1 / 3001), lorentz=1.0)
    assert abs(float(flat.fwhm) - 30.0) < 0.3
    normal = jax.scipy.stats.norm.ppf((jnp.arange(3001) + 0.5) / 3001)
    gauss = line(3.0 + 5.0 * normal, jnp.full(3001, 1 / 3001), lorentz=0.01)
    assert abs(float(gauss.fwhm) - 2.3548 * 5.0) < 0.1
    single = line(jnp.zeros(3) + 40.0, jnp.full(3, 1 / 3), lorentz=4.0)
    np.testing.assert_allclose([single.fwhm, single.peak], [4.0, 40.0], atol=0.1)
    np.testing.assert_allclose(single.height, 2 / (np.pi * 4.0), rtol=0.02)
    step = single.frequency[1] - single.frequency[0]
    np.testing.assert_allclose(single.spectrum.sum() * step, 1.0, atol=0.02)


def test_volume_kept_is_of_the_whole_voxel():
    field = jnp.asarray([0.0] * 6 + [100.0] * 4)
    r = Region(field, jnp.full(10, 0.1), jnp.zeros((10, 1)), jnp.zeros((10, 3)), jnp.asarray(0.5))
    np.testing.assert_allclose(volume_kept(r, field, jnp.asarray(1.0)), 0.3)


@pytest.fixture(scope="module")
def bound():
    model = brain(
        256, lineshape="lorentz", macromolecules="off", baseline="poly1", own_shift=0.0, own_width=0.0, water_tails=0
    )
    return crlb(model, {"NAA": 10.0, "Cr": 8.0, "Glu": 8.0, "Ins": 5.0}, ("Glu", "Ins"))


def _objectives(voxel, bound):
    fields, maps = perturbed(voxel, sinus(), COILS, motion=1.0, turn=1.0, noise=2.0, n=3, key=jax.random.key(0))
    return {
        "mean square": MeanSquare(),
        "huber": Huber(5.0),
        "percentile": Percentile(0.8),
        "lost volume": LostVolume(5.0),
        "leakage": BandLeakage(voxel, -20.0, -40.0, -10.0),
        "penalty": CurrentPenalty(jnp.full(9, 100.0)),
        "peak": InversePeak(),
        "linewidth": Linewidth(),
        "crlb": bound,
        "average": Average(Huber(5.0), fields, maps),
        "sum": InversePeak() + 3.0 * LostVolume(),
    }


def test_gradients_of_all_objectives_against_finite_differences(voxel, bound):
    rng = np.random.default_rng(3)
    scale = 1.0 / np.sqrt(np.asarray(voxel.weight @ voxel.maps**2))
    at = shim(voxel, COILS).currents + jnp.asarray(scale * rng.normal(0, 2.0, 9))
    along = jnp.asarray(scale * rng.normal(size=9))
    step = 1e-3
    objectives = _objectives(voxel, bound)

    @jax.jit
    def values(c):
        return jnp.stack([objective(voxel, c) for objective in objectives.values()])

    slopes = jax.jit(jax.jacrev(values))(at) @ along
    wanted = (values(at + step * along) - values(at - step * along)) / (2 * step)
    assert float(jnp.abs(slopes).min()) > 1e-8
    for name, slope, expected in zip(objectives, slopes, wanted, strict=True):  # the histogram's own error is 3e-6
        np.testing.assert_allclose(slope, expected, rtol=5e-3, err_msg=name)


def test_values_of_the_objectives_on_a_field_that_is_known():
    """Two channels, four points of unequal weight: what each objective says, by hand."""
    field, weight = jnp.asarray([-30.0, 1.0, 3.0, 20.0]), jnp.asarray([0.1, 0.4, 0.3, 0.2])
    r = Region(field - 2.0, weight, jnp.asarray([[1.0, 0.0]] * 4), jnp.zeros((4, 3)), jnp.asarray(1.0))
    at = jnp.asarray([2.0, 5.0])  # the field itself
    near = lambda value: pytest.approx(value, rel=1e-6)  # noqa: E731
    assert float(MeanSquare()(r, at)) == near(0.1 * 900 + 0.4 + 0.3 * 9 + 0.2 * 400)
    assert float(Huber(5.0)(r, at)) == near(0.1 * (300 - 25) + 0.4 + 0.3 * 9 + 0.2 * (200 - 25))
    assert float(Percentile(0.2, 1e-3)(r, at)) == near(1.0)  # ranks end at 0.4, 0.7, 0.9, 1
    assert float(Percentile(0.8, 1e-3)(r, at)) == near(20.0)
    assert float(LostVolume(12.0, 1e-3)(r, at)) == near(0.3)
    # with a shift of -25 Hz the points are at -55, -24, -22, -5: two of four are in the band
    assert float(BandLeakage(r, -25.0, -30.0, -10.0, 1e-3)(r, at)) == near(0.7)
    assert float(CurrentPenalty(jnp.asarray([2.0, 10.0]))(r, at)) == near(1.25)
    moved = Average(MeanSquare(), jnp.stack([r.field, 0 * r.field]), jnp.stack([r.maps, 2 * r.maps]))
    assert float(moved(r, at)) == near(0.5 * (173.1 + 16.0))
    assert float((2.0 * MeanSquare() + Huber(5.0))(r, at)) == near(2 * 173.1 + 65.6)


def test_motion_meets_other_tissue_and_the_channels_stay(voxel):
    """A linear field after motions: what `perturbed` says, by hand."""
    slope, n = np.array([0.3, -0.2, 0.1]), 40
    place = np.asarray(voxel.position)
    still = sinus()
    linear = FieldMap(still.positions @ slope, np.ones(still.field.shape, bool), still.affine)
    start = eqx.tree_at(lambda r: r.field, voxel, jnp.asarray(place @ slope))
    same, _ = perturbed(start, linear, COILS, n=2, key=jax.random.key(0))
    np.testing.assert_allclose(same, np.stack([start.field] * 2), atol=1e-9)
    moved, maps = perturbed(start, linear, COILS, motion=2.0, n=n, key=jax.random.key(0))
    np.testing.assert_allclose(maps, np.broadcast_to(voxel.maps, maps.shape))
    change = np.asarray(moved) - place @ slope  # one number for each motion: slope . shift
    np.testing.assert_allclose(change, np.broadcast_to(change[:, :1], change.shape), atol=1e-9)
    assert 0.7 < change[:, 0].std() / (2.0 * np.linalg.norm(slope)) < 1.3
    turned, _ = perturbed(start, linear, COILS, turn=3.0, n=n, key=jax.random.key(0))
    centre = np.asarray(voxel.weight) @ place
    np.testing.assert_allclose(np.asarray(turned) @ np.asarray(voxel.weight), np.full(n, centre @ slope), atol=1e-9)
    assert np.ptp(np.asarray(turned)[:, 0]) > 0.1 and np.abs(np.asarray(turned)[0] - np.asarray(turned)[1]).max() > 0.1
    noisy, _ = perturbed(start, linear, COILS, noise=3.0, n=n, key=jax.random.key(0))
    assert 2.8 < float(np.std(np.asarray(noisy) - place @ slope)) < 3.2


def test_the_factor_that_shims_fits_the_currents_of_a_spectrum(voxel):
    """One term simulates, is fitted and shims: the currents of a detuned voxel from its spectrum, then their opposite restores the line."""
    scale = 1.0 / jnp.sqrt(voxel.weight @ voxel.maps**2)
    plain = brain(512, **PLAIN)
    wanted = jnp.asarray([6.0, 4.0])  # Hz rms of X and Z2
    maps = (voxel.maps * scale)[:, jnp.asarray([1, 4])]
    maps = maps - voxel.weight @ maps
    term = ShimDephasing(
        jnp.zeros(len(voxel.weight)), voxel.weight, maps, start=jnp.asarray([2.0, 2.0]), current_limit=30.0
    )
    model = eqx.tree_at(lambda m: m.factors, plain, (term,))
    values = model.start() | {"shim": {"current": wanted}}
    fid = np.asarray(eqx.filter_jit(model.signal)(values, jnp.asarray([10.0, 8.0, 2.0, 5.0, 8.0, 2.0])))
    rng = np.random.default_rng(0)
    fid = fid + 0.02 * (rng.normal(size=512) + 1j * rng.normal(size=512))
    found = fit(model, fid[None])
    assert int(found.status[0]) == Status.CONVERGED
    np.testing.assert_allclose(found.parameters["shim.current"][0], wanted, rtol=0.02)


def test_spectral_objective_beats_least_squares_on_the_spectrum(voxel):
    base = shim(voxel, COILS)
    other = region(sinus(), Cuboid([0, 20, 5], [20, 20, 20]), COILS, points=6)
    both = shim(stack([voxel, other]), COILS, InversePeak(), starts=3)  # a batch is the loop
    for i, r in enumerate((voxel, other)):
        peak = shim(r, COILS, InversePeak(), starts=3)
        np.testing.assert_allclose(both.spread[i], peak.spread, rtol=1e-6)
        np.testing.assert_allclose(
            [both.after.line.fwhm[i], both.after.kept[i]], [peak.after.line.fwhm, peak.after.kept], rtol=1e-5
        )
    peak = jax.tree.map(lambda x: x[0], both)
    fine = region(sinus(), Cuboid([5, 30, 0], [20, 20, 20]), COILS, points=12)
    judged = peak.on(fine)  # on points that the optimiser has not seen
    np.testing.assert_allclose(judged.after.field, fine.predicted(peak.currents))
    np.testing.assert_allclose(judged.before.field, fine.field)
    assert float(judged.value) == float(peak.value)
    assert 0.0 < abs(float(judged.after.line.height) / float(peak.after.line.height) - 1) < 0.1
    assert float(peak.value) < float(InversePeak()(voxel, base.currents))
    assert float(MeanSquare()(voxel, peak.currents)) > float(base.value)  # and it knows something else than the field


@eqx.filter_jit
def _relative(bound, r):
    return bound.relative(r, jnp.zeros(1))


def test_bound_through_the_factor_is_that_of_a_broader_line(bound):
    """A Lorentz distribution of the field acts as a Lorentz width: the bounds are equal."""
    quantile = (np.arange(4000) + 0.5) / 4000
    field = jnp.asarray(0.5 * 3.0 * np.tan(np.pi * (quantile - 0.5))).clip(-400, 400)
    r = Region(field, jnp.full(4000, 1 / 4000), jnp.zeros((4000, 1)), jnp.zeros((4000, 3)), jnp.asarray(1.0))
    through = _relative(bound, r)
    line = bound.model.groups[0].lineshape
    wider = eqx.tree_at(lambda m: m.groups[0].lineshape, bound.model, type(line)(start=line.start + 3.0))
    still = Region(0 * field, r.weight, r.maps, r.position, r.covered)
    direct = _relative(type(bound)(wider, bound.amplitudes, bound.chosen, bound.noise_sd), still)
    np.testing.assert_allclose(through, direct, rtol=0.02)


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
