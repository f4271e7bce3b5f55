import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import FIDs
from mrsjax.processing import Options, edited, preprocess
from simulators.datasets import recipe

from .signals import METABOLITES, SAMPLING, line, moved, noise

GABA = line(3.0, 1.5, 12) + line(1.9, 0.6, 12)
OFF, ON = METABOLITES, METABOLITES - line(2.008, 12) + GABA


def test_subspectra_are_turned_onto_the_first_without_noise():
    run = jax.jit(lambda x: edited.align_subspectra(x, SAMPLING))
    away = lambda fid: jnp.asarray(np.stack([OFF, moved(fid, np.array(3.1), np.array(-0.4))]))  # noqa: E731
    drift = run(away(OFF))[1]
    np.testing.assert_allclose(drift.frequency, [0, 3.1], atol=0.02)
    np.testing.assert_allclose(drift.phase, [0, -0.4], atol=0.005)
    # What is edited leaks into choline's window: an error, but far below the width of a line.
    pair = away(ON)
    turned, drift = run(pair)
    assert float(drift.frequency[1]) == pytest.approx(3.1, abs=0.2) and float(drift.phase[1]) == pytest.approx(
        -0.4, abs=0.05
    )
    naa = edited.naa_energies(turned, SAMPLING)
    assert naa[1] < 0.2 * naa[0]
    # unaligned, creatine and choline are left in the difference
    left = [np.linalg.norm(edited.difference(x) - (ON - OFF)) for x in (turned, pair)]
    assert left[0] < 0.05 * left[1]


@pytest.fixture(scope="module")
def mega():
    """Recipe r2: 40 transients of OFF and ON, each with its own frequency and phase, and the clean pair."""
    made = recipe("r2").simulator
    sample = eqx.filter_jit(made.sample)(jax.random.key(3))
    s = made.model.sampling
    from mrsjax.core import Sampling

    sampling = Sampling(s.dwell_time, s.central_frequency, s.n_points, ppm_ref=float(s.ppm_ref))
    data = np.asarray(sample.data).astype(complex)
    return FIDs(data, sampling, ("DIM_DYN", "DIM_EDIT")), np.asarray(sample.truth["fid"]), float(sample.labels["noise"])


def test_mega_data_become_the_difference_spectrum_of_the_truth(mega):
    fids, truth, sd = mega
    done = preprocess(fids)
    assert done.fids.dims == ("DIM_EDIT",) and done.fids.data.shape[0] == 2
    methods = [r.method for r in done.records]
    assert methods.count("Signal averaging") == 2
    assert methods[-4:] == [
        "Alignment of subtraction sub-spectra", "Frequency and phase correction", "Subtraction of sub-spectra", "Addition of sub-spectra",
    ]  # fmt: skip
    assert any("Edited condition: 2" in n for n in done.notes)
    goal = truth[1] - truth[0]
    found = np.asarray(done.combined["difference"].data)
    ppm = np.asarray(fids.sampling.ppm)
    window = (ppm > 2.8) & (ppm < 3.4)  # GABA, creatine, choline: where a misaligned pair shows

    def spectrum(x):
        return np.fft.fftshift(np.fft.fft(x, norm="ortho"))[window]

    # A common frequency and phase are NAA's; take them off with the sum of both.
    from mrsjax.processing import alignment

    whole = np.asarray(done.combined["sum"].data)
    common = alignment.register(jnp.asarray(whole), jnp.asarray(truth.sum(0)), fids.sampling)
    found = np.asarray(alignment.correct(jnp.asarray(found), fids.sampling, common.frequency, common.phase))
    left = np.sqrt(np.mean(np.abs(spectrum(found) - spectrum(goal)) ** 2))
    noise_left = sd * np.sqrt(2 * 2 / 40)  # two parts, two means of 40
    assert left < 1.5 * noise_left
    assert np.ptp(np.asarray(done.drift.frequency)) > 5 and len(done.reasons) == 80


def test_the_unedited_condition_is_the_reference_whichever_comes_first(mega):
    fids, truth, sd = mega
    t = np.asarray(fids.sampling.time)
    rng = np.random.default_rng(0)
    noisy = truth + sd / 40**0.5 * (rng.normal(size=truth.shape) + 1j * rng.normal(size=truth.shape))
    away = noisy * np.exp(1j * (2 * np.pi * 3.0 * t + 0.7))
    few = Options(remove_water=False)
    pair = [preprocess(FIDs(x, fids.sampling, ("DIM_EDIT",)), options=few) for x in (away, away[::-1])]
    assert [n for d in pair for n in d.notes if "Edited condition" in n] == [
        f"Edited condition: {i} (the one with less NAA); difference: edited minus unedited." for i in (2, 1)
    ]
    one, other = (np.asarray(d.combined["difference"].data) for d in pair)
    # Aligned on the other one of two noisy conditions: equal up to a hundredth of a hertz and a degree.
    assert np.linalg.norm(one - other) < 0.05 * np.linalg.norm(one)
    assert abs(np.angle(np.vdot(truth[0], np.asarray(pair[0].fids.data)[0]))) < 0.3  # NAA's phase was 0.7


def test_the_edited_condition_may_be_given_and_a_guess_is_said():
    rng = np.random.default_rng(1)
    lactate = METABOLITES + line(1.3, 3, 8)  # NAA as in the other condition
    fids = FIDs(np.stack([lactate, METABOLITES]) + noise(rng, 0.05, 2), SAMPLING, ("DIM_EDIT",))
    few = Options(remove_water=False, reference=None)
    guessed = preprocess(fids, options=few)
    assert any("the sign of the difference is a guess" in n for n in guessed.notes)
    told = preprocess(fids, options=dataclasses.replace(few, edited_condition=1))
    assert any("Edited condition: 1 (as given)" in n for n in told.notes) and not any("guess" in n for n in told.notes)
    found = np.asarray(told.combined["difference"].data)
    assert np.linalg.norm(found - line(1.3, 3, 8)) < 0.3 * np.linalg.norm(found)
    with pytest.raises(ValueError, match="edited_condition: wanted 1 or 2, found 3"):
        preprocess(fids, options=Options(edited_condition=3))


def test_conditions_that_take_turns_are_split_and_mistakes_are_said():
    rng = np.random.default_rng(0)
    data = np.stack([OFF, ON] * 3) + noise(rng, 0.1, 6)
    few = Options(align=False, remove_water=False, reference=None)
    made = preprocess(FIDs(data, SAMPLING, ("DIM_DYN",)), split_edited=True, options=few)
    assert set(made.combined) == {"difference", "sum"}
    with pytest.raises(ValueError, match="even number"):
        preprocess(FIDs(data[:5], SAMPLING, ("DIM_DYN",)), split_edited=True)
    with pytest.raises(ValueError, match="2 conditions in DIM_EDIT, found 3"):
        preprocess(FIDs(data[:3], SAMPLING, ("DIM_EDIT",)))
