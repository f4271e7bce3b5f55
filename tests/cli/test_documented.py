"""The documents' shell lines and settings run as they stand, on small files in place of the reader's.

Lines that take minutes, or raw data, are run by the tests of their own verbs: demo, run, basis, simulate, train, predict, shim, preprocess.
"""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from mrsjax import io
from mrsjax.cli.settings import read_config
from mrsjax.cli.training_config import read_training
from simulators.spins.library import load
from tests.cli.test_doctor_commands import _control

ROOT = Path(__file__).parents[2]
RUN = ("check", "fit", "batch", "info")
PAGES = ("README.md", "docs/first-fit.md", "docs/batch.md", "docs/install.md")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_shell_lines_run(page, scans, command, quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study, bids = tmp_path / "STUDY", tmp_path / "BIDS_DIR"
    for name, source in (("s0_act", "svs"), ("s0_ref", "water")):
        study.mkdir(exist_ok=True)
        shutil.copy(scans[source], study / f"{name}.nii.gz")
    place = bids / "sub-01" / "mrs"
    place.mkdir(parents=True)
    shutil.copy(scans["svs"], place / "sub-01_svs.nii.gz")
    io.write(io.read(scans["water"]), place / "sub-01_mrsref.nii.gz")
    (bids / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    files = {"DATA": scans["svs"], "BASIS": scans["basis"], "WATER": scans["water"], "CONTROL": _control(tmp_path)}
    shutil.copy(scans["raw"], tmp_path / Path(scans["raw"]).name)
    shutil.copy(scans["basis"], tmp_path / Path(scans["basis"]).name)
    done = 0
    for line in "".join(blocks(page, "sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["mrsjax"] and words[1] in RUN:
            small = [] if words[1] in ("check", "info") or "--config" in words else ["--config", scans["config"]]
            code, _, err = command(*(files.get(w, w) for w in words[1:]), *small)
            assert code == 0, f"{line}\n{err}"
            done += 1
    assert done


def test_settings_of_the_documents_are_accepted(tmp_path):
    (text,) = blocks("docs/quantification.md", "yaml")
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    assert read_config(str(path))["relaxation"] == yaml.safe_load(text)["relaxation"]
    (text,) = blocks("docs/networks.md", "yaml")
    path.write_text(text)
    assert read_training(str(path))["network"]["predicted"] == yaml.safe_load(text)["network"]["predicted"]


def test_a_documented_spin_system_is_read(tmp_path):
    (text,) = blocks("docs/simulation.md", "json")
    (tmp_path / "mine.json").write_text(text)
    assert list(json.loads(text)["metabolites"]) == [s.name for s in load(tmp_path / "mine.json")]
