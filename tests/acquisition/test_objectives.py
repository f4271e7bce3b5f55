"""Objectives of shimming, their gradients, and what they give on the spectrum."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.acquisition.shimming import (
    Average,
    BandLeakage,
    Cuboid,
    CurrentPenalty,
    Harmonics,
    Huber,
    InversePeak,
    Linewidth,
    LostVolume,
    MeanSquare,
    Percentile,
    Region,
    crlb,
    region,
    shim,
    stack,
    volume_kept,
)
from mrsjax.acquisition.shimming import (
    line as shim_line,
)
from mrsjax.acquisition.shimming.robustness import perturbed
from mrsjax.core import FieldMap, Status
from mrsjax.inference import fit
from mrsjax.physics import ShimDephasing
from tests.acquisition.fields import sinus
from tests.physics.examples import PLAIN, brain

COILS = Harmonics(2, "siemens")


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_factor_that_shims_fits_the_currents_of_a_spectrum(voxel):
    """One term simulates, is fitted and shims: the currents of a detuned voxel from its spectrum. From far away a fit may end in another minimum, so it starts from several places."""
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
    currents = jnp.asarray([[2.0, 2.0], [2.0, 7.0], [7.0, 2.0], [7.0, 7.0]])
    start = jax.tree.map(lambda x: jnp.broadcast_to(x, (4, *jnp.shape(x))), model.coarse().start())
    found = fit(model, np.tile(fid, (4, 1)), start=start | {"shim": {"current": currents}})
    best = int(np.argmin(found.misfit))
    assert int(found.status[best]) == Status.CONVERGED
    np.testing.assert_allclose(found.parameters["shim.current"][best], wanted, rtol=0.02)


@pytest.mark.slow
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
