"""Ratios and water scaling against truth, by hand-computed numbers and Monte Carlo."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import BasisSet, FitResult, Sampling
from mrsjax.inference.quantification import (
    Timing,
    Tissue,
    WaterReference,
    attenuation,
    quantify,
    user_table,
    water_scale,
)
from mrsjax.inference.water_reference import proton_signal, water_amplitude, water_amplitudes
from mrsjax.physics.relaxation import TABLES, relaxation_table

N, DWELL, F0 = 1024, 5e-4, 123.2e6
T = np.arange(N) * DWELL
SAMPLING = Sampling(DWELL, F0, N)


def line(ppm, amplitude, lorentz=1.5, gauss=1.0):
    hz = float(SAMPLING.to_hz(ppm))
    return amplitude * np.exp(2j * np.pi * hz * T - np.pi * lorentz * T - (np.pi * gauss * T) ** 2 / (4 * np.log(2)))


def basis(scale=1.0, nulled=0.0):
    cr = line(3.027, 3) + line(3.913, 2)
    naa = line(2.008, 3 * (1 - nulled)) + line(2.6, 2) + line(4.38, 1)
    glu = line(2.35, 2) + line(3.75, 1)
    return BasisSet(scale * np.array([cr, naa, glu]), ("Cr", "NAA", "Glu"), SAMPLING)


def result(amplitudes, covariance=None, names=("Cr", "NAA", "Glu")):
    amplitudes = np.atleast_2d(amplitudes)
    s, m = amplitudes.shape
    covariance = np.zeros((s, m, m)) if covariance is None else np.broadcast_to(covariance, (s, m, m))
    nothing = np.zeros(s)
    return FitResult(
        amplitudes=jnp.asarray(amplitudes),
        covariance=jnp.asarray(covariance),
        parameters={},
        parameters_sd={},
        noise_sd=nothing,
        baseline_ed=nothing,
        misfit=nothing,
        effective_parameters=nothing,
        status=nothing.astype(int),
        iterations=nothing.astype(int),
        cost=nothing,
        state=None,
        names=names,
        metabolites=names,
        units={},
    )


ENVELOPES = {
    "lorentz": lambda fwhm: np.exp(-np.pi * fwhm * T),
    "voigt": lambda fwhm: np.exp(-np.pi * fwhm / 2 * T - (np.pi * fwhm / 2 * T) ** 2 / (4 * np.log(2))),
    "uniform field distribution": lambda fwhm: np.sinc(fwhm * T) * np.exp(-np.pi * 4 * T),
    "two compartments": lambda fwhm: 0.8 * np.exp(-np.pi * fwhm * T) + 0.2 * np.exp(-np.pi * 3 * fwhm * T),
    "skewed field distribution": lambda fwhm: np.exp(-np.pi * 4 * T) / (1 - 2j * np.pi * fwhm / 3 * T) ** 2,
}


@pytest.mark.parametrize("kind", ENVELOPES)
@pytest.mark.parametrize("fwhm", [4.0, 8.0, 15.0])
def test_water_amplitude_is_unbiased_under_eddy_currents_and_line_shapes(kind, fwhm):
    eddy = np.exp(1j * (7.0 * np.exp(-T / 0.02) + 2 * np.pi * 7 * T + 0.4))
    clean = 5.0 * ENVELOPES[kind](fwhm) * eddy
    rng = np.random.default_rng(1)
    noise = 5.0 / 300 * (rng.normal(size=(200, N)) + 1j * rng.normal(size=(200, N)))
    value, sd = (np.asarray(x) for x in water_amplitudes(jnp.asarray(clean + noise)))
    assert abs(value.mean() / 5.0 - 1) < 2.5e-3
    assert 0.8 < sd.mean() / value.std() < 1.4


def test_water_amplitude_in_single_precision_and_gradient():
    fid = jnp.asarray(3.0 * ENVELOPES["voigt"](9.0), dtype=jnp.complex64)
    assert np.asarray(water_amplitude(fid)[0]) == pytest.approx(3.0, rel=2e-4)
    gradient = jax.grad(lambda scale: water_amplitude(scale * fid.astype(complex))[0])(1.0)
    assert float(gradient) == pytest.approx(3.0, rel=2e-3)


@pytest.mark.parametrize("fid", [np.zeros(64), np.full(64, np.nan), np.r_[1.0, np.zeros(63)]])
def test_water_amplitude_of_nothing_is_nan(fid):
    assert np.isnan(water_amplitude(jnp.asarray(fid, dtype=complex))[0])


@pytest.mark.parametrize("scale", [1e-4, 1.0, 3.7e5])
def test_proton_signal_is_that_of_the_singlets(scale):
    proton = proton_signal(basis(scale))
    assert proton.value == pytest.approx(scale, rel=5e-3)
    assert proton.spread < 0.02


def test_disagreeing_singlets_are_told():
    proton = proton_signal(basis(nulled=0.5))
    assert proton.singlet.startswith("Cr") and proton.spread == pytest.approx(0.5, abs=0.05)
    with pytest.raises(ValueError, match="Cr, PCr"):
        proton_signal(BasisSet(basis().fids[2:], ("Glu",), SAMPLING))


@pytest.mark.parametrize("gm, wm, csf", [(1, 0, 0), (0, 1, 0), (0.5, 0.3, 0.2), (0.1, 0.1, 0.8)])
def test_water_scaling_recovers_the_concentration_of_a_simulated_voxel(gm, wm, csf):
    """Forward: moles and water of each tissue, relaxed with the table; back: the concentrations that went in."""
    table, te, tr = relaxation_table(2.89), 0.03, 2.0
    molal_truth = 9.0  # mmol per kg of tissue water
    fractions = {"gm": gm, "wm": wm, "csf": csf}
    content = {"gm": 0.78, "wm": 0.65, "csf": 0.97}
    kg_water = {k: fractions[k] * content[k] * 0.9933 for k in fractions}  # in one litre of voxel
    moles_water = {k: kg_water[k] * 55.51e3 for k in fractions}
    water = sum(2 * moles_water[k] * attenuation(te, tr, table.water[k].t1, table.water[k].t2) for k in fractions)
    grey, white = table.of("Cr")
    weight = gm / (gm + wm)
    left = weight * attenuation(te, tr, grey.t1, grey.t2) + (1 - weight) * attenuation(te, tr, white.t1, white.t2)
    moles = molal_truth * (kg_water["gm"] + kg_water["wm"])
    amplitude = moles * float(left)  # signal of the metabolite per proton
    k = 1e-3
    reference = WaterReference(
        (k * float(water) * ENVELOPES["voigt"](8.0))[None], basis(k), Timing(te, tr, te, tr), table, Tissue(gm, wm, csf)
    )
    out = quantify(result([amplitude, 0.0, 0.0]), reference)
    index = out.names.index("Cr")
    assert out.water_scaled_molal[0, index] == pytest.approx(molal_truth, rel=5e-3)
    assert out.water_scaled_molar[0, index] == pytest.approx(moles / (gm + wm), rel=5e-3)
    assert {c.name for c in out.constants} >= {"T1 of water, gm", "T2 of Cr, white matter", "water content of CSF"}
    assert all(c.source for c in out.constants)


def test_sums_and_ratios_use_the_covariance():
    names = ("Cr", "PCr", "NAA", "NAAG", "mI")
    a = np.array([4.0, 4.0, 9.0, 1.0, 5.0])
    root = np.random.default_rng(0).normal(size=(5, 5)) * 0.2
    covariance = root @ root.T
    out = quantify(result(a, covariance, names))
    draws = np.random.default_rng(1).multivariate_normal(a, covariance, size=200_000)
    tcr, tnaa = draws[:, :2].sum(1), draws[:, 2:4].sum(1)
    assert out.names == (*names, "tNAA", "tCr")
    assert out.raw_amplitude[0, 5] == pytest.approx(10.0) and out.ratio_tcr[0, 5] == pytest.approx(1.25)
    assert out.crlb[0, 5] == pytest.approx(tnaa.std(), rel=0.02)
    assert out.ratio_tcr_sd[0, 5] == pytest.approx((tnaa / tcr).std(), rel=0.05)
    assert out.ratio_tcr[0, 6] == pytest.approx(1.0) and out.ratio_tcr_sd[0, 6] == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(out.water_scaled_molal).all()


def test_uncertainty_of_the_water_enters():
    rng = np.random.default_rng(3)
    clean = 2e4 * ENVELOPES["voigt"](8.0)
    water = clean + 600 * (rng.normal(size=(300, N)) + 1j * rng.normal(size=(300, N)))
    covariance = np.diag([0.05, 0.04, 0.03]) ** 2
    draws = np.array([8.0, 10.0, 9.0]) + rng.normal(size=(300, 3)) * np.sqrt(np.diag(covariance))
    reference = WaterReference(
        water, basis(), Timing(0.03, 2.0, 0.03, 2.0), relaxation_table(3.0), Tissue(0.6, 0.4, 0.0)
    )
    out = quantify(result(draws, covariance), reference)
    ratio = out.water_scaled_molal_sd.mean(0) / out.water_scaled_molal.std(0)
    assert np.all((ratio > 0.85) & (ratio < 1.2)), ratio


def test_missing_tissue_is_an_assumption_and_not_silent():
    reference = WaterReference(
        np.ones((1, 64)) * ENVELOPES["voigt"](8.0)[:64], basis(), Timing(0.03, 2, 0.03, 2), relaxation_table(3.0)
    )
    assert "No tissue fractions" in quantify(result([1.0, 1.0, 1.0]), reference).assumptions[0]


def test_no_creatine_gives_nan_ratios():
    assert np.isnan(quantify(result([[1.0]], names=("NAA",))).ratio_tcr).all()


def test_scaling_is_batched_by_vmap_as_by_loop():
    rng = np.random.default_rng(0)
    f = rng.dirichlet([1, 1, 1], size=7)
    w, left, metabolites = rng.uniform(1, 2, 7), rng.uniform(0.2, 1, 3), rng.uniform(0.2, 1, (4, 2))
    batched = jax.vmap(water_scale, in_axes=(0, None, 0, None, None))(w, jnp.asarray(1.0), f, left, metabolites)
    for i in range(7):
        one = water_scale(w[i], jnp.asarray(1.0), jnp.asarray(f[i]), left, metabolites)
        np.testing.assert_allclose(batched[0][i], one[0], rtol=1e-12)
        np.testing.assert_allclose(batched[1][i], one[1], rtol=1e-12)
    assert np.isnan(water_scale(w[0], jnp.asarray(1.0), jnp.array([0.0, 0.0, 1.0]), left, metabolites)[0]).all()


def test_tables_and_their_errors():
    assert {t.field_strength for t in TABLES} == {3.0, 7.0}
    assert all(t.water[k].t1 > t.water[k].t2 > 0 and t.water[k].source for t in TABLES for k in ("gm", "wm", "csf"))
    assert all(x.t1 > x.t2 > 0.05 and x.source for t in TABLES for pair in t.metabolites.values() for x in pair)
    with pytest.raises(ValueError, match=r"found 9\.40 T"):
        relaxation_table(9.4)
    with pytest.raises(ValueError, match=r"found gm=0\.5, wm=0\.2, csf=0$"):
        Tissue(0.5, 0.2, 0.0)
    with pytest.raises(ValueError, match=r"in 2 of 4 voxels, first gm=nan"):
        Tissue(np.array([1, np.nan, 1.3, 0.5]), 0.0, np.array([0.0, 0, 0, 0.5]))
    with pytest.raises(ValueError, match="csf missing"):
        user_table(9.4, {"gm": (2, 0.03), "wm": (1.5, 0.03)}, (1.5, 0.1))
    with pytest.raises(ValueError, match="1 or 1 water FIDs, found 3"):
        quantify(result([1.0, 1, 1]), WaterReference(np.ones((3, 64)), basis(), Timing(0.03, 2, 0.03, 2), TABLES[0]))


def test_sums_take_any_name_of_their_parts_and_glutamate_alone_is_no_glx():
    one = dataclasses.replace(result([2.0, 1.0, 3.0]), names=("NAA", "PCho", "mI"), metabolites=("NAA", "PCho", "mI"))
    assert float(one.total(("PCh", "GPC"))[0][0]) == 1.0 and float(one.total(("Ins",))[0][0]) == 3.0
    with pytest.raises(ValueError, match="none of Cr, PCr, tCr among"):
        one.ratio(("NAA",))
    assert "tCho" in quantify(one).names
    names = ("NAA", "tCr", "mI")  # a basis with the sum only
    sum_only = dataclasses.replace(result([2.0, 4.0, 3.0], np.diag([0.1, 0.2, 0.3])), names=names, metabolites=names)
    ratio, table = sum_only.ratio(("NAA",)), quantify(sum_only)
    assert (float(ratio[0][0]), float(ratio[1][0])) == pytest.approx((table.ratio_tcr[0, 0], table.ratio_tcr_sd[0, 0]))
    assert table.ratio_tcr[0, 0] == 0.5
    nothing = dataclasses.replace(sum_only, amplitudes=jnp.array([[2.0, 0.0, 3.0]]))
    assert np.isnan(nothing.ratio(("NAA",))[0][0]) and np.isnan(quantify(nothing).ratio_tcr[0, 0])
    one = dataclasses.replace(one, names=("NAA", "Glu", "mI"), metabolites=("NAA", "Glu", "mI"))
    assert "Glx" not in quantify(one).names
