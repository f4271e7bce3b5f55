import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.processing import Target, align, align_to_peak, alignment

from .signals import METABOLITES, SAMPLING, T, line, moved, noise

HZ = np.array([0.0, 3.3, -7.7, 18.4, -19.9, 0.6])
PHASE = np.array([0.0, 1.4, -1.5, 0.3, -0.7, 0.2])


def test_registration_is_exact_without_noise_wherever_it_starts():
    many = moved(METABOLITES, HZ, PHASE)
    found = jax.vmap(lambda s: alignment.register(s, jnp.asarray(METABOLITES), SAMPLING))(jnp.asarray(many))
    np.testing.assert_allclose(found.frequency, HZ, atol=1e-7)
    np.testing.assert_allclose(found.phase, PHASE, atol=1e-7)


def test_registration_reaches_the_cramer_rao_bound():
    rng = np.random.default_rng(0)
    sd, trials = 2.0, 300
    data = METABOLITES + noise(rng, sd, trials)
    found = jax.jit(jax.vmap(lambda s: alignment.register(s, jnp.asarray(METABOLITES), SAMPLING)))(jnp.asarray(data))
    # Scale, phase and frequency unknown.
    energy = np.abs(METABOLITES) ** 2
    d = 2 * np.pi * T
    fisher = np.array([[np.sum(energy * d**2), np.sum(energy * d)], [np.sum(energy * d), np.sum(energy)]]) / sd**2
    bound = np.sqrt(np.diag(np.linalg.inv(fisher)))
    for values, limit in zip((found.frequency, found.phase), bound, strict=True):
        assert abs(np.mean(values)) < 4 * limit / np.sqrt(trials)
        assert 0.85 < np.std(values) / limit < 1.15


@pytest.mark.parametrize("target", [Target.MEAN, Target.MEDIAN, Target.FIRST])
def test_a_series_is_brought_together(target):
    rng = np.random.default_rng(1)
    hz, phase = rng.uniform(-20, 20, 24), rng.uniform(-1.5, 1.5, 24)
    data = moved(METABOLITES, hz, phase) + noise(rng, 0.3, 24)
    turned, drift = jax.jit(lambda d: align(d, SAMPLING, target=target))(jnp.asarray(data))
    off = np.asarray(drift.frequency) - hz
    assert np.ptp(off) < 0.4 and np.std(off) < 0.1
    turn = np.exp(1j * (np.asarray(drift.phase) - phase))
    assert np.abs(turn / turn[0] - 1).max() < 0.15
    gain = np.abs(np.mean(np.asarray(turned), 0)[0]) / np.abs(METABOLITES[0])
    assert gain > 0.98


def test_no_drift_is_invented_and_a_window_does_not_come_round():
    rng = np.random.default_rng(2)
    data = METABOLITES + 30 * line(4.65, 1, 8) + noise(rng, 0.2, 16)
    _, drift = align(jnp.asarray(data), SAMPLING, window=(1.8, 4.2))
    assert np.abs(drift.frequency).max() < 0.15 and np.abs(drift.phase).max() < 0.05


@pytest.mark.parametrize(("lipid", "most"), [(0.0, 1.2), (15.0, 6.0)])
def test_robust_registration_in_one_window_beside_the_plain_and_the_bound(lipid, most):
    rng = np.random.default_rng(3)
    sd, count, window = 1.0, 96, (1.8, 4.2)
    hz, phase = rng.uniform(-5, 5, count), rng.uniform(-0.5, 0.5, count)
    sizes, turns = rng.uniform(0, lipid, count), rng.uniform(-3, 3, count)
    inside = np.array([line(2.1, a, 8, p) for a, p in zip(sizes, turns, strict=True)])
    data = jnp.asarray(moved(METABOLITES, hz, phase) + inside + noise(rng, sd, count))
    goal = jnp.asarray(METABOLITES)
    banded = alignment.band(goal, SAMPLING, window)
    plain = jax.jit(jax.vmap(lambda s: alignment.register(alignment.band(s, SAMPLING, window), banded, SAMPLING)))(data)
    robust = jax.jit(jax.vmap(lambda s: alignment.register_robust(s, goal, SAMPLING, window)))(data)
    # Scale, phase, frequency, and the lipid's complex size unknown, its place and width known.
    s, other = METABOLITES, [line(2.1, 1, 8), 1j * line(2.1, 1, 8)]
    j = np.array([2j * np.pi * T * s, 1j * s, s, *(other if lipid else [])])
    bound = np.sqrt(np.diag(np.linalg.inv(np.real(j.conj() @ j.T) / sd**2)))
    assert 0.85 * bound[0] < np.std(robust.frequency - hz) < most * bound[0]
    assert np.std(robust.phase - phase) < (most + 1) * bound[1]
    if lipid:
        assert np.std(robust.frequency - hz) < 0.6 * np.std(plain.frequency - hz)


def test_nan_and_zero_transients_are_left_alone_and_gradients_are_finite():
    data = np.array(moved(METABOLITES, HZ, PHASE))
    data[1] = np.nan
    data[2] = 0.0
    turned, drift = align(jnp.asarray(data), SAMPLING)
    assert drift.frequency[1] == 0 and drift.frequency[2] == 0 and np.isnan(turned[1]).all()
    assert np.isfinite(np.asarray(turned)[[0, 3, 4, 5]]).all()

    def shift(hz):
        fid = jnp.asarray(METABOLITES) * jnp.exp(2j * jnp.pi * hz * SAMPLING.time)
        return alignment.register(fid, jnp.asarray(METABOLITES), SAMPLING).frequency

    assert jax.grad(shift)(3.0) == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(ValueError, match="window"):
        align(jnp.asarray(data), SAMPLING, robust=True)


def test_a_shift_towards_the_windows_edge_does_not_bias_the_phase():
    hz, phase = np.linspace(-20, 20, 9), np.linspace(-1.2, 1.2, 9)  # NAA comes within 0.03 ppm of the edge
    data = jnp.asarray(moved(METABOLITES, hz, phase))
    _, drift = jax.jit(lambda d: align(d, SAMPLING, window=(1.8, 4.2), target=jnp.asarray(METABOLITES)))(data)
    np.testing.assert_allclose(drift.frequency, hz, atol=0.01)
    np.testing.assert_allclose(drift.phase, phase, atol=np.deg2rad(0.1))


def test_transients_are_brought_to_a_reference_peak():
    rng = np.random.default_rng(4)
    hz, phase = rng.uniform(-20, 20, 24), rng.uniform(-1.5, 1.5, 24)
    data = moved(METABOLITES, hz, phase) + noise(rng, 0.3, 24)
    data[3] = np.nan
    turned, drift = jax.jit(lambda d: align_to_peak(d, SAMPLING, "NAA"))(jnp.asarray(data))
    good = np.arange(24) != 3
    # Bound of one line of NAA's size alone.
    e, d = np.abs(line(2.008, 12)) ** 2 / 0.3**2, 2 * np.pi * T
    bound = np.sqrt(np.diag(np.linalg.inv([[e @ d**2, e @ d], [e @ d, e.sum()]])))
    off = (np.asarray(drift.frequency) - hz)[good], (np.asarray(drift.phase) - phase)[good]
    for error, limit, bias in zip(off, bound, (0.1, 0.03), strict=True):  # neighbours bias the line by up to so much
        assert np.std(error) < 2 * limit and abs(np.mean(error)) < bias
    assert np.isnan(turned[3]).all() and drift.frequency[3] == 0
