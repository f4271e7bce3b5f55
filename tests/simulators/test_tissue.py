"""Priors, populations and the derived tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulators.tissue import Population, concentrations, derive, priors, widen

NAMES = ("NAA", "Cr", "PCr", "Glu", "Gln", "GPC", "Ins")


@pytest.fixture(scope="module")
def population():
    levels = concentrations.brain(NAMES)
    values = {
        "metabolites": {"shift": priors.normal(0.0, 2.0), "gauss": priors.squared_uniform(1.0, 5.0)},
        "phase": {"phase_zero": priors.uniform(-0.4, 0.4), "delay": priors.fixed(0.0)},
    }
    return Population(NAMES, priors.log_normal(levels.median, levels.log_sd), values, levels.correlation), levels


def _many(population, count=4000):
    return jax.jit(jax.vmap(population.sample))(jax.random.split(jax.random.key(1), count))


def test_marginals_and_correlations_are_those_asked_for(population):
    made, levels = population
    amplitudes, values = _many(made)
    logs = np.log(np.asarray(amplitudes))
    np.testing.assert_allclose(logs.mean(0), np.log(levels.median), atol=0.03)
    np.testing.assert_allclose(logs.std(0), levels.log_sd, rtol=0.06)
    np.testing.assert_allclose(np.corrcoef(logs.T), levels.correlation, atol=0.06)
    assert np.abs(levels.correlation - np.eye(len(NAMES))).max() > 0.3
    width = np.sqrt(np.asarray(values["metabolites"]["gauss"]))
    assert 1 <= width.min() < 1.1 and 4.9 < width.max() <= 5 and abs(width.mean() - 3) < 0.1
    assert np.all(np.asarray(values["phase"]["delay"]) == 0)


def test_widening_widens_everything_about_the_same_centre(population):
    made, levels = population
    amplitudes, values = _many(widen(made, 1.5))
    logs = np.log(np.asarray(amplitudes))
    np.testing.assert_allclose(logs.std(0), 1.5 * levels.log_sd, rtol=0.06)
    np.testing.assert_allclose(logs.mean(0), np.log(levels.median), atol=0.04)
    np.testing.assert_allclose(np.corrcoef(logs.T), levels.correlation, atol=0.06)
    assert abs(np.asarray(values["metabolites"]["shift"]).std() - 3) < 0.15
    assert 0.58 < np.abs(values["phase"]["phase_zero"]).max() <= 0.6
    assert np.sqrt(np.asarray(values["metabolites"]["gauss"])).max() > 5.9
    with pytest.raises(ValueError, match="factor"):
        widen(made, 0.0)


@pytest.mark.parametrize(
    ("prior", "lowest", "highest"),
    [
        (priors.uniform(1.0, 3.0), 0.5, 3.5),
        (priors.uniform(0.2, 2.0), 0.0, 2.45),  # not below zero
        (priors.uniform(-1.0, 1.0), -1.5, 1.5),
        (priors.log_uniform(1.0, 4.0), 2**-0.5, 2**2.5),
        (priors.fixed(2.0), 2.0, 2.0),
    ],
)
def test_widened_ends(prior, lowest, highest):
    ends = priors.draw(priors.widened(prior, 1.5), jnp.array([0.0, 1.0], jnp.float32))
    np.testing.assert_allclose(ends, [lowest, highest], rtol=1e-5, atol=1e-6)


def test_gradient_with_respect_to_a_prior():
    value = lambda sd: priors.draw(priors.normal(0.0, 1.0).__class__(0.0, sd), jnp.float32(0.8))  # noqa: E731
    numeric = (value(1.01) - value(0.99)) / 0.02
    np.testing.assert_allclose(jax.grad(value)(1.0), numeric, rtol=1e-3)


def test_tissue_condition_and_age_move_levels_as_published():
    base = concentrations.brain(NAMES).median
    white = concentrations.brain(NAMES, fractions=(0.0, 1.0, 0.0)).median
    grey = concentrations.brain(NAMES, fractions=(1.0, 0.0, 0.0)).median
    np.testing.assert_allclose((grey / white)[NAMES.index("Glu")], 1.713, rtol=1e-3)  # Glx of Bustillo 2019
    half = concentrations.brain(NAMES, fractions=(0.3, 0.2, 0.5)).median
    np.testing.assert_allclose(half, base / 2)
    tumour = concentrations.brain(NAMES, condition="Cancer").median / base
    np.testing.assert_allclose(tumour[[0, 5]], [0.732, 1.313], rtol=1e-3)
    assert concentrations.brain(NAMES, age="Aged").median[NAMES.index("Ins")] > 1.1 * base[NAMES.index("Ins")]
    for wrong in ({"condition": "Flu"}, {"age": "Old"}, {"fractions": (0.5, 0.4, 0.0)}):
        with pytest.raises(ValueError, match="wanted"):
            concentrations.brain(NAMES, **wrong)


def _factors(table, column, **of):
    rows = [r for r in concentrations.table(table) if all(r[k] == v for k, v in of.items())]
    return {r["metabolite"]: float(r[column]) for r in rows}


@pytest.mark.parametrize("given", [{"condition": "Psychosis"}, {"age": "Adol"}, {"age": "Aged"}])
def test_parts_of_a_sum_move_together_as_the_table_says(given):
    names = (*NAMES, "PCh", "NAAG", "GABA")
    ages = "age" in given
    table = _factors("ages" if ages else "conditions", "factor_on_ratio" if ages else "factor", **given)
    healthy, found = (concentrations.brain(names, **g) for g in ({}, given))
    row = {
        "NAA": "tNAA",
        "NAAG": "tNAA",
        "Cr": "tCr",
        "PCr": "tCr",
        "GPC": "tCho",
        "PCh": "tCho",
        "Gln": "Gln" if "Gln" in table else "Glx",
    }
    row["Glu"] = "Glu" if "Glu" in table else "Glx"
    assert {"NAAG", "GPC", "NAA"} & set(table)  # rows of a part alone, which are not taken
    expected = [table.get(row.get(n, n), 1.0) for n in names]
    np.testing.assert_allclose(found.median / healthy.median, expected, rtol=1e-12)


def test_population_errors():
    with pytest.raises(ValueError, match="batch shape"):
        Population(("NAA",), priors.uniform(np.zeros(2), np.ones(2)), {})
    with pytest.raises(ValueError, match="positive definite"):
        Population(("NAA", "Cr"), priors.uniform(np.zeros(2), np.ones(2)), {}, [[1, 2], [2, 1]])


def test_tables_are_those_of_the_script(shared_data, tmp_path):
    derive.main(shared_data / "concentration_meta_analysis", tmp_path)
    kept = {p.name: p.read_text() for p in tmp_path.glob("*.csv")}
    assert len(kept) == 5
    for name, text in kept.items():
        assert concentrations.resources.files("simulators.tissue").joinpath("data", name).read_text() == text
