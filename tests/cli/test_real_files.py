"""The whole command on a measured brain spectrum with its water (Big GABA, Philips 3 T, PRESS TE 35)."""

import csv

import pytest


@pytest.mark.slow
def test_measured_spectrum_has_concentrations_of_a_brain(shared_data, command, tmp_path):
    subject = shared_data / "svs_3t_philips_press35_12subjects" / "S01"
    basis = next((shared_data / "basis_3t_philips_press35").glob("*.BASIS"))
    code, stdout, stderr = command(
        "fit",
        subject / "S01_PRESS_35_act.SDAT",
        "--basis",
        basis,
        "--water",
        subject / "S01_PRESS_35_ref.SDAT",
        "--tissue",
        "gm=0.6,wm=0.3,csf=0.1",
        "-o",
        tmp_path / "out",
    )
    assert code == 0 and "The fit converged." in stdout and "which no brain has" not in stderr
    with open(tmp_path / "out" / "results.csv", newline="") as stream:
        rows = {r["metabolite"]: r for r in csv.DictReader(stream)}
    # Healthy adults, Gudmundson 2023: tNAA/tCr 1.2 to 1.9, tCho/tCr 0.13 to 0.3; tCr 6 to 15 mmol/kg.
    assert 1.2 < float(rows["tNAA"]["ratio_tcr"]) < 1.9 and 0.13 < float(rows["tCho"]["ratio_tcr"]) < 0.3
    assert 6 < float(rows["tCr"]["water_scaled_molal"]) < 18 and float(rows["tNAA"]["crlb_percent"]) < 10
    with open(tmp_path / "out" / "qc.csv", newline="") as stream:
        qc = next(csv.DictReader(stream))
    assert float(qc["snr_spec"]) == pytest.approx(224, rel=0.1) and float(qc["fwhm_ppm"]) < 0.06
