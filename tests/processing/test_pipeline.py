import dataclasses
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax import io
from mrsjax.cli import main
from mrsjax.core import FIDs, Sampling
from mrsjax.core.data import Acquisition
from mrsjax.processing import BandHLSVD, preprocess, remove_peaks

from .signals import METABOLITES, SAMPLING, T, line, moved, noise

#: Hz and rad of the transients.
DRIFT = np.random.default_rng(7).uniform(-4, 4, 12), np.random.default_rng(8).uniform(-0.5, 0.5, 12)


@pytest.fixture(scope="module")
def scan():
    """Raw data of 4 coils x 12 transients, with two bad transients and a dead coil, and its water."""
    rng = np.random.default_rng(0)
    b = np.array([1.0, 0.6j, 0.0, -0.8])
    eddy = np.exp(1j * (0.5 + 1.2 * np.exp(-T / 0.03)))
    one = moved((METABOLITES + line(4.65, 40, 6)) * eddy, *DRIFT)
    one[5] += line(1.3, 80, 30)
    data = b[:, None, None] * one + noise(rng, 0.3, 4, 12) * (b != 0)[:, None, None]
    data[:, 8] = np.nan
    about = Acquisition(echo_time=0.03, repetition_time=2.0)
    water = b[:, None] * line(4.65, 3000, 6) * eddy
    raw = FIDs(data, SAMPLING, ("DIM_COIL", "DIM_DYN"), about)
    return raw, FIDs(water, SAMPLING, ("DIM_COIL",), about)


def test_raw_data_become_the_clean_spectrum_on_the_command_line(scan, tmp_path, capsys):
    raw, water = scan
    io.write(raw, tmp_path / "raw.nii.gz")
    io.write(water, tmp_path / "water.nii.gz")
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        main(["preprocess", str(tmp_path / "raw.nii.gz"), "--water", str(tmp_path / "water.nii.gz"), "-o", str(out)])
    assert stop.value.code == 0, capsys.readouterr().err
    clean = io.read(out / "preprocessed.nii.gz")
    found = np.asarray(clean.data)
    scale = np.vdot(METABOLITES, found) / np.vdot(METABOLITES, METABOLITES)
    assert np.linalg.norm(found - scale * METABOLITES) < 0.2 * np.linalg.norm(found)
    assert abs(np.angle(scale)) < 0.15
    methods = [s["Method"] for s in clean.acquisition.header["ProcessingApplied"]]
    assert methods == [
        "RF coil combination", "Frequency and phase correction", "Outlier removal", "Signal averaging",
        "Eddy current correction", "Nuisance peak removal", "Frequency and phase correction",
    ]  # fmt: skip
    err = capsys.readouterr().err
    assert "Coils without signal, left out: 2" in err and "not finite or empty, dropped: 8" in err
    page = (out / "report.html").read_text()
    assert page.count("<td>outlier</td>") + page.count("<td>unlike the others</td>") == 1
    assert page.count("<td>not finite or empty</td>") == 1 and page.count("<td>kept</td>") == 10
    shown = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])
    hz = np.delete(DRIFT[0], [5, 8])  # the bad ones' are whatever they are
    drift = np.delete(shown["drift"]["frequency"], [5, 8])
    np.testing.assert_allclose(drift - np.median(drift), hz - np.median(hz), atol=0.3)
    turn = np.delete(np.array(shown["drift"]["phase"]) - np.rad2deg(DRIFT[1]), [5, 8])
    assert np.ptp(turn) < 10 and shown["drift"]["dropped"] == [5, 8]
    weights = np.array(shown["coils"])
    np.testing.assert_allclose(weights / weights[0], [1.0, 0.6, 0.0, 0.8], atol=0.05)
    assert len(shown["steps"]) == len(methods)
    ppm = np.array(shown["ppm"])
    last = np.array(shown["steps"][-1]["after"])
    assert ppm[np.argmax(last)] == pytest.approx(2.008, abs=0.02) and last.max() > -5 * last.min()
    before, after = (np.array(shown["steps"][5][k]) for k in ("before", "after"))
    water = (ppm > 4.5) & (ppm < 4.8)
    assert np.abs(after[water]).max() < 0.2 * np.abs(before[water]).max()


def test_the_next_scan_of_the_same_kind_compiles_nothing(scan, caplog):
    raw, water = scan
    raw = FIDs(raw.data[:, :5], raw.sampling, raw.dims)  # none of them is bad: the same reasons, the same records
    preprocess(raw, water=water)
    jax.config.update("jax_log_compiles", True)
    try:
        other = preprocess(FIDs(2j * raw.data[:, ::-1], SAMPLING, raw.dims), water=water)
    finally:
        jax.config.update("jax_log_compiles", False)
    assert np.isfinite(other.fids.data).all()
    assert [r.getMessage() for r in caplog.records if "Finished XLA compilation" in r.getMessage()] == []


def test_mistakes_are_one_sentence(scan):
    raw, water = scan
    short = Sampling(5e-4, 123.25e6, 256)
    with pytest.raises(ValueError, match="--water: wanted 512 points like the data, found 256"):
        preprocess(raw, water=FIDs(water.data[:, :256], short, water.dims))
    with pytest.raises(ValueError, match="4 coils of the data, found 3"):
        preprocess(raw, water=FIDs(water.data[:3], SAMPLING, water.dims))
    with pytest.raises(ValueError, match="correct the tags"):
        preprocess(FIDs(raw.data, SAMPLING, ("DIM_USER_0", "DIM_DYN")))
    with pytest.raises(ValueError, match="only zeros or NaN"):
        preprocess(FIDs(raw.data * np.nan, SAMPLING, raw.dims))


def test_one_transient_is_passed_on_with_a_note():
    data = FIDs((METABOLITES + noise(np.random.default_rng(1), 0.2))[None], SAMPLING, ("DIM_DYN",))
    done = preprocess(data)
    assert any("One usable transient" in n for n in done.notes)
    assert next(r.method for r in done.records) == "Signal averaging" and np.isfinite(done.fids.data).all()


@pytest.mark.slow
def test_the_7t_example_agrees_with_its_shipped_spectrum(shared_data):
    folder = shared_data / "svs_7t_steam_raw"
    raw, water, ecc, shipped = (io.read(folder / f"{n}.nii.gz") for n in ("metab_raw", "wref_raw", "ecc", "metab"))
    from mrsjax.processing import Options, alignment
    from mrsjax.report.preprocessing import measure

    done = preprocess(raw, water=water, ecc=ecc, options=dataclasses.replace(Options(), remove_water=False))
    sampling = shipped.sampling
    mine, theirs = np.asarray(done.fids.data)[1:], np.asarray(shipped.data)  # theirs lacks the first point
    drift = alignment.register(mine, theirs, sampling)
    mine = np.asarray(alignment.correct(mine, sampling, drift.frequency, drift.phase))
    both = np.stack([mine, theirs])
    ppm = np.asarray(sampling.ppm)
    inside = (ppm > 0.5) & (ppm < 4.2)
    # The shipped file still holds its water: its tail is part of both spectra here.
    assert np.corrcoef(np.fft.fftshift(np.fft.fft(both), axes=-1)[:, inside].real)[0, 1] >= 0.99
    quality = {p: np.array([measure(x, sampling, p) for x in both]) for p in ("tNAA", "tCr")}
    assert quality["tCr"][0, 1] < 1.02 * quality["tCr"][1, 1] and quality["tNAA"][0, 1] < 1.06 * quality["tNAA"][1, 1]
    # From 4 of the coils and 16 of the transients (docs/processing.md): not the shipped file's 120.
    assert quality["tNAA"][0, 0] > 50
    assert np.ptp(done.drift.frequency) < 3.5
    # The default takes the water off; the shipped file keeps its own, whose tail costs the correlation.
    band = BandHLSVD(sampling)
    dry = np.asarray(jax.jit(jax.vmap(lambda x: remove_peaks(x, band)[0]))(jnp.asarray(both)))
    spectra = np.fft.fftshift(np.fft.fft([dry[0], theirs, dry[1]]), axes=-1)[:, inside].real
    assert np.corrcoef(spectra)[0, 1] > 0.98 and np.corrcoef(spectra)[0, 2] > 0.989
