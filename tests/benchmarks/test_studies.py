"""Every study goes from simulation to its table (losses traced, the fit left out), and has its line in docs/studies.md; what the studies count is right."""

import dataclasses
import importlib
import pathlib
import re
from types import SimpleNamespace
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
import pytest

from benchmarks.studies import scores, study
from benchmarks.studies.study import run
from mrsjax.nn import build, partition
from mrsjax.nn.training import Record, Trained

ROOT = pathlib.Path(__file__).parents[2]
#: Of spectra; those of shims (rows 2, 3) have a shape and a page of their own.
STUDIES = sorted(p.stem for p in (ROOT / "benchmarks" / "studies").glob("row*.py") if "\nSTUDY = " in p.read_text())


def _traced(network, simulator, loss, settings):
    """In place of `train`: the gradient of the loss is traced and not compiled; the network stays as it is."""
    trainable, rest = partition(network)

    def value(trainable, key):
        return loss(eqx.combine(trainable, rest), simulator.sample(key), key)

    found, gradient = eqx.filter_eval_shape(eqx.filter_value_and_grad(value), trainable, jax.random.key(0))
    assert found.shape == () and jax.tree.structure(gradient) == jax.tree.structure(trainable)
    return Trained(network, [Record(2, 0.0, 0.0, 0.0, 0.0, 0.0)], 2, "steps")


_samples = study._samples


def _twelve(simulator, keys):
    """Twelve samples, again and again: one program for each simulator. They are spread over its SNR, so that no bin of a table is empty."""
    many = _samples(simulator, jax.random.split(keys[0], 48))
    rows = np.argsort(many.labels["snr"])[2::4]
    return jax.tree.map(lambda x: np.resize(np.asarray(x)[rows], (len(keys), *x.shape[1:])), many)


def _not_calibrated(spec, basis, sampling, simulator, *, seed):
    """In place of `calibrate`: unit spreads, nothing is drawn."""
    return build(spec, basis, sampling)


def _no_fit(model, fids, **options):
    """In place of `fit`, which has tests of its own: what the studies read of its result."""
    s, m = len(fids), len(model.names)
    ones = np.ones((s, m)) + 0.1 * np.arange(s)[:, None]
    names = [f"{g}.{n}" for g, tree in model.parameters().items() for n in tree]
    each = {n: np.ones(s) for n in names}
    return SimpleNamespace(
        amplitudes=ones,
        covariance=np.stack([np.eye(m)] * s),
        crlb=0.1 * ones**2,
        parameters=each,
        parameters_sd=each,
        status=np.zeros(s),
        total=lambda parts: (np.ones(s), np.ones(s)),
    )


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_goes_from_simulation_to_its_table(name, monkeypatch):
    monkeypatch.setattr("benchmarks.studies.study.train", _traced)
    monkeypatch.setattr("benchmarks.studies.study._samples", _twelve)
    monkeypatch.setattr("benchmarks.studies.study.fit", _no_fit)
    monkeypatch.setattr("benchmarks.studies.row30_hybrid.fit", _no_fit)
    monkeypatch.setattr("benchmarks.studies.row30_hybrid.one_step", lambda model, fids, start: _no_fit(model, fids))
    for module in ("study", "row25_two_stage", "row30_autoencoder"):
        monkeypatch.setattr(f"benchmarks.studies.{module}.calibrate", _not_calibrated)
    row = importlib.import_module(f"benchmarks.studies.{name}").STUDY
    settings = dataclasses.replace(row.settings, steps=2, batch=8, validation=8, every=1, warmup=1)
    lines = list(run(row._replace(settings=settings, count=12)))
    assert lines[1] == f"published: {row.published}" and lines[2] == f"here: {row.reduced}"
    assert all(any(line.startswith(f"{learner}: 2 steps of 8, seed 0") for line in lines) for learner in row.learners)
    header, _, *body = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    assert len(body) > len(row.learners) and {len(cells) for cells in body} == {len(header)}
    assert any("fit" in cells[0] for cells in body)  # the classical fit on the same spectra
    assert all(any(c.isdigit() for c in cells[1]) for cells in body)
    assert not [cells for cells in body if re.search(r"\bnan\b", " ".join(cells))]


class _Drawn(Exception):
    pass


@pytest.mark.parametrize("name", ["row27_scattering", "row32_dropout_and_bias"])
def test_changed_sets_are_of_the_seed_of_the_test_spectra(name, monkeypatch):
    def draw(simulator, count, seed=study.TEST_SEED):
        raise _Drawn(seed)

    module = importlib.import_module(f"benchmarks.studies.{name}")
    monkeypatch.setattr(module, "draw", draw)
    monkeypatch.setattr(study, "draw", lambda *_: SimpleNamespace(data=np.zeros((2, 8)), labels={"snr": np.ones(2)}))
    with pytest.raises(_Drawn, match=r"^7$"):
        list(run(module.STUDY._replace(learners={}), 7))


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_its_line_in_the_docs(name):
    assert f"`{name}`" in (ROOT / "docs" / "studies.md").read_text()


def test_scores_of_known_errors():
    truth = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [4.0, 8.0]])
    assert scores.mape(1.1 * truth, truth) == pytest.approx(10.0)
    assert scores.smape(3 * truth, truth) == pytest.approx(100.0)
    mean = np.broadcast_to(truth.mean(axis=0), truth.shape)
    assert scores.r2(mean, truth) == pytest.approx([0.0, 0.0]) and scores.r2(truth, truth) == pytest.approx([1.0, 1.0])
    assert scores.slope(0.3 * truth + 1, truth) == pytest.approx([0.3, 0.3])
    assert scores.correlation(-2 * truth, truth) == pytest.approx([-1.0, -1.0])
    table = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    assert scores.totals(("NAA", "NAAG", "Cr", "GPC", "Glu", "Ins"), table).tolist() == [[3.0, 3.0, 4.0, 5.0, 6.0]]


class _Fit(NamedTuple):
    amplitudes: np.ndarray
    covariance: np.ndarray


def test_a_fit_with_a_prior_is_between_the_fit_and_the_prior():
    from benchmarks.studies.study import draw, world

    here = world()
    known = draw(here.simulator, 512, seed=1).truth["amplitudes"]
    mean, spread = known.mean(axis=0), np.diag(known.var(axis=0))
    found = (mean + 1.0)[None]
    sure, unsure, alike = (scores.with_prior(_Fit(found, c[None]), here) for c in (1e-9 * spread, 1e9 * spread, spread))
    assert sure == pytest.approx(found, rel=1e-6) and unsure[0] == pytest.approx(mean, rel=1e-6)
    assert alike[0] == pytest.approx(mean + 0.5, rel=1e-6)
