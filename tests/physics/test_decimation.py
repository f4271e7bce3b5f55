import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import to_fid
from mrsjax.inference import fit, shortening
from mrsjax.physics import EddyPhase
from mrsjax.physics.decimation import decimated, halved
from tests.inference.test_fit import synthetic
from tests.physics.examples import brain


def off_start(model, seed=0):
    """Values a little away from the start values: own lines, shifts, a phase."""
    rng = np.random.default_rng(seed)
    values = {g: dict(v) for g, v in model.start().items()}
    for group in model.groups:
        own, given = values[group.name], group.own
        own["shift"] = own["shift"] + 3.0
        for name, sd in (("own_shift", given.shift_sd), ("own_gauss", given.gauss_sd)):
            if sd is not None:
                own[name] = jnp.asarray(rng.uniform(-2, 1, len(sd)) * sd)
    values["phase"]["phase_zero"] = jnp.asarray(0.4)
    return jax.tree.map(jnp.asarray, values)


@pytest.mark.parametrize(("baseline", "limit"), [("default", 5e-4), (None, 5e-3)])
def test_the_short_model_has_nearly_the_same_spectra(baseline, limit):
    """What is left of the difference outside the baseline's reach, relative to each component; shifts of 3 Hz, narrowed macromolecules."""
    model = brain(2048, baseline=baseline)
    short = decimated(model)
    assert short.sampling.n_points < 0.5 * model.sampling.n_points
    np.testing.assert_allclose(short.ppm, model.ppm, rtol=1e-9)
    values = off_start(model)
    full, found = model.design(values)[0], short.design(values)[0]
    q, h = model.baseline.columns, model.baseline.shrinkage(model.baseline.log_stiffness)
    rest = lambda x: x - (x @ q * h) @ q.T  # noqa: E731
    error = jnp.linalg.norm(rest(found - full), axis=1) / jnp.linalg.norm(rest(full), axis=1)
    assert float(error.max()) < limit


def test_eddy_phases_come_along():
    model = brain(2048)
    phase = 0.3 * jnp.exp(-model.sampling.time / 0.05)
    model = brain(2048, factors=(EddyPhase(phase),))
    short, values = decimated(model), model.start()
    c = jnp.ones(len(model.names))
    full, found = model.spectrum(values, c), short.spectrum(values, c)
    fixed = decimated(brain(2048)).spectrum(values, c)
    error = lambda x: float(jnp.linalg.norm(x - full) / jnp.linalg.norm(full))  # noqa: E731
    assert error(found) < 0.02 < 0.2 < error(fixed)


@pytest.mark.parametrize("low", [0.2, 0.21])  # the window begins at an even and at an odd frequency
def test_the_halved_model_has_every_second_frequency(low):
    model = brain(2048, window_ppm=(low, 4.2))
    first = model.window[0] % 2
    np.testing.assert_allclose(halved(model).ppm, np.asarray(model.ppm)[first::2], rtol=1e-9)


def test_the_halved_model_is_that_of_the_first_half_of_the_fid():
    model = brain(1024)
    half, values = halved(model), off_start(model)
    c = jnp.arange(1.0, 1 + len(model.names))
    fid = model.signal({**values, "phase": model.start()["phase"]}, c)
    np.testing.assert_allclose(
        half.spectrum({**values, "phase": model.start()["phase"]}, c),
        half.crop(fid[:512]),
        atol=1e-9 * float(jnp.abs(fid[0])),
    )
    assert set(np.round(np.asarray(half.ppm), 6)) <= set(np.round(np.asarray(model.ppm), 6))


def test_the_thinned_baseline_smooths_alike():
    """A broad curve (the first 5 ms of a FID) is taken up by as much on half of the frequencies."""
    model = brain(1024)
    half = halved(model)
    fid = jnp.where(model.sampling.time < 0.005, 1.0 + 0.0j, 0.0)
    fid = to_fid(0.5 * jnp.fft.fftshift(jnp.fft.fft(fid, norm="ortho")))

    def left(m, x):
        q, h = m.baseline.columns, m.baseline.shrinkage(m.baseline.log_stiffness)
        return x - q @ (h * (q.T @ x))

    whole, part = left(model, model.crop(fid)), left(half, half.crop(fid[:512]))
    assert float(jnp.linalg.norm(whole)) < 0.1 * float(jnp.linalg.norm(model.crop(fid)))
    assert abs(float(jnp.linalg.norm(part) / jnp.linalg.norm(whole)) - 1) < 0.1


def test_a_fit_ends_where_that_with_the_whole_model_ends(monkeypatch):
    model, fids = synthetic(8, snr=40, seed=5)
    short = fit(model, fids, tolerance=1e-3)
    monkeypatch.setattr(sys.modules["mrsjax.inference.fit"], "decimated", lambda m: m)
    monkeypatch.setattr(shortening, "NEGLIGIBLE", (-1.0, -1.0))
    whole = fit(model, fids, tolerance=1e-3)
    assert np.abs((short.amplitudes - whole.amplitudes) / whole.crlb).max() < 0.05
    for name in ("metabolites.shift", "metabolites.lorentz", "phase.phase_zero"):
        away = np.abs(short.parameters[name] - whole.parameters[name]) / whole.parameters_sd[name]
        assert away.max() < 0.1, name


def test_the_second_half_is_left_out_only_where_it_is_noise():
    """2048 points of 0.5 ms: not where lines outlast the first half, not where it is too short for any line to have decayed."""
    enough = shortening.first_half_is_enough
    half, short = halved(brain(2048)), halved(brain(1024))
    signal, noise = np.array([1e5]), np.array([10.0])
    assert enough(half, signal, noise) and not enough(half, signal, np.array([500.0]))
    assert not enough(short, signal, noise)  # 0.26 s
    assert not enough(half, np.zeros(0), np.zeros(0))
