"""The loop: it learns, it compiles once, it goes on after a kill as if nothing had been, it shards."""

import csv
import os
import pathlib
import signal
import subprocess
import sys
import types

import equinox as eqx
import jax
import numpy as np
import pytest

from mrsjax.core import BasisSet, Sample
from mrsjax.nn import Frozen, Matched, Measured, Training, calibrate, train, weighted
from mrsjax.nn.logs import write_logs
from tests.nn.small import PREDICTED, N, simulator, spec
from tests.physics.examples import basis, sampling

ROOT = pathlib.Path(__file__).parents[2]
SETTINGS = Training(steps=60, batch=32, validation=32, every=10, warmup=5, learning_rate=3e-3)


@pytest.fixture(scope="module")
def world():
    network = calibrate(spec(), basis(N), sampling(N), simulator(), count=128)
    return network, Matched(simulator(), network.model.names, PREDICTED)


def test_it_learns_and_nothing_is_traced_twice(world):
    network, data = world
    traced = []
    inner = weighted({"parameters": 1.0})

    def loss(*args):
        traced.append(1)
        return inner(*args)

    counts = []
    done = train(network, data, loss, SETTINGS, report=lambda record, total: counts.append(len(traced)))
    assert counts[0] == counts[-1] <= 2  # the step and the validation
    assert done.ended == "steps" and len(done.history) == 6
    assert done.history[-1].validation < 0.5 * done.history[0].validation
    assert done.history[-1].spectra_per_s > done.history[0].spectra_per_s  # the first counts the compiler


def test_it_stops_early_and_returns_the_best(world):
    network, data = world
    settings = Training(
        steps=400, batch=32, validation=32, every=10, warmup=1, learning_rate=0.3, patience=2, schedule="constant"
    )
    done = train(network, data, weighted({"parameters": 1.0}), settings)
    assert done.ended == "patience" and done.history[-1].step < 400
    best = min(done.history, key=lambda r: r.validation)
    assert done.best_step == best.step == done.history[-3].step


def test_measured_spectra_train_without_truth(world):
    _, data = world
    fids = eqx.filter_jit(eqx.filter_vmap(lambda k: data.sample(k).data))(jax.random.split(jax.random.key(5), 64))
    measured = Measured(fids)
    network = calibrate(spec(), basis(N), sampling(N), measured, count=64)
    done = train(network, measured, weighted({"residual": 1.0}), SETTINGS)
    assert done.history[-1].validation < 0.6 * done.history[0].validation


def test_amplitudes_of_measured_data_are_calibrated_in_units_of_the_basis(world):
    """Whatever the scale of the basis and that of the data."""
    _, data = world
    drawn = eqx.filter_jit(eqx.filter_vmap(data.sample))(jax.random.split(jax.random.key(5), 64))
    own = basis(N)
    large = BasisSet(1000 * own.fids, own.names, own.sampling)
    network = calibrate(spec(amplitudes="network"), large, sampling(N), Measured(0.01 * drawn.data), count=64)
    found = eqx.filter_jit(jax.vmap(lambda x: network.positive(jax.numpy.zeros(6), network.inputs(x)[1])))(drawn.data)
    np.testing.assert_allclose(1000 * found.mean(axis=0), drawn.truth["amplitudes"].mean(axis=0), rtol=0.35)


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 0}, {"batch": True}, {"steps": 1500.7}, {"steps": np.inf}, {"patience": -1}, {"warmup": -1}, {"weight_decay": -1e-3},
        {"schedule": "step"}, {"learning_rate": -1.0}, {"learning_rate": np.nan}, {"clip": 0}, {"clip": np.inf}, {"seed": 2**32},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_settings_are_refused(change):
    with pytest.raises(ValueError, match=rf"training\.{next(iter(change))}: wanted .*found"):
        Training(**change)


def test_settings_are_numbers_however_they_are_written():
    """YAML 1.1 reads 1e-3 as a text and 1e3 as well."""
    given = Training(steps="1e3", learning_rate="1e-3", warmup=10.0)  # type: ignore[arg-type]
    assert (given.steps, given.learning_rate, given.warmup) == (1000, 1e-3, 10) and isinstance(given.warmup, int)


PROGRAM = """
import os, sys, pathlib
import jax
jax.config.update("jax_enable_x64", True)
from mrsjax.nn import Matched, Training, build, train, weighted
from tests.nn.small import N, PREDICTED, simulator, spec
from tests.physics.examples import basis, sampling
network = build(spec(), basis(N), sampling(N))
data = Matched(simulator(), network.model.names, PREDICTED)
settings = Training(steps=60, batch=32, validation=32, every=10, warmup=5, learning_rate=3e-3)
out = None if sys.argv[1] == "-" else pathlib.Path(sys.argv[1])
def report(record, steps):
    print(len(jax.devices()), record.step, record.loss, record.validation, flush=True)
    if len(sys.argv) > 2 and record.step >= int(sys.argv[2]):
        os.kill(os.getpid(), 9)
train(network, data, weighted({"parameters": 1.0}), settings, out=out, report=report)
"""


def _run(*arguments, flags="", cache=None):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}",
        "JAX_PLATFORMS": "cpu",
    }
    if cache is not None:
        environment |= {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=300,
    )


def _curve(folder):
    with open(folder / "log.csv") as file:
        return [(r["step"], r["loss"], r["validation"], r["gradient"]) for r in csv.DictReader(file)]


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_curve(tmp_path):
    whole = _run(tmp_path / "whole", cache=tmp_path)
    assert whole.returncode == 0, whole.stderr[-2000:]
    killed = _run(tmp_path / "killed", 30, cache=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    before = _curve(tmp_path / "killed")
    assert len(before) == 3
    assert _run(tmp_path / "killed", cache=tmp_path).returncode == 0
    assert _curve(tmp_path / "killed") == _curve(tmp_path / "whole")  # digit for digit
    sharded = _run("-", flags="--xla_force_host_platform_device_count=2")
    lines = [[float(x) for x in line.split()] for line in sharded.stdout.splitlines()]
    assert {line[0] for line in lines} == {2.0}, sharded.stderr[-2000:]
    one = [float(row[2]) for row in _curve(tmp_path / "whole")]
    assert [line[3] for line in lines] == pytest.approx(one, rel=2e-3)


class Heavy(eqx.Module):
    """A number to train, a constant beside it."""

    x: jax.Array
    wanted: Frozen
    spec: object = eqx.field(static=True)


class Nothing(eqx.Module):
    def sample(self, key):
        return Sample(jax.numpy.zeros(1), {}, {})


def _numbers(out, *, rate=0.1, wanted=1.0, spec="a", steps=40, patience=0, loss=None, save=None, about=None):
    heavy = Heavy(jax.numpy.zeros(()), Frozen(jax.numpy.full((), wanted)), types.SimpleNamespace(text=spec))
    settings = Training(
        steps=steps,
        batch=1,
        validation=1,
        every=1,
        warmup=1,
        learning_rate=rate,
        schedule="constant",
        patience=patience,
    )
    loss = loss or (lambda n, sample, key: (n.x - n.wanted.value) ** 2)
    return train(heavy, Nothing(), loss, settings, out=out, save=save, about=about)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"wanted": 1.1}, "constants"), ({"spec": "b"}, "specification"), ({"about": {"recipe": "r2"}}, "recipe")],
    ids=str,
)
def test_a_changed_run_is_not_continued(tmp_path, change, named):
    given = {"steps": 2, "about": {"recipe": "r1", "loss": {"residual": 1.0}}}
    _numbers(tmp_path, **given)
    again = _numbers(tmp_path, **given, wanted=1.0 + 1e-6)  # the last digits are the device's
    assert len(again.history) == 2
    with pytest.raises(ValueError, match=named):
        _numbers(tmp_path, **{**given, **change})


def test_a_run_that_patience_ended_stays_ended_and_its_models_are_the_states(tmp_path):
    saved = {}

    def save(network, folder, history):
        saved[folder.name] = float(network.x), history[-1].step

    given = {"rate": 0.7, "patience": 2}
    done = _numbers(tmp_path, **given)  # no models: as if it had been killed between its state and them
    assert done.ended == "patience" and done.history[-1].step == done.best_step + 2
    again = _numbers(tmp_path, **given, save=save)
    assert again.ended == "patience" and again.history == done.history
    assert saved == {"best": (float(done.network.x), done.best_step), "last": (saved["last"][0], done.best_step + 2)}
    assert saved["last"][0] != saved["best"][0]


def test_logs_that_a_kill_left_short_are_made_whole(tmp_path):
    done = _numbers(tmp_path, steps=3)
    whole = [(tmp_path / name).read_text() for name in ("log.csv", "log.json")]
    write_logs(tmp_path, done.history[:2])  # as if killed between the last state and its log
    _numbers(tmp_path, steps=3)
    assert [(tmp_path / name).read_text() for name in ("log.csv", "log.json")] == whole


def test_a_folder_that_cannot_be_made_is_told_before_a_step(tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/run"):
        with pytest.raises(ValueError, match=r"file.*: wanted a folder"):
            _numbers(tmp_path / place, loss=lambda *_: pytest.fail("it was traced"))


def test_validation_spectra_can_be_others_than_those_trained_on():
    class Other(eqx.Module):
        def sample(self, key):
            return Sample(jax.numpy.full(1, 7.0), {}, {})

    heavy = Heavy(jax.numpy.zeros(()), Frozen(jax.numpy.ones(())), None)
    few = Training(steps=2, batch=1, validation=1, every=1, warmup=1)
    loss = lambda n, sample, key: 0.0 * n.x + sample.data[0]  # noqa: E731
    done = train(heavy, Nothing(), loss, few, validation=Other())
    assert [(r.loss, r.validation) for r in done.history] == [(0.0, 7.0)] * 2


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path):
    with pytest.raises(ValueError, match="not finite at step 1"):
        _numbers(None, loss=lambda n, sample, key: n.x + np.inf)


def test_another_run_is_not_continued(world, tmp_path):
    network, data = world
    loss = weighted({"parameters": 1.0})
    short = Training(steps=4, batch=8, validation=8, every=2, warmup=1)
    train(network, data, loss, short, out=tmp_path)
    with pytest.raises(ValueError, match="learning_rate"):
        train(
            network,
            data,
            loss,
            Training(steps=4, batch=8, validation=8, every=2, warmup=1, learning_rate=0.1),
            out=tmp_path,
        )
    (tmp_path / "state.npz").write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(ValueError, match=r"state\.npz"):
        train(network, data, loss, short, out=tmp_path)
    np.savez(tmp_path / "state.npz", x=np.zeros(1))
    with pytest.raises(ValueError, match="other arrays"):
        train(network, data, loss, short, out=tmp_path)
