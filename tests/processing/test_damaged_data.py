"""Dead coils, noise without a signal, transients that are lost, files that do not fit: each is said or left alone."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import FIDs, Sampling
from mrsjax.processing import Options, coils, preprocess, steps

from .signals import METABOLITES, SAMPLING, WATER, line, moved, noise

COILS = ("DIM_COIL", "DIM_DYN")
FEW = Options(align=False, reject=False, eddy=False, remove_water=False, reference=None)


@pytest.fixture(scope="module")
def scan():
    """Data (4 coils, 3 transients, n) and water (4 coils, n)."""
    rng = np.random.default_rng(0)
    b = np.array([1.0, 0.6j, 1.4, -0.8])
    return b[:, None, None] * METABOLITES + noise(rng, 0.1, 4, 3), b[:, None] * WATER + noise(rng, 0.1, 4)


def test_a_coil_that_is_nan_throughout_costs_that_coil_only(scan):
    data, _ = scan
    broken = data.copy()
    broken[2] = np.nan
    rest = np.delete(np.arange(4), 2)
    found = np.asarray(coils.noise_covariance(jnp.asarray(broken), SAMPLING))
    assert not found[2].any()
    np.testing.assert_allclose(
        found[np.ix_(rest, rest)], coils.noise_covariance(jnp.asarray(data[rest]), SAMPLING), rtol=1e-9
    )


@pytest.mark.parametrize(("wrong", "value"), [("data", 0.0), ("water", np.nan), ("ecc", np.nan)])
def test_a_coil_dead_in_one_file_is_left_out_of_all(scan, wrong, value):
    parts = {"data": scan[0].copy(), "water": scan[1].copy(), "ecc": scan[1].copy()}
    parts[wrong][2] = value
    rest = np.delete(np.arange(4), 2)

    def run(which):
        made = [FIDs(x[which], SAMPLING, COILS[: x.ndim - 1]) for x in parts.values()]
        return preprocess(made[0], water=made[1], ecc=made[2], options=dataclasses.replace(FEW, eddy=True))

    done, good = run(np.arange(4)), run(rest)
    np.testing.assert_allclose(done.fids.data, good.fids.data, atol=1e-6 * np.abs(good.fids.data).max())
    assert "Coils without signal, left out: 2." in done.notes and not np.any(done.weights[2])


@pytest.mark.parametrize("grid", [False, True])
def test_single_steps_and_grids_leave_a_dead_coil_out_too(scan, grid):
    data, water = scan[0].copy(), scan[1].copy()
    data[2] = 0.0  # alive in the water
    rest = np.delete(np.arange(4), 2)
    dims = ("x", "y", "z") if grid else ()

    def made(x, which):
        x = x[which]
        return FIDs(np.tile(x, (2, 1, 1, *[1] * x.ndim)) if grid else x, SAMPLING, (*dims, *COILS[: x.ndim - 1]))

    pair = [(made(data, which), made(water, which)) for which in (np.arange(4), rest)]
    one, other = (steps.coil_combine(d, reference=w)[0] for d, w in pair)
    assert one.dims == (*dims, "DIM_DYN")
    np.testing.assert_allclose(one.data, other.data, atol=1e-6 * np.abs(other.data).max())
    if grid:
        one, other = (preprocess(d, water=w, options=FEW) for d, w in pair)
        np.testing.assert_allclose(one.fids.data, other.fids.data, atol=1e-6 * np.abs(other.fids.data).max())


def test_noise_alone_has_no_naa_and_stays_where_it_is():
    fids = noise(np.random.default_rng(1), 1.0, 8)
    fids[3] += moved(METABOLITES, np.array(4.0), np.array(0.5))
    alone = preprocess(FIDs(fids[0], SAMPLING), options=dataclasses.replace(FEW, reference="NAA"))
    np.testing.assert_array_equal(alone.fids.data, fids[0])
    assert any("NAA was not found" in n for n in alone.notes) and not alone.records
    grid, words = steps.reference(FIDs(fids.reshape(2, 4, 1, -1), SAMPLING, ("x", "y", "z")), peak="NAA")
    same = np.all(np.asarray(grid.data).reshape(8, -1) == fids, axis=1)
    assert np.flatnonzero(~same).tolist() == [3] and "in 1 of 8 FIDs" in words
    in_grid = preprocess(
        FIDs(fids.reshape(2, 4, 1, -1), SAMPLING, ("x", "y", "z")), options=dataclasses.replace(FEW, reference="NAA")
    )
    np.testing.assert_array_equal(in_grid.fids.data, grid.data)


def test_a_centre_frequency_that_is_far_off_is_said():
    here = METABOLITES + noise(np.random.default_rng(2), 0.3)
    few = dataclasses.replace(FEW, reference="NAA")
    far = preprocess(FIDs(moved(here, np.array(25.0), np.array(0.0)), SAMPLING), options=few)
    assert any("seem to lie +0.21 ppm from their places" in n and "--ppm-ref 4.44" in n for n in far.notes)
    assert not far.records
    near = preprocess(FIDs(moved(here, np.array(14.0), np.array(0.0)), SAMPLING), options=few)
    assert not any("from their places" in n for n in near.notes) and len(near.records) == 1


def test_references_of_another_field_or_nucleus_and_other_data_than_1h(scan):
    data, water = (FIDs(x, SAMPLING, COILS[: x.ndim - 1]) for x in scan)
    for other, words in (
        (Sampling(5e-4, 298e6, 512), "--water: wanted the frequency of the data, 123.2500 MHz, found 298.0000"),
        (Sampling(5e-4, 123.25e6, 512, nucleus="31P"), "--water: wanted 1H like the data, found 31P"),
    ):
        with pytest.raises(ValueError, match=words):
            preprocess(data, water=FIDs(water.data, other, water.dims), options=FEW)
    phosphorus = FIDs(data.data, Sampling(5e-4, 49.9e6, 512, ppm_ref=0.0, nucleus="31P"), data.dims)
    with pytest.raises(ValueError, match="the defaults are those of 1H, found 31P"):
        preprocess(phosphorus)
    assert np.isfinite(preprocess(phosphorus, options=FEW).fids.data).all()


def test_untagged_dims_of_one_entry_are_dropped_and_stacks_have_their_own_sentence():
    made = preprocess(FIDs(METABOLITES[None], SAMPLING, ("DIM_USER_0",)), options=FEW)
    np.testing.assert_array_equal(made.fids.data, METABOLITES)
    with pytest.raises(ValueError, match="a stack of 3 spectra whose format does not tell"):
        preprocess(FIDs(np.tile(METABOLITES, (3, 1)), SAMPLING, ("spectrum",)), options=FEW)


@pytest.mark.parametrize("window", [(4.2, 1.8), (30.0, 40.0)])
def test_windows_that_hold_nothing_are_refused(window):
    pair = FIDs(np.stack([METABOLITES, METABOLITES]), SAMPLING, ("DIM_DYN",))
    with pytest.raises(ValueError, match=r"window: wanted"):
        preprocess(pair, options=dataclasses.replace(FEW, align=True, align_window=window, beside=False))
    with pytest.raises(ValueError, match=r"window: wanted"):
        steps.align_transients(pair, window_ppm=window, target="mean", robust=False)
    edit = FIDs(pair.data, SAMPLING, ("DIM_EDIT",))
    with pytest.raises(ValueError, match=r"window: wanted"):
        preprocess(edit, options=dataclasses.replace(FEW, edit_window=window))
    with pytest.raises(ValueError, match=r"window: wanted"):
        steps.align_edit(edit, window_ppm=window)


def test_a_limit_beyond_the_spectrum_is_refused():
    from mrsjax.processing import alignment

    with pytest.raises(ValueError, match="limit_hz: wanted at most half the spectral width, 1000, found 1200"):
        alignment.register(jnp.asarray(METABOLITES), jnp.asarray(METABOLITES), SAMPLING, limit_hz=1200.0)


def test_references_of_a_grid_are_aligned_means_of_the_usable_transients():
    water = moved(line(4.65, 1000, 6), np.array([0.0, 5.0, -4.0]), np.array([0.0, 1.0, -1.0]))
    water[2] = np.nan
    grid = lambda x: FIDs(np.tile(x, (2, 1, 1, *[1] * x.ndim)), SAMPLING, ("x", "y", "z", *COILS[1 : x.ndim]))  # noqa: E731
    done = preprocess(grid(METABOLITES), water=grid(water), options=dataclasses.replace(FEW, eddy=True))
    single = preprocess(
        FIDs(METABOLITES, SAMPLING), water=FIDs(water, SAMPLING, COILS[1:]), options=dataclasses.replace(FEW, eddy=True)
    )
    np.testing.assert_allclose(done.fids.data[1, 0, 0], single.fids.data, atol=1e-8)
    stepped, _ = steps.ecc(FIDs(METABOLITES, SAMPLING), reference=FIDs(water, SAMPLING, COILS[1:]))
    np.testing.assert_allclose(stepped.data, single.fids.data, atol=1e-8)
    assert np.abs(done.water.data[0, 0, 0, 0]) > 990  # a plain mean of 0 and 1 rad has 880
