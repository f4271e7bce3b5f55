"""What the methods paragraph and the MRSinMRS table say of the model is what was fitted."""

import dataclasses

import pytest

from mrsjax.cli.settings import FitSettings
from mrsjax.physics import default_model
from mrsjax.report.methods import deviations, mrsinmrs, paragraph
from mrsjax.report.model_words import terms

START = ["10 metabolite basis spectra", "a correction of the CH2 singlet of creatine"]
OWN, TAILS, SPLINE = "parametric macromolecules", "tails of the residual water", "a penalised spline baseline"
SAID = (
    ({}, [*START, OWN, SPLINE, TAILS]),
    ({"baseline": None, "creatine_ch2": 0}, [START[0], OWN, TAILS]),
    ({"baseline": "off", "water_tails": 0, "macromolecules": "off"}, START),
    ({"baseline": "poly2"}, [*START, OWN, "a polynomial baseline of order 2", TAILS]),
    ({"baseline": "poly0", "water_tails": 0}, [*START, OWN, "a polynomial baseline of order 0"]),
    ({"baseline": 4.0, "water_tails": 0, "lipids": True}, [*START, OWN, "lipid lines", SPLINE]),
    ({"macromolecules": "basis"}, [*START, "the basis' MM09, Lip13", SPLINE, TAILS]),
)


@pytest.mark.parametrize("options, said", SAID, ids=lambda v: str(v)[:30])
def test_terms_are_read_off_the_model(options, said, analysis_of):
    analysis = analysis_of("single")
    assert terms(default_model(analysis.basis, analysis.fids.sampling, **options), analysis.basis) == said


def test_paragraph_and_table_name_them(analysis_of, run):
    analysis = analysis_of("single")
    options = {"baseline": None, "water_tails": 0, "macromolecules": "off"}
    model = default_model(analysis.basis, analysis.fids.sampling, **options)
    run["options"] = FitSettings(omit=("Ala",), model=options, mask="/a/b/m.nii", conjugate=True).as_options()
    analysis = dataclasses.replace(analysis, model=model)
    items = {i.name: i.value for i in mrsinmrs(analysis, run)}
    assert items["Model"].startswith(f"linear combination of {START[0]} and {START[1]}; ")
    assert "spline" not in paragraph(analysis, run) and "macromolec" not in paragraph(analysis, run)
    wanted = "mask = m.nii, conjugate = True, omit = ['Ala'], baseline = off, water_tails = 0, macromolecules = off"
    assert items["Deviations from defaults"] == wanted


def test_nothing_given_is_no_deviation():
    assert deviations(FitSettings(data="a", basis="b", out="c", water="d").as_options()) == "none"
    assert deviations({}) == "none" and deviations(FitSettings(peak="tCr").as_options()) == "peak = tCr"
