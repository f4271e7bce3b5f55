"""The documents' shell lines and settings run as they stand, on small files in place of the reader's.

Lines that take minutes, or raw data, are run by the tests of their own verbs: demo, run, basis, simulate, train, predict, shim, preprocess.
"""

import csv
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
from tests.cli.conftest import AMOUNT
from tests.cli.test_doctor_commands import _control

ROOT = Path(__file__).parents[2]
RUN = (r"(check|fit|batch|info|process|basis (info|convert|plot))\b", r"simulate$")
PAGES = (
    "README.md",
    *(f"docs/{p}.md" for p in ("first-fit", "batch", "install", "processing", "simulation", "artificial-data")),
)


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
    files = {"DATA": scans["svs"], "FILE": scans["series"], "BASIS": scans["basis"], "WATER": scans["water"]}
    files["CONTROL"] = _control(tmp_path)
    for name in ("raw", "basis"):
        shutil.copy(scans[name], tmp_path / Path(scans[name]).name)
    for made in ("press30.BASIS", "press35.basis"):  # what a line before it simulates
        shutil.copy(scans["basis"], tmp_path / made)
    done = 0
    for line in re.split(r"[\n;]", re.sub("#.*", "", "".join(blocks(page, "sh")))):
        words = shlex.split(line)
        if words[:1] == ["mrsjax"] and any(re.match(run, " ".join(words[1:])) for run in RUN):
            small = ["--config", scans["config"]] if words[1] in ("fit", "batch") and "--config" not in words else []
            code, said, err = command(*(files.get(w, w) for w in words[1:]), *small)
            assert code == 0, f"{line}\n{err}"
            if words[1] in ("fit", "run"):
                place = words[words.index("-o") + 1]
                assert f"Report: {place}/report.html" in said, f"{line}\n{said}"
                if "DATA" in words:
                    with open(f"{place}/results.csv", newline="") as stream:
                        amounts = {r["metabolite"]: float(r["raw_amplitude"]) for r in csv.DictReader(stream)}
                    assert amounts["NAA"] == pytest.approx(AMOUNT["NAA"], rel=0.05), line
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
