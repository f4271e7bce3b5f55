"""Quality numbers against analytic values."""

import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.analysis import quality
from mrsjax.core import Sampling, to_spectrum

N, DWELL, F0 = 1024, 5e-4, 123.2e6
SAMPLING = Sampling(DWELL, F0, N)
T = np.arange(N) * DWELL
PPM = np.asarray(SAMPLING.ppm)
WINDOW = (PPM > 0.2) & (PPM < 4.2)


def spectrum(ppm, lorentz, gauss=0.0, amplitude=1.0, offset=0.0):
    hz = float(SAMPLING.to_hz(ppm)) + offset
    fid = amplitude * np.exp(2j * np.pi * hz * T - np.pi * lorentz * T - (np.pi * gauss * T) ** 2 / (4 * np.log(2)))
    return np.asarray(to_spectrum(jnp.asarray(fid)))


def between(low, high, ppm=PPM):
    return (ppm >= low) & (ppm <= high)


@pytest.mark.parametrize("offset", [0.0, 0.4, 0.9])
@pytest.mark.parametrize(
    "lorentz, gauss, truth",
    [
        (4, 0, 4.0),
        (9, 0, 9.0),
        (0, 6, 6.0),
        (4, 4, 0.5346 * 4 + np.sqrt(0.2166 * 16 + 16)),
    ],  # Voigt: Olivero and Longbothum 1977
)
def test_fwhm_of_known_lines(lorentz, gauss, truth, offset):
    line = spectrum(2.01, lorentz, gauss, offset=offset)[WINDOW]
    measured = quality.fwhm(jnp.asarray(line), 1 / (N * DWELL), between(1.9, 2.12, PPM[WINDOW]))
    assert float(measured) == pytest.approx(truth, abs=0.02)


def test_fwhm_is_of_the_named_resonance_and_nan_where_there_is_none():
    both = (spectrum(2.01, 4) + 3 * spectrum(3.03, 9))[WINDOW]
    ppm = PPM[WINDOW]
    assert float(quality.fwhm(jnp.asarray(both), 1 / (N * DWELL), between(1.9, 2.12, ppm))) == pytest.approx(4, abs=0.1)
    assert np.isnan(quality.fwhm(jnp.zeros(200, dtype=complex), 1.0, np.arange(200) > 50))


@pytest.mark.parametrize(
    "ppm, band", [(0.05, "good"), (0.0999, "good"), (0.1, "fair"), (0.15, "fair"), (0.151, "poor"), (np.nan, "poor")]
)
def test_bands(ppm, band):
    assert quality.linewidth_band(ppm).value == band


def test_noise_sd_ignores_a_sloping_background():
    rng = np.random.default_rng(0)
    inside = between(-2, 0)
    ramp = 50 * (PPM + 1) ** 2 + 30 * PPM
    estimates = [
        float(quality.noise_sd(jnp.asarray(ramp + 2.5 * rng.normal(size=N) + 1j * 9), inside)) for _ in range(200)
    ]
    expected_scatter = 2.5 / np.sqrt(2 * (inside.sum() - 3))
    assert np.mean(estimates) == pytest.approx(2.5, abs=4 * expected_scatter / np.sqrt(200))


def test_snr_definitions():
    line = spectrum(2.01, 6, amplitude=100.0)
    peak = between(1.9, 2.12)
    height = 100 / np.sqrt(N) / (DWELL * np.pi * 6)  # of a Lorentzian: A / (pi FWHM dt sqrt N)
    top = float(quality.snr_spec(jnp.asarray(line), peak, 2.0))
    assert top == pytest.approx(height / 2, rel=0.02)
    assert float(quality.snr_2sd(jnp.asarray(line), peak, 2.0)) == pytest.approx(top / 2)
    energy = 100**2 / (2 * np.pi * 6 * DWELL)  # sum |A exp(-pi L t)|^2
    assert float(quality.snr_matched(jnp.asarray(line), 2.0)) == pytest.approx(np.sqrt(energy) / 2, rel=0.02)
    residual = 3.0 * np.sin(np.arange(N) * 2 * np.pi * 16 / N)
    expected = line.real.max() / (2 * 3 / np.sqrt(2))
    base = np.full(N, 7.0 + 1j)
    assert float(quality.snr_lcm(jnp.asarray(line + base), jnp.asarray(base), jnp.asarray(residual))) == pytest.approx(
        expected, rel=1e-6
    )
    assert float(quality.fqn(jnp.asarray(residual + 5), 1.5)) == pytest.approx(4.5 / 2.25, rel=1e-6)


def test_matched_snr_is_the_scatter_of_a_matched_filter():
    rng = np.random.default_rng(2)
    line = spectrum(2.01, 6, amplitude=10.0)
    noise = rng.normal(size=(4000, N)) + 1j * rng.normal(size=(4000, N))
    estimate = np.real((line + noise) @ line.conj()) / np.sum(np.abs(line) ** 2)
    assert estimate.mean() / estimate.std() == pytest.approx(
        float(quality.snr_matched(jnp.asarray(line), 1.0)), rel=0.05
    )


@pytest.mark.parametrize(
    "dwell, f0, window, fallback",
    [
        (5e-4, 123.2e6, (-2.0, 0.0), False),
        (8e-4, 123.2e6, (-2.0, 0.0), True),
        (2e-4, 297.2e6, (-2.0, 0.0), False),
        (1e-3, 123.2e6, None, True),
    ],
)
def test_noise_window_falls_back_when_the_spectral_width_is_small(dwell, f0, window, fallback):
    sampling = Sampling(dwell, f0, 1024)
    got = quality.noise_window(sampling)
    ppm = np.asarray(sampling.ppm)
    assert got.fallback == fallback and ppm[0] < got.low < got.high < ppm[-1]
    if not fallback:
        assert (got.low, got.high) == window
    assert got.high < 0.3 or got.low > 4.5 or (got.high - got.low) < 0.11 * (ppm[-1] - ppm[0])


@pytest.mark.parametrize("descending", [False, True])
def test_assess_on_a_stack_recovers_its_parts(descending):
    rng = np.random.default_rng(5)
    s, sigma = 6, 1.5
    component = spectrum(2.01, 5, amplitude=400.0)
    baseline = 40 * np.exp(-((PPM - 2) ** 2)) * np.exp(0.3j)
    noise = sigma * (rng.normal(size=(s, N)) + 1j * rng.normal(size=(s, N)))
    full = component + baseline + noise
    order = slice(None, None, -1) if descending else slice(None)

    def cut(x):
        return np.broadcast_to(x, (s, N))[:, WINDOW][:, order]

    curves = {
        "ppm": PPM[WINDOW][order],
        "fit": cut(component + baseline),
        "baseline": cut(baseline),
        "residual": cut(noise),
        "component": cut(component),
    }
    rotated = full * np.exp(1.1j)  # the phase of the full spectra must not matter for the noise
    out = quality.assess(rotated, SAMPLING, curves)
    sd = out.noise_sd
    assert sd == pytest.approx(sigma, rel=0.15)
    assert out.fwhm_hz == pytest.approx(5.0, abs=0.05) and out.fwhm_ppm == pytest.approx(5 / 123.2, abs=5e-4)
    np.testing.assert_allclose(out.snr_spec, 2 * out.snr_2sd)
    grid = np.max((component + noise).real[:, between(1.9, 2.12)], axis=1)
    assert np.all(out.snr_spec * sd >= grid * (1 - 1e-3)) and np.all(out.snr_spec * sd < 1.2 * grid)
    assert out.fqn == pytest.approx(1.0, abs=0.35)
    with pytest.raises(ValueError, match="tNAA, tCr, tCho, found"):
        quality.assess(full, SAMPLING, curves, "GABA")


def test_a_filtered_noise_window_is_noticed():
    rng = np.random.default_rng(7)
    noise = 2.0 * (rng.normal(size=(5, N)) + 1j * rng.normal(size=(5, N)))
    component = spectrum(2.01, 5, amplitude=300.0)
    full = component + noise
    full[:, PPM < 0.1] *= 1e-4  # band-pass
    curves = {
        "ppm": PPM[WINDOW],
        "fit": np.broadcast_to(component, (5, N))[:, WINDOW],
        "baseline": np.zeros((5, WINDOW.sum())),
        # A smooth misfit must not count as noise.
        "residual": noise[:, WINDOW] + 20 * np.sin(PPM[WINDOW]),
        "component": np.broadcast_to(component, (5, N))[:, WINDOW],
    }
    out = quality.assess(full, SAMPLING, curves)
    assert "emptied by a filter" in out.window.reason and out.window.fallback
    assert out.noise_sd == pytest.approx(2.0, rel=0.25) and np.mean(out.noise_sd) == pytest.approx(2.0, rel=0.1)


def test_the_window_of_the_peak_follows_the_shift():
    shift = np.array([0.0, 0.2, -0.2])
    component = np.stack([spectrum(2.01 + d, 5, amplitude=300.0) for d in shift])[:, WINDOW]
    full = np.random.default_rng(1).normal(size=(3, N)) + 0j
    zero = np.zeros_like(component)
    curves = {"ppm": PPM[WINDOW], "fit": component, "baseline": zero, "residual": zero, "component": component}
    out = quality.assess(full, SAMPLING, curves, shift_ppm=shift)
    assert out.fwhm_hz == pytest.approx(5.0, abs=0.05)
    assert out.snr_spec * out.noise_sd == pytest.approx(out.snr_spec[0] * out.noise_sd[0], rel=0.01)
