"""Each artefact does what its label says."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy.interpolate import BSpline

from mrsjax.core import Sampling, to_spectrum
from mrsjax.physics import EddyPhase
from simulators import artefacts
from simulators.artefacts import Scene
from simulators.artefacts.circle import cis_turns
from simulators.artefacts.noise import LARGEST, radius, threefry
from simulators.datasets.signal import single_precision
from simulators.tissue.priors import fixed, uniform

GRID = Sampling(1 / 1200, 123.25e6, 512)
SCENE = single_precision(Scene(GRID, jnp.float32(100.0), jnp.float32(0.0)))
SILENCE = jnp.zeros(GRID.n_points, jnp.complex64)
LINE = jnp.asarray(50 * np.exp((2j * np.pi * 80 - 15) * np.asarray(GRID.time)), jnp.complex64)
KEY = jax.random.key(5)


@eqx.filter_jit
def run(artefact, data=LINE, scene=SCENE, *, key=KEY):
    return artefact(data, scene, key=key)


@eqx.filter_jit
def run_many(artefact, count):
    return jax.vmap(lambda k: artefact(SILENCE, SCENE, key=k))(jax.random.split(KEY, count))


ADDED = {
    "baseline": artefacts.spline_baseline(GRID, fixed(0.1)),
    "walk": artefacts.spline_baseline(GRID, fixed(0.1), walk=True),
    "water": artefacts.residual_water(GRID, fixed(2.0)),
    "lipids": artefacts.scalp_lipids(GRID, fixed(0.5)),
    "spurious": artefacts.spurious_peaks(GRID, fixed(0.5)),
    "echo": artefacts.out_of_voxel_echo(GRID, fixed(0.5), probability=1.0),
}


def test_mean_of_a_baseline_is_in_every_spectrum():
    common = np.zeros(14)
    common[6] = 0.3
    made = artefacts.spline_baseline(GRID, fixed(0.0), mean=tuple(common))
    data, label = run(made)
    peak = 100 * 0.3 * np.asarray(made.waves[6])
    np.testing.assert_allclose(label["signal"], peak, atol=1e-4 * np.abs(peak).max())
    np.testing.assert_allclose(data - label["signal"], LINE, atol=1e-3)
    with pytest.raises(ValueError, match="wanted one number for each of 14 splines"):
        artefacts.spline_baseline(GRID, fixed(0.0), mean=(1.0,))


@pytest.mark.parametrize("name", ADDED)
def test_signal_is_what_was_added_and_is_on_the_scale_of_the_metabolites(name):
    made = single_precision(ADDED[name])
    data, label = run(made)
    # single precision of a phase of up to 2 pi 600 Hz 0.4 s: 9e-5 rad
    rounding = 1e-4 * float(np.abs(label["signal"]).max())
    np.testing.assert_allclose(data - label["signal"], LINE, atol=max(1e-4, rounding))
    larger = Scene(SCENE.sampling, 2 * SCENE.area, SCENE.shift)
    np.testing.assert_allclose(run(made, LINE, larger)[1]["signal"], 2 * label["signal"], atol=max(1e-4, rounding))
    assert data.dtype == jnp.complex64 and np.abs(label["signal"]).max() > 1


def test_baseline_spectrum_is_the_cubic_spline():
    made = artefacts.spline_baseline(GRID, fixed(1.0), spacing_ppm=0.4)
    ppm, h = np.asarray(GRID.ppm), 0.4
    wave = np.asarray(made.waves[5])
    centre = -0.5 + 5 * h
    spline = BSpline.basis_element(centre + h * np.arange(-2, 3), extrapolate=False)(ppm)
    expected = 0.5 * np.nan_to_num(spline)  # a causal signal: half of the even one is real
    found = np.asarray(to_spectrum(wave)).real
    scale = expected.max() / found.max()
    np.testing.assert_allclose(found * scale, expected, atol=0.01 * expected.max())


def test_water_lies_at_the_water_and_lipids_lower():
    draw = lambda made: run_many(made, 16)[0]  # noqa: E731
    ppm = np.asarray(GRID.ppm)
    power = lambda made: np.sum(np.abs(np.asarray(to_spectrum(draw(made)))) ** 2, axis=0)  # noqa: E731
    water, lipids = power(ADDED["water"]), power(ADDED["lipids"])
    assert water[np.abs(ppm - 4.65) < 0.6].sum() > 0.9 * water.sum()
    assert lipids[(ppm > 0.5) & (ppm < 2.4)].sum() > 0.9 * lipids.sum()


def test_echo_is_where_and_at_the_frequency_it_says():
    made = single_precision(ADDED["echo"])
    _, label = run_many(made, 8)
    time = np.asarray(GRID.time)
    for j in range(8):
        signal, centre = np.asarray(label["signal"][j]), float(label["centre"][j])
        if not 0.02 < centre < time[-1] - 0.02:
            continue
        top = int(np.argmax(np.abs(signal)))
        assert abs(time[top] - centre) < 1.5e-3
        turn = np.angle(signal[top + 1] / signal[top]) / (time[1] - time[0]) / (2 * np.pi)
        assert abs(turn - float(GRID.to_hz(label["ppm"][j]))) < 1.0
        assert np.all(np.asarray(label["where"][j])[np.abs(signal) > 0.051 * np.abs(signal).max()] == 1)


def test_present_as_often_as_asked():
    made = artefacts.spurious_peaks(GRID, fixed(0.5), probability=0.3)
    _, label = run_many(made, 400)
    assert 0.2 < float(label["present"].mean()) < 0.4
    gone = np.asarray(label["present"]) == 0
    assert np.all(np.asarray(label["signal"])[gone] == 0)


def test_eddy_currents_are_a_phase_that_klose_takes_off():
    made = single_precision(artefacts.eddy_currents(GRID, amplitude_hz=8.0))
    data, label = run(made)
    back = data * jnp.conj(EddyPhase(label["phase"])({}, GRID))
    np.testing.assert_allclose(back, LINE, atol=1e-3)
    time = np.asarray(GRID.time)
    start = np.gradient(np.asarray(label["phase"]), time)[0] / (2 * np.pi)
    expected = np.sum(np.asarray(label["amplitude"]) * np.exp(-0.5 * time[1] / np.asarray(label["decay"])))
    assert abs(start - expected) < 0.02 * abs(expected) + 0.02


def test_transients_are_undone_by_their_label():
    made = single_precision(artefacts.transients(GRID, count=16, jump_probability=1.0, motion_probability=0.3))
    data, label = run(made)
    assert data.shape == (16, GRID.n_points)
    time = np.asarray(GRID.time)
    turn = np.exp(
        -1j * (np.asarray(label["phase"])[:, None] + 2 * np.pi * np.asarray(label["frequency"])[:, None] * time)
    )
    back = np.asarray(data) * turn / np.asarray(label["size"])[:, None]
    np.testing.assert_allclose(back, np.tile(LINE, (16, 1)), atol=1e-2)
    assert 0 < label["moved"].sum() < 16 and np.all(
        (np.asarray(label["size"]) < 1) == (np.asarray(label["moved"]) == 1)
    )


def test_phases_drift_and_jump_with_the_frequency():
    plain = {"count": 32, "phase_deg": 0.0, "motion_probability": 0.0, "walk_hz": 0.0, "drift_hz": 0.0}
    made = single_precision(artefacts.transients(GRID, **plain, jump_probability=1.0, phase_drift_deg=40, phase_jump_deg=90))  # fmt: skip
    label = run(made)[1]
    phase, start = np.asarray(label["phase"]), int(label["start"])
    assert 0 < start < 31 and abs(float(label["leap"])) > 0.05
    slope = np.diff(phase)
    np.testing.assert_allclose(np.delete(slope, start - 1), np.delete(slope, start - 1)[0], atol=1e-6)
    np.testing.assert_allclose(slope[start - 1] - slope[start], label["leap"], atol=1e-5)
    assert 1e-3 < abs(31 * slope[start]) <= np.deg2rad(40)
    np.testing.assert_allclose(np.diff(np.asarray(label["frequency"]))[start - 1], label["jump"], rtol=1e-5)
    still = run(single_precision(artefacts.transients(GRID, **plain, jump_probability=1.0)))[1]
    assert np.all(np.asarray(still["phase"]) == 0)


def test_scatter_stays_inside_its_limits():
    made = single_precision(artefacts.scatter(GRID, count=64, frequency_hz=7, phase_deg=5))
    data, label = run(made)
    assert data.shape == (64, GRID.n_points)
    assert 5 < np.abs(label["frequency"]).max() <= 7
    assert np.deg2rad(4) < np.abs(label["phase"]).max() <= np.deg2rad(5) + 1e-6


def test_coils_see_the_signal_and_share_noise():
    made = single_precision(artefacts.coils(4, correlation=uniform(0.3, 0.3)))
    data, factor, label = eqx.filter_jit(made)(LINE, key=KEY)
    np.testing.assert_allclose(data, np.asarray(label["sensitivity"])[:, None] * np.asarray(LINE), rtol=1e-5)
    np.testing.assert_allclose(factor @ factor.T, label["noise_covariance"], atol=1e-6)
    white = artefacts.complex_normal(KEY, 4 * 20000).reshape(4, 20000)
    noise = np.asarray(artefacts.correlated(white, factor))
    np.testing.assert_allclose((noise @ noise.conj().T).real / 40000, label["noise_covariance"], atol=0.02)


def test_truncation_and_digitiser():
    data, label = run(artefacts.truncation(GRID, fixed(0.25)))
    assert label["points"] == 128 and np.all(np.asarray(data[128:]) == 0) and np.all(data[:128] == LINE[:128])
    data, label = run(artefacts.digitiser(GRID, fixed(0.5)))
    assert np.isclose(np.abs(np.asarray(data).real).max(), 25, rtol=1e-3) and 0 < label["clipped"] < 0.2
    data, label = run(artefacts.digitiser(GRID, fixed(1.0), bits=8))
    assert label["clipped"] == 0 and len(np.unique(np.asarray(data).real)) <= 257


@pytest.mark.parametrize(
    ("rounds", "key", "counter", "words"),
    [
        (20, (0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        (20, (0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        (20, (0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
        (13, (0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
        (13, (0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0xFD36D048, 0x2D17272C)),
        (13, (0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xBA3E4725, 0xF27D669E)),
    ],
)
def test_random_words_are_those_of_the_published_generator(rounds, key, counter, words):
    whole = tuple(np.uint32(k) for k in key), tuple(np.uint32(c) for c in counter)
    assert tuple(int(w) for w in threefry(*whole, rounds)) == words  # known answers of Random123 (Salmon 2011)


def test_waves_by_polynomials_are_those_of_the_library():
    turns = np.concatenate([np.linspace(-3, 3, 100001), np.arange(-16, 17) / 8]).astype(np.float32)
    exact = np.exp(2j * np.pi * turns.astype(float))
    assert np.abs(np.asarray(jax.jit(cis_turns)(turns)) - exact).max() < 3e-7
    at = jnp.float32(1.3)
    slope = jax.jvp(cis_turns, (at,), (jnp.float32(1),))[1]
    np.testing.assert_allclose(slope, 2j * np.pi * np.exp(2j * np.pi * 1.3), rtol=1e-5)


def test_noise_of_a_point_does_not_depend_on_how_many_there_are():
    np.testing.assert_allclose(artefacts.complex_normal(KEY, 33), artefacts.complex_normal(KEY, 64)[:33], rtol=1e-6)


def test_noise_is_complex_normal():
    keys = jax.vmap(lambda i: jax.random.fold_in(KEY, i))(jnp.arange(256))  # as data sets make them
    z = np.asarray(jax.jit(jax.vmap(lambda k: artefacts.complex_normal(k, 2048)))(keys)).astype(complex)
    n = z.size  # 524,288: limits are four to five standard errors
    for part in (z.real, z.imag):
        assert abs(part.mean()) < 5 / n**0.5 and abs(part.var() - 1) < 5 * (2 / n) ** 0.5
        assert abs((part**3).mean()) < 5 * (15 / n) ** 0.5 and abs((part**4).mean() - 3) < 5 * (96 / n) ** 0.5
        assert scipy.stats.kstest(part.ravel(), "norm").statistic < 2.2 / n**0.5
        for far in (3.0, 4.0):
            expected = n * 2 * scipy.stats.norm.sf(far)
            assert abs((np.abs(part) > far).sum() - expected) < 5 * expected**0.5
    assert 4.8 < np.abs(z).max() <= LARGEST
    # modulus and angle, real and imaginary part do not depend on each other
    assert abs((z**2).mean()) < 5 * (8 / n) ** 0.5 and abs((z.real**2 * z.imag**2).mean() - 1) < 5 * (8 / n) ** 0.5
    assert abs(((z / np.abs(z)) ** 8).mean()) < 5 / n**0.5  # nor on the eighths that angles are made in
    # white along the FID and between spectra, also in the squares
    for x in (z, np.abs(z) ** 2 - 2):
        along = np.fft.ifft(np.mean(np.abs(np.fft.fft(x)) ** 2, 0)).real
        assert np.abs(along[1:1024]).max() < 5.5 * along[0] / n**0.5
        size = np.linalg.norm(x, axis=1)
        gram = x @ x.conj().T / size / size[:, None]
        assert np.abs(gram - np.diag(np.diag(gram))).max() < 5.5 / 2048**0.5


def test_modulus_of_noise_is_that_of_its_uniform_number():
    j = np.concatenate([np.arange(64), 2**23 - 1 - np.arange(64), np.geomspace(64, 2**23 - 65, 5000).astype(int)])
    exact = np.sqrt(-2 * np.log((2 * j + 1) * 2.0**-24))
    np.testing.assert_allclose(jax.jit(radius)(jnp.asarray(j << 9, jnp.uint32)), exact, rtol=3e-7)
