"""The scenario suite: what a row counts, and that each scenario changes what it says and nothing else."""

import types

import equinox as eqx
import jax
import numpy as np
import pytest

from mrsjax.analysis.scenarios import QUANTITIES, Trial, evaluate_scenarios, figure, score, scored, table
from mrsjax.core import Status
from simulators.datasets.scenarios import CHANGES, scenarios

NAMES = ("NAA", "Cr", "GPC", "Glu", "Ins")
SHORT = """
name: short
summary: a short grid
sampling: {points: 256, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
amplitudes: {table: shamaei2023, macromolecules: {uniform: [3, 9]}}
parameters:
  phase: {phase_zero_deg: {uniform: [-20, 20]}}
  metabolites: {shift_hz: {uniform: [-4, 4]}, lorentz_hz: {uniform: [1, 5]}, gauss_hz: {uniform: [0, 4]}}
  macromolecules: {gauss_hz: {uniform: [0, 10]}}
artefacts:
  - baseline: {strength: {log_uniform: [0.01, 0.02]}, range_ppm: [-0.5, 5.0], spacing_ppm: 0.5}
snr: {log_uniform: [50, 60]}
"""


def _result(found, sd, status):
    columns = {n: i for i, n in enumerate(NAMES)}

    def total(parts):
        (i,) = [columns[p] for p in parts]
        return found[:, i], sd[:, i]

    return types.SimpleNamespace(names=NAMES, total=total, status=status)


def test_a_row_is_bias_spread_coverage_and_failures():
    rng, count = np.random.default_rng(1), 4000
    truth = rng.uniform(5, 15, (count, 5))
    typical = dict.fromkeys(QUANTITIES, 10.0)
    found = truth + 0.5 + rng.normal(0, 1.0, truth.shape)  # 5 % and 10 % of the typical amount
    status = np.full(count, int(Status.CONVERGED))
    status[:400], found[:400] = int(Status.AT_BOUND), 1e6
    found[400:600, 2] = truth[400:600, 2] + 6.0
    found[600:1000] = np.nan
    trial = Trial(np.zeros((count, 1), complex), truth, NAMES)
    sd = np.full(truth.shape, 1.0)
    row = score("a", "b", trial, _result(found, sd, status), typical, np.where(np.arange(count) < 1000, 2.0, 0.5))
    assert (row.refused, row.gross, row.unlike) == (20.0, 5.0, 25.0)
    assert row.bias == pytest.approx(5.0 + (60 - 5) * 200 / 3200 / 5, abs=0.3)
    assert 10 < row.spread < 11.5
    # error 0.5 + N(0, 1) within 1.645: 0.858; one quantity in five of 200 in 3200 is outside for certain
    assert row.coverage == pytest.approx(85.8 * (1 - 0.2 * 200 / 3200), abs=0.6)
    nothing = score("a", "b", trial, _result(found, sd, np.full(count, int(Status.INVALID_DATA))), typical)
    assert nothing.refused == 100 and np.isnan(nothing.coverage) and np.isnan(nothing.unlike)
    assert table([row]).count("\n") == 3
    assert figure([row, nothing]).count("<rect") > 5


def test_what_the_basis_has_nothing_of_is_not_scored():
    assert scored(("NAA", "Cr", "mI"), ("Ins", "PCr", "GPC")) == ("tCr", "Ins")
    with pytest.raises(ValueError, match=r"wanted .* tNAA, .* found NAA; Lac"):
        scored(("NAA",), ("Lac",))
    truth = np.full((3, 2), 8.0)
    found = types.SimpleNamespace(
        names=("Cr", "Lac"),
        total=lambda parts: (truth[:, 0] + 2.0, np.ones(3)) if parts == ("Cr",) else None,
        status=np.zeros(3),
    )
    trials = {"a": Trial(np.zeros((3, 1), complex), truth, ("Cr", "Lac"))}
    (row,) = evaluate_scenarios(trials, {"m": lambda fids: found}, quantities=scored(("Cr", "Lac")))  # type: ignore[arg-type]
    assert row.bias == pytest.approx(25.0) and row.spread == 0


@pytest.fixture(scope="module")
def drawn():
    worlds = scenarios(SHORT, "short")
    traces = []

    @eqx.filter_jit
    def sample(simulator, keys):
        traces.append(1)
        return jax.vmap(simulator.sample)(keys)

    keys = jax.random.split(jax.random.key(0), 64)
    return {name: jax.tree.map(np.asarray, sample(world, keys)) for name, world in worlds.items()}, traces, worlds


def test_scenarios_are_one_program(drawn):
    samples, traces, _ = drawn
    assert set(samples) == set(CHANGES) and len(traces) == 1


def test_each_scenario_changes_what_it_says(drawn):
    samples, _, worlds = drawn
    names = worlds["in distribution"].model.names
    plain = samples["in distribution"]
    values = lambda s, group, name: s.truth["values"][group][name]  # noqa: E731
    largest = lambda s, name: np.abs(s.labels[name]["signal"]).max()  # noqa: E731
    size = np.abs(plain.data).max()
    assert 5 <= samples["SNR 5 to 10"].labels["snr"].min() and samples["SNR 5 to 10"].labels["snr"].max() <= 10
    wide = samples["line width x2"]
    np.testing.assert_allclose(values(wide, "metabolites", "lorentz"), 2 * values(plain, "metabolites", "lorentz"))
    assert np.abs(values(samples["shift x4"], "metabolites", "shift")).max() > 12
    assert np.abs(values(samples["phase +-2 rad"], "phase", "phase_zero")).max() > 1.7
    np.testing.assert_allclose(
        samples["baseline x4"].labels["baseline"]["strength"], 4 * plain.labels["baseline"]["strength"], rtol=1e-4
    )
    amounts = samples["lactate x5"].truth["amplitudes"] / plain.truth["amplitudes"]
    np.testing.assert_allclose(amounts, np.where(np.array(names) == "Lac", 5.0, 1.0)[None].repeat(64, 0), rtol=1e-4)
    mm = [i for i, n in enumerate(names) if n.startswith("MM")]
    heavy = samples["macromolecules x2, broader"].truth["amplitudes"] / plain.truth["amplitudes"]
    np.testing.assert_allclose(heavy[:, mm], 2.0, rtol=1e-4)
    assert samples["all amounts x0 to x1.5"].truth["amplitudes"][:, names.index("NAA")].min() < 5
    for scenario, name in (
        ("random-walk baseline", "walk"), ("residual water", "water"), ("spurious lines", "spurious"), ("echo from outside the voxel", "echo"),
    ):  # fmt: skip
        assert largest(plain, name) < 1e-6 * size and largest(samples[scenario], name) > 1e-3 * size
