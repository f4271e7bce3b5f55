"""Data sets read back with the model that they were drawn from."""

import json
import logging

import equinox as eqx
import jax
import numpy as np
import pytest

from mrsjax.core import Sampling
from mrsjax.data import default_basis
from mrsjax.io import write_basis
from simulators.datasets import recipe, store
from simulators.datasets.stored import stored

SMALL = """
name: small
summary: two metabolites and noise
sampling: {points: 128, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: bases/two.basis
amplitudes: {table: shamaei2023}
parameters: {metabolites: {shift_hz: {uniform: [-4, 4]}}}
snr: {uniform: [10, 50]}
"""

whole = default_basis()
scaled = eqx.tree_at(lambda b: b.fids, whole, whole.fids * 1.01)


@pytest.fixture
def written(tmp_path):
    """A recipe's file with its basis in a folder beside it, and a function that writes its data set."""
    (tmp_path / "bases").mkdir()
    write_basis(default_basis().select(("NAA", "Cr")), tmp_path / "bases" / "two.basis")
    (tmp_path / "small.yaml").write_text(SMALL)
    return lambda **given: store.write(recipe(tmp_path / "small.yaml", **given), 3, tmp_path / "set", seed=1)


def test_a_set_keeps_the_basis_that_its_recipe_names(written, tmp_path):
    folder = written()
    (tmp_path / "bases").rename(tmp_path / "gone")
    made, spectra = stored(folder.rename(tmp_path / "moved"))
    assert spectra.model.names == ("NAA", "Cr")
    np.testing.assert_allclose(made.spectra.sample(jax.random.fold_in(jax.random.key(1), 2)).data, spectra.fids[2], atol=1e-3 * np.abs(spectra.fids[2]).max())  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"basis": default_basis().select(("NAA", "Cr"))}, "two.basis: file: found nothing there, wanted a file or folder; check the path; give stored("),
        ({"basis": default_basis().select(("NAA", "Glu"))}, "amplitudes: wanted ['NAA', 'Glu'], its recipe makes ['Ala',"),
        ({"basis": scaled}, "written with another basis"),
        ({"sampling": Sampling(1 / 1200, 123.25e6, 256)}, "points: wanted 256, its recipe makes 128; give stored(folder, basis=..., sampling=...)"),
        ({"sampling": Sampling(1 / 1500, 123.25e6, 128)}, "dwell_time_s: wanted 0.00066"),
    ],
)  # fmt: skip
def test_another_basis_or_sampling_is_no_silent_other_model(written, tmp_path, given, message):
    if "basis" in given and "two.basis" not in message:
        (tmp_path / "small.yaml").write_text(SMALL.replace("bases/two.basis", "default"))
    folder = written(**given)
    with pytest.raises(ValueError) as error:
        stored(folder)
    assert message in str(error.value) and str(folder) in str(error.value)
    _, spectra = stored(folder, **given)
    assert spectra.fids.shape == (3, spectra.model.sampling.n_points)


def test_constants_of_another_version_are_only_said(written, caplog):
    folder = written()
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"jax": "0.0.1", "basis and constants": "other"}))
    with caplog.at_level(logging.WARNING):
        stored(folder)
    assert "jax 0.0.1" in caplog.text and "constants differ" in caplog.text
