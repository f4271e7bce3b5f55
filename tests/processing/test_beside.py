import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.processing import Options, align, beside, stages

from .signals import METABOLITES, SAMPLING, T, line, moved, noise

NUISANCE = beside.subspace(SAMPLING)


def test_an_offset_is_found_beside_lines_between_the_grid():
    goal = jnp.asarray(METABOLITES)
    dirty = moved(METABOLITES + line(4.683, 15, 7, 1.0) + line(1.31, 15, 25, -2.0), 7.3, 0.9)
    found = beside.register_beside(jnp.asarray(dirty), goal, SAMPLING, NUISANCE)
    assert float(found.frequency) == pytest.approx(7.3, abs=0.01)
    assert float(found.phase) == pytest.approx(0.9, abs=0.01)


def test_a_series_with_changing_water_and_lipid_comes_near_the_bound():
    rng = np.random.default_rng(5)
    count, sd = 48, 1.0
    hz, phase = rng.uniform(-20, 20, count), rng.uniform(-1.5, 1.5, count)
    sizes, turns = rng.uniform(0, 30, (2, count)), rng.uniform(-3, 3, (2, count))
    extra = [line(4.68, a, 8, p) + line(1.3, b, 25, q) for a, b, p, q in zip(*sizes, *turns, strict=True)]
    data = jnp.asarray(moved(METABOLITES + np.array(extra), hz, phase) + noise(rng, sd, count))
    found = jax.jit(lambda d: align(d, SAMPLING, nuisance=NUISANCE)[1])(data)
    energy, d = np.abs(METABOLITES) ** 2 / sd**2, 2 * np.pi * T
    bound = np.sqrt(np.linalg.inv([[energy @ d**2, energy @ d], [energy @ d, energy.sum()]])[0, 0])
    assert np.std(np.asarray(found.frequency) - hz) < 3 * bound  # NAA goes with the lipid's window
    # what the pipeline decides by: nothing changes, one bad transient, all change
    share = jax.jit(lambda d: beside.changing(d, SAMPLING, (1.8, 4.2), jnp.ones(count, bool)))
    still = moved(METABOLITES + line(4.68, 30, 8), hz, phase) + noise(rng, sd, count)
    one_bad = still + (np.arange(count) == 3)[:, None] * line(1.3, 80, 30)
    assert share(jnp.asarray(still)) < 0.1 and share(jnp.asarray(one_bad)) < 0.1 < share(data)
    with pytest.raises(ValueError, match="takes the place"):
        align(data, SAMPLING, nuisance=NUISANCE, window=(1.8, 4.2))


def test_transients_with_steady_unsuppressed_water_are_registered_on_it():
    rng = np.random.default_rng(6)
    hz, phase = rng.uniform(-3, 3, 32), rng.uniform(-0.5, 0.5, 32)
    for size, low, high, error in ((3000.0, 4.2, 5.1, 0.01), (0.0, 1.8, 4.2, 0.3)):
        data = jnp.asarray(moved(METABOLITES + line(4.68, size, 8), hz, phase) + noise(rng, 4.0, 32))
        run, words = stages.registration(data, SAMPLING, Options())
        assert f"{low:g} to {high:g} ppm" in words and ("steady water" in words) == (size > 0)
        found = jax.jit(run)(data)[1]
        assert np.std(np.asarray(found.frequency) - hz) < error
    words = stages.registration(jnp.asarray(data), SAMPLING, Options(align_window=(2.6, 3.4)))[1]
    assert "2.6 to 3.4 ppm" in words
