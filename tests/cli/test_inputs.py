"""What the files of a fit say of one another: water timing, basis against data, geometry of maps, names in the settings."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from mrsjax import io
from mrsjax.analysis import Water, analyse
from mrsjax.cli import inputs
from mrsjax.cli.settings import read_config, resolve
from mrsjax.core import Acquisition, FIDs
from mrsjax.inference.quantification import Timing
from mrsjax.report.methods import deviations
from tests.physics.examples import PLAIN


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


def test_a_repetition_says_what_has_changed_since(scans, command, quick, tmp_path, monkeypatch):
    """run.yaml as it is: no note; a file with other contents under the same path, other versions: a note each; another file on purpose: none."""
    monkeypatch.chdir(tmp_path)
    data, out = "svs.nii.gz", tmp_path / "o"
    shutil.copy(scans["svs"], data)
    assert command("fit", data, "--basis", scans["basis"], "--config", scans["config"], "-o", out)[0] == 0
    record = tmp_path / "run.yaml"
    shutil.copy(out / "run.yaml", record)

    def noted(*options):
        code, _, stderr = command("fit", "--config", record, *options, "-o", tmp_path / "again")
        assert code == 0
        return ["SHA-256 differs" in stderr, "numbers may differ" in stderr]

    assert noted() == [False, False]
    shutil.copy(scans["untimed"], data)
    assert noted() == [True, False]
    assert noted(scans["svs"]) == [False, False]
    run = yaml.safe_load(record.read_text())
    run["versions"]["jax"] = "0.1"
    record.write_text(yaml.safe_dump(run))
    assert noted() == [True, True]
    assert "made with jax 0.1 (now " in (tmp_path / "again" / "report.html").read_text()


def test_off_is_a_choice_of_the_model_and_never_turns_anything_on(tmp_path):
    """YAML 1.1 reads a bare `off` and `no` as false: lipids stay off, of numbers it is 0, of names the name."""
    path = tmp_path / "c.yaml"
    path.write_text(
        "model: {lipids: false, baseline: off, macromolecules: off, own_shift: off, own_width: 1e-1, water_tails: off, creatine_ch2: 'off',"
        " ratios: off, window_ppm: [1, 4]}"
    )
    wanted = {"lipids": False, "baseline": "off", "macromolecules": "off", "own_shift": 0, "own_width": 0.1, "water_tails": 0, "creatine_ch2": 0}  # fmt: skip
    model = read_config(str(path))["model"]
    assert model == wanted | {"ratios": None, "window_ppm": (1, 4)} and model["lipids"] is False
    assert deviations({"model": {"lipids": False, "baseline": "off"}}) == "baseline = off"


def test_tissue_maps_of_a_run_yaml_are_found_from_anywhere(tmp_path, monkeypatch):
    """Also a path with a comma, which a mapping can hold."""
    path = tmp_path / "c.yaml"
    path.write_text("tissue: {gm: 'a,b.npy', wm: 0.3, csf: maps/csf.npy}\ndata: d\nbasis: b\nout: o\nwater: w\n")
    monkeypatch.chdir(tmp_path)
    kept = resolve({}, str(path)).as_options()["tissue"]
    assert kept == {"gm": str(tmp_path / "a,b.npy"), "wm": 0.3, "csf": str(tmp_path / "maps" / "csf.npy")}
    path.write_text(yaml.safe_dump({"tissue": kept}))
    assert read_config(str(path))["tissue"] == kept


def test_partial_voxels_are_scaled_or_left_without_concentrations(scans, tmp_path):
    """Maps resampled onto the grid: sums of 0.1 to 0.9 at the edge; what the mask leaves out is not looked at; NaN in a mask is outside."""
    maps = {k: np.full((3, 2, 2), v) for k, v in (("gm", 0.5), ("wm", 0.3), ("csf", 0.2))}
    for k, m in maps.items():
        m[0, 0] *= 0.7
        m[1, 0] *= 0.1
        m[2, 1, 1] = 70.0  # outside the mask
        np.save(tmp_path / f"{k}.npy", m)
    mask = np.ones((3, 2, 2))
    mask[2, 1, 1] = np.nan
    np.save(tmp_path / "mask.npy", mask)
    given = {"data": scans["mrsi"], "basis": scans["basis"], "out": "o", "water": scans["water"]}
    given["tissue"] = {k: str(tmp_path / f"{k}.npy") for k in maps}
    loaded = inputs.load(resolve(given | {"mask": str(tmp_path / "mask.npy")}, None))
    assert loaded.mask is not None and loaded.mask.sum() == 11 and not loaded.mask[2, 1, 1]
    assert loaded.water is not None and loaded.water.tissue is not None
    fractions = np.asarray(loaded.water.tissue.fractions).reshape(3, 2, 2, 3)
    np.testing.assert_allclose(fractions[0], np.broadcast_to([0.5, 0.3, 0.2], (2, 2, 3)), rtol=1e-12)
    assert np.isnan(fractions[1, 0]).all() and np.isfinite(fractions[1, 1]).all()
    (note,) = (n for n in loaded.notes if "Tissue maps" in n)
    assert "of 11 voxels 2 have" in note and "; 2 have less than 0.5" in note
    with pytest.raises(ValueError, match="found gm=70, wm=70, csf=70"):
        inputs.load(resolve(given, None))


@pytest.mark.parametrize("change, said", [
    ({"shape": (2, 3, 2)}, r"one for each spectrum \(x 3, y 2, z 2\), found x 2, y 3, z 2"),
    ({"dims": ("DIM_COIL", "x", "y")}, "water: wanted combined coils, found a DIM_COIL"),
    ({"moved": 5.0}, "another position or orientation"),
    ({}, None),
])  # fmt: skip
def test_a_water_grid_is_that_of_the_data(change, said, scans, quick):
    """As many FIDs in another order, of coils or elsewhere are refused."""
    data, water, basis = io.read(scans["mrsi"]), io.read(scans["water"]), io.read_basis(scans["basis"])
    affine = np.diag([10.0, 10.0, 10.0, 1.0])
    place = lambda moved: Acquisition(affine=affine + moved * np.eye(4, k=3))  # noqa: E731
    grid = FIDs(data.data, data.sampling, data.dims, place(0.0))
    shape = change.get("shape", (3, 2, 2))
    scale = np.arange(1.0, 13.0).reshape(shape)[..., None]
    given = FIDs(
        scale * np.asarray(water.data), water.sampling, change.get("dims", data.dims), place(change.get("moved", 0.0))
    )
    reference = Water(given, Timing(0.03, 2.0, 0.03, 2.0))
    if said is not None:
        with pytest.raises(ValueError, match=said):
            analyse(grid, basis, water=reference, model_options=PLAIN)
        return
    found = analyse(grid, basis, water=reference, model_options=PLAIN).quantities.water_amplitude
    np.testing.assert_allclose(found / found[0], np.arange(1.0, 13.0), rtol=1e-6)


def test_data_that_lie_off_are_noted(scans, tmp_path):
    fids = io.read(scans["svs"])
    turn = np.exp(2j * np.pi * 60 * np.asarray(fids.sampling.time))
    io.write(FIDs(np.asarray(fids.data) * turn, fids.sampling, fids.dims, fids.acquisition), tmp_path / "off.nii.gz")
    note = [n for n in inputs.load(resolve({"data": str(tmp_path / "off.nii.gz"), "basis": str(scans["basis"]), "out": str(tmp_path)}, None)).notes if "ppm off" in n]  # fmt: skip
    assert len(note) == 1 and note[0].startswith("NAA, creatine and choline lie +0.4") and "give --ppm-ref 4." in note[0]  # fmt: skip
    notes = inputs.load(
        resolve({"data": str(scans["svs"]), "basis": str(scans["basis"]), "out": str(tmp_path)}, None)
    ).notes
    assert not [n for n in notes if "ppm off" in n]
