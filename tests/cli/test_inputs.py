"""What the files of a fit say of one another: water timing, basis against data, geometry of maps, names in the settings."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from mrsjax import io
from mrsjax.cli import inputs
from mrsjax.cli.settings import resolve
from mrsjax.core import Acquisition, FIDs


def molal(folder):
    with open(folder / "results.csv", newline="") as stream:
        return {r["metabolite"]: float(r["water_scaled_molal"]) for r in csv.DictReader(stream)}


def test_water_speaks_for_itself_or_the_report_says_whose_times_it_has(scans, command, quick, tmp_path):
    """Half grey, half white matter at 3 T: concentrations go with the signal that TE and TR of the water leave."""
    water = io.read(scans["water"])
    for name, tr in (("silent", None), ("own", 10.0)):
        about = Acquisition(echo_time=0.03, repetition_time=tr)
        io.write(FIDs(water.data, water.sampling, (), about), tmp_path / f"{name}.nii.gz")
    found = {}
    base = ["fit", scans["svs"], "--basis", scans["basis"]]
    config = tmp_path / "c.yaml"
    for name, file, options in (("silent", "silent", {}), ("own", "own", {}), ("given", "silent", {"water_tr_s": 10})):
        config.write_text(yaml.safe_dump(yaml.safe_load(Path(scans["config"]).read_text()) | options))
        out = tmp_path / name
        code, _, stderr = command(*base, "--water", tmp_path / f"{file}.nii.gz", "--config", config, "-o", out)
        constants = {c["name"]: c for c in json.loads((out / "results.json").read_text())["constants"]}
        row = constants["repetition time, water"]
        found[name] = (molal(out)["tCr"], row["value"], row["source"])
        assert code == 0 and ("does not say its TR: taken from the metabolite scan" in stderr) == (name == "silent")
    assert found["silent"][1:] == (2000.0, "taken from the metabolite scan")
    assert found["own"][1:] == (10000.0, "acquisition") and found["given"] == found["own"]
    matter = ((0.78, 1.331, 0.110), (0.65, 0.832, 0.0792))  # water content, T1, T2 of Wansapura 1999
    left = [sum(d * np.exp(-0.03 / t2) * (1 - np.exp(-tr / t1)) for d, t1, t2 in matter) for tr in (10, 2)]
    assert found["own"][0] / found["silent"][0] == pytest.approx(left[0] / left[1], rel=1e-6)


def test_a_basis_that_does_not_fit_the_data_is_noted(scans, command, quick, tmp_path):
    """TE 68 ms with the basis of TE 30 ms; a basis without NAA. What the user omits himself is not held against the basis."""
    sound = io.read(scans["svs"])
    io.write(FIDs(sound.data, sound.sampling, (), Acquisition(echo_time=0.068)), tmp_path / "late.nii.gz")
    basis = io.read_basis(scans["basis"])
    io.write_basis(basis.select([n for n in basis.names if n != "NAA"]), tmp_path / "few.basis")
    echo, missing = "The data have TE 68 ms, the basis 30 ms; simulate a basis for this echo time.", "has no NAA,"
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(Path(scans["config"]).read_text()) | {"omit": ["NAA"]}))
    for data, given, settings, said, quiet in (
        (tmp_path / "late.nii.gz", scans["basis"], scans["config"], echo, missing),
        (scans["svs"], tmp_path / "few.basis", scans["config"], missing, echo),
        (scans["svs"], scans["basis"], config, "The basis has no NAAG", missing),
    ):
        out = tmp_path / f"o{said[-9]}"
        code, _, stderr = command("fit", data, "--basis", given, "--config", settings, "-o", out)
        assert code == 0 and said in stderr and said in (out / "report.html").read_text() and quiet not in stderr


def test_a_name_that_is_nowhere_is_said(scans, command, tmp_path):
    """Before a fit: an unknown peak or ratio is refused, an omitted name that is in no basis entry noted; aliases are known."""
    config, plain = tmp_path / "c.yaml", yaml.safe_load(Path(scans["config"]).read_text())

    def said(**options):
        config.write_text(yaml.safe_dump(plain | options))
        settings = resolve({"data": scans["svs"], "basis": scans["basis"], "out": "o"}, str(config))
        return inputs.load(settings)

    assert any(
        "omit: Alaa not among the entries of the basis (NAA," in n for n in said(omit=["Alaa", "Creatine"]).notes
    )
    loaded = said(omit=["Glutamate"])
    assert loaded.basis.names == ("NAA", "Cr", "GPC") and not any("omit" in n for n in loaded.notes)
    with pytest.raises(ValueError, match=r"peak: wanted one of tNAA, .*, found tNA$"):
        said(peak="tNA")
    basis = ("fit", scans["svs"], "--basis", scans["basis"], "--config", config, "-o", tmp_path / "o")
    said(model=plain["model"] | {"ratios": {"mI": 0.8}})
    code, _, stderr = command(*basis)
    assert code == 2 and "ratios: mI not among the components NAA, Cr, GPC, Glu" in stderr
