"""Data sets in files: resumable, the same bytes whatever made them."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from mrsjax.cli.simulate import simulate
from mrsjax.core import Sample, Sampling
from mrsjax.io import read
from simulators.datasets import open_arrays, store
from simulators.datasets.first import SHOWN
from simulators.datasets.recipe import Recipe, parse

SMALL = """
name: small
summary: macromolecules, shift and noise only, to be quick
sampling: {points: 128, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
amplitudes: {table: shamaei2023}
parameters: {metabolites: {shift_hz: {uniform: [-4, 4]}}}
snr: {uniform: [10, 50]}
"""
COUNT = 1500  # six blocks, the last one not full
RUN = """
import sys, jax
jax.config.update("jax_enable_x64", True)
jax.distributed.initialize(sys.argv[3], 2, int(sys.argv[4]))
assert jax.local_device_count() == 2
from simulators.datasets import store
from simulators.datasets.recipe import parse
store.write(parse(open(sys.argv[1]).read(), "small"), {count}, sys.argv[2], seed=7, shard=512)
""".replace("{count}", str(COUNT))


@pytest.fixture(scope="module")
def recipe():
    return parse(SMALL, "small")


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    return store.write(recipe, COUNT, tmp_path_factory.mktemp("sets") / "whole", seed=7, shard=512)


def _start(folder: pathlib.Path, out: pathlib.Path, *more: str, flags: str = ""):
    (folder / "small.yaml").write_text(SMALL)
    root = pathlib.Path(__file__).parents[2]
    environment = os.environ | {
        "PYTHONPATH": str(root),
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}",
        "JAX_PLATFORMS": "cpu",
    }
    command = [sys.executable, "-c", RUN, str(folder / "small.yaml"), str(out), *more]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def _bytes(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file of a data set but the picture for people."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "first.nii.gz"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_resumed_is_byte_identical(recipe, whole, tmp_path):
    out = tmp_path / "part"
    shutil.copytree(whole, out)
    for number in (1, 2):
        (out / "shards" / f"{number:06d}.json").unlink()
    (out / "spectra.zarr" / "data" / "c" / "1" / "0").write_bytes(b"half")
    shutil.rmtree(out / "spectra.zarr" / "data" / "c" / "2")
    (out / "spectra.zarr" / "data" / "c" / "1" / "0.abc.partial").write_bytes(b"half")  # as Zarr leaves it
    with pytest.raises(ValueError, match="not finished"):
        store.verify(out)
    store.write(recipe, COUNT, out, seed=7, shard=512)
    assert _bytes(out) == _bytes(whole)
    assert store.verify(out) == 3


MANY_KILLS = """
import os, pathlib, random, signal, sys, time
import equinox as eqx, jax, jax.numpy as jnp
from mrsjax.core import Sample, Sampling
from simulators.datasets import store
from simulators.datasets.recipe import Recipe

class Small(eqx.Module):
    block, together, dims = 4, 4, ()
    scale: jax.Array

    @property
    def sampling(self):
        return Sampling(1e-3, 123e6, 512)

    def sample(self, key):
        fid = jax.random.normal(key, (512,), jnp.float32).astype(jnp.complex64)
        return Sample(fid, {"a": self.scale * fid.real[:3]}, {"b": fid.imag[0]})

def run(out):  # a process of its own, forked from one in which JAX has not run and has no threads
    child = os.fork()
    if child == 0:
        store.write(Recipe("small", "", "", Small(jnp.ones(3, jnp.float32))), 240, out, seed=3, shard=4)
        os._exit(0)
    return child

whole, killed = map(pathlib.Path, sys.argv[1:3])
draw = random.Random(int(sys.argv[3]))
start = time.monotonic()
assert os.waitpid(run(whole), 0)[1] == 0
took = time.monotonic() - start
written = lambda: len(list((killed / "shards").glob("*.json")))
kills = []
while written() < 60:
    child, before = run(killed), written()
    if len(kills) < 2:  # at any moment before something is written
        until = time.monotonic() + draw.uniform(0, took)
        while time.monotonic() < until and not written():
            time.sleep(0.001)
    else:  # at any moment after some more was
        goal = before + draw.randrange(10, 24)
        while os.waitpid(child, os.WNOHANG)[0] == 0 and written() < goal:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.01))
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        break  # it was done
    kills.append(written())
print(kills)
assert os.waitpid(run(killed), 0)[1] == 0
"""


@pytest.mark.slow
def test_killed_at_any_moments_the_bytes_are_the_same(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parents[2]), "JAX_PLATFORMS": "cpu"}
    seed = str(time.time_ns())  # other moments each time
    command = [sys.executable, "-c", MANY_KILLS, str(tmp_path / "whole"), str(tmp_path / "killed"), seed]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    kills = json.loads(done.stdout)
    assert len(kills) >= 3 and len(set(kills) - {0, 60}) >= 1, f"seed {seed}: not killed while it wrote, {kills}"
    assert store.verify(tmp_path / "killed") == 60
    assert _bytes(tmp_path / "killed") == _bytes(tmp_path / "whole"), f"seed {seed}, shards at each kill {kills}"


@pytest.mark.parametrize("place", ["manifest_of", "_write_text", "_create_arrays", "write_first"])
def test_stopped_between_its_files_it_resumes(recipe, tmp_path, monkeypatch, place):
    whole = store.write(recipe, 20, tmp_path / "whole", seed=7, shard=256)

    def stopped(*given):
        if place == "_write_text" and given[0].name != "manifest.json":
            return plain(*given)
        if place == "write_first":
            given[1].write_bytes(b"half")
        raise KeyboardInterrupt

    plain = getattr(store, place)
    with monkeypatch.context() as patch:
        patch.setattr(store, place, stopped)
        with pytest.raises(KeyboardInterrupt):
            store.write(recipe, 20, tmp_path / "part", seed=7, shard=256)
    store.write(recipe, 20, tmp_path / "part", seed=7, shard=256)
    assert _bytes(tmp_path / "part") == _bytes(whole) and store.verify(tmp_path / "part") == 1
    assert (tmp_path / "part" / "first.nii.gz").read_bytes() != b"half"


@pytest.mark.slow
def test_two_processes_with_two_devices_each_write_the_same_bytes(whole, tmp_path):
    with socket.socket() as s:
        s.bind(("localhost", 0))
        place = f"localhost:{s.getsockname()[1]}"
    flags = "--xla_force_host_platform_device_count=2"
    pair = [_start(tmp_path, tmp_path / "two", place, str(i), flags=flags) for i in range(2)]
    errors = [p.communicate(timeout=300)[1] for p in pair]
    assert [p.returncode for p in pair] == [0, 0], errors
    assert _bytes(tmp_path / "two") == _bytes(whole)


def test_content_depends_on_seed_and_number_only(recipe, whole, tmp_path):
    other = open_arrays(store.write(recipe, 300, tmp_path / "short", seed=7, shard=256))
    arrays = open_arrays(whole)
    for name in arrays:
        np.testing.assert_array_equal(other[name][:], arrays[name][:300], err_msg=name)
    key = jax.random.fold_in(jax.random.key(7), 280)
    one = recipe.simulator.sample(key)
    np.testing.assert_allclose(one.data, arrays["data"][280], atol=1e-5 * np.abs(one.data).max())
    assert len(np.unique(arrays["labels.snr"][:])) > COUNT - 3


def test_damage_is_found(recipe, tmp_path):
    out = store.write(recipe, 20, tmp_path / "set", seed=1, shard=256)
    path = out / "spectra.zarr" / "data" / "c" / "0" / "0"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not what was written"):
        store.verify(out)


def test_another_seed_or_recipe_is_refused_in_one_line(recipe, whole, tmp_path):
    with pytest.raises(ValueError, match="another seed 7, this is 8; choose another folder"):
        store.write(recipe, COUNT, whole, seed=8, shard=512)
    changed = parse(SMALL.replace("-4, 4", "-5, 5"), "small")
    with pytest.raises(ValueError, match="another recipe_sha256"):
        store.write(changed, COUNT, whole, seed=7, shard=512)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="other files"):
        store.write(recipe, 10, tmp_path)


class _Uniform(eqx.Module):
    """Shards of nothing but one value."""

    values: dict
    block, together, dims = 4, 4, ()
    sampling = Sampling(1e-3, 123e6, 8)

    def sample(self, key):
        return Sample(jnp.zeros(8, jnp.complex64), {}, self.values)


def test_a_shard_of_one_value_is_a_file(tmp_path):
    values = {
        "all": jnp.ones(3, bool), "none": jnp.zeros(3, bool), "nan": jnp.full(2, jnp.nan, jnp.float32), "low": jnp.full((), np.iinfo(np.int32).min, jnp.int32)
    }  # fmt: skip
    simulator: Any = _Uniform(values)
    out = store.write(Recipe("same", "", "", simulator), 7, tmp_path / "same", shard=4)
    assert store.verify(out) == 2
    arrays = open_arrays(out)
    for name, value in values.items():
        np.testing.assert_array_equal(arrays[f"labels.{name}"][:], np.stack([value] * 7))


def test_a_shard_holds_as_much_whatever_the_sample():
    layout = lambda shape: {"data": (shape, "complex64"), "labels.snr": ((), "float32")}  # noqa: E731
    assert store._default_shard(layout((2048,)), 256) == 15 * 256
    assert store._default_shard(layout((40, 2, 2048)), 256) == 256
    assert store._default_shard(layout((32, 32, 1, 8, 512)), 1) == 1


def test_another_basis_does_not_resume(recipe, tmp_path):
    out = store.write(recipe, 20, tmp_path / "set", seed=1, shard=256)
    grown = eqx.tree_at(lambda s: s.model.groups[0].fids, recipe.simulator, replace_fn=lambda x: x * np.float32(1.01))
    with pytest.raises(ValueError, match="another basis and constants"):
        store.write(Recipe(recipe.name, recipe.summary, recipe.text, grown), 20, out, seed=1, shard=256)


def test_first_spectra_are_nifti_mrs(whole):
    shown = read(whole / "first.nii.gz")
    data = open_arrays(whole)["data"][:SHOWN]
    np.testing.assert_allclose(np.asarray(shown.spectra), data, rtol=1e-6)
    manifest = json.loads((whole / "manifest.json").read_text())
    assert float(shown.sampling.dwell_time) == pytest.approx(manifest["dwell_time_s"], rel=1e-6)


def test_command_says_what_it_made(tmp_path, monkeypatch):
    (tmp_path / "small.yaml").write_text(SMALL)
    arguments = [str(tmp_path / "small.yaml"), "-n", "20", "-o", str(tmp_path / "set"), "--seed", "7"]
    done = CliRunner().invoke(simulate, arguments, catch_exceptions=False)
    assert done.exit_code == 0 and "20 samples of small, seed 7" in done.output
    done = CliRunner().invoke(simulate, ["--verify", "-o", str(tmp_path / "set")], catch_exceptions=False)
    assert "1 shards are what was written" in done.output
    done = CliRunner().invoke(simulate, ["-o", str(tmp_path / "new")])
    assert done.exit_code == 2 and "RECIPE: name the recipe of the data set" in done.output
    with pytest.raises(ValueError, match="none: wanted a data set of mrsjax simulate, found none"):
        store.verify(tmp_path / "none")
    monkeypatch.setattr(sys.modules["simulators.datasets.recipe"], "parse", None)  # the list builds no simulator
    done = CliRunner().invoke(simulate, [], catch_exceptions=False)
    assert "r1" in done.output and "single voxel" in done.output
