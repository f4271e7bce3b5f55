"""results.json against its schema, maps and curves as images, the index of a batch."""

import copy
import json
import math
from importlib import resources

import jax.numpy as jnp
import jsonschema
import numpy as np
import pytest

from mrsjax import report
from mrsjax.analysis.volumes import maps, on_grid
from mrsjax.core import FIDs
from mrsjax.report import tables
from mrsjax.report.index import outliers, render_index, summary_csv, summary_row, summary_rows


@pytest.fixture(scope="module")
def schema():
    version = tables.SCHEMA.rsplit("/", 1)[1]
    text = (resources.files("mrsjax.report") / "schemas" / f"results-{version}.json").read_text(encoding="utf-8")
    return json.loads(text)


@pytest.mark.parametrize("kind", ["single", "series", "grid"])
def test_results_json_keeps_its_schema(kind, analysis_of, run, schema):
    analysis = analysis_of(kind)
    document = json.loads(report.to_json(analysis, run))
    rows = report.parameters_rows(analysis)
    assert list(document["parameters"]) == list(dict.fromkeys(r["parameter"].split("[")[0] for r in rows))
    for row in (r for r in rows if "[" not in r["parameter"]):
        one = document["parameters"][row["parameter"]]
        i = [s["spectrum"] for s in document["spectra"]].index(row["spectrum"])
        assert (one["value"][i], one["sd"][i], one["unit"]) == (row["value"], row["sd"], row["unit"])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    document["qc"][0]["network_distance"] = 1.5
    jsonschema.validate(document, schema)
    assert document["schema"] == schema["$id"] == schema["properties"]["schema"]["const"]
    for change in (
        lambda d: d.pop("names"),
        lambda d: d["quantities"].pop("crlb"),
        lambda d: d["qc"][0].update(status="fine"),
        lambda d: d.update(extra=1),
        lambda d: d.update(schema="mrsjax-results/2.0"),
    ):
        broken = copy.deepcopy(document)
        change(broken)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


def test_maps_lie_on_the_grid_of_the_data(analysis_of):
    analysis = analysis_of("grid")
    found = dict(maps(analysis))
    j = analysis.quantities.names.index("tNAA")
    assert {"raw_amplitude/tNAA", "water_scaled_molal/Ins", "crlb_percent/Glu", "qc/fwhm_ppm", "qc/status"} <= set(
        found
    )
    x, y, z = 2, 7, 5
    expected = analysis.quantities.raw_amplitude[x * 100 + y * 10 + z, j]
    assert found["raw_amplitude/tNAA"][x, y, z] == pytest.approx(float(expected))
    assert (found["qc/status"] == 1).sum() == 25


def test_space_comes_first_and_unfitted_is_nan(analysis_of):
    import dataclasses

    one = analysis_of("series")
    fids = FIDs(np.zeros((6, 4, 8), complex), dataclasses.replace(one.fids.sampling, n_points=8), ("DIM_DYN", "x"))
    picked = dataclasses.replace(one, fids=fids, index=np.array([0, 5, 23]))
    volume = on_grid(picked, jnp.array([1.0, 2.0, 3.0]))
    assert volume.shape == (4, 1, 1, 6) and np.isfinite(volume).sum() == 3
    assert (volume[0, 0, 0, 0], volume[1, 0, 0, 1], volume[3, 0, 0, 5]) == (1.0, 2.0, 3.0)


def _outcome(name, analysis, run, **change):
    document = json.loads(report.to_json(analysis, run))
    for q in document["qc"]:
        q.update(change)
    return {"name": name, "status": "fitted", "link": f"{name}/report.html", "document": document}


def test_index_flags_what_is_far_and_lists_what_failed(analysis_of, run):
    outcomes = [_outcome(f"s{k}", analysis_of("single"), run, fwhm_ppm=0.04 + 0.001 * k) for k in range(6)]
    outcomes.append(_outcome("wide", analysis_of("single"), run, fwhm_ppm=0.2))
    outcomes.append({"name": "<b>bad</b>", "status": "failed", "message": "x.SDAT: <script>alert(1)</script>"})
    rows = summary_rows(map(summary_row, outcomes))
    assert summary_rows(rows) == rows  # a batch renews them after each file
    assert [r["name"] for r in rows if r["outliers"]] == ["wide"] and rows[6]["outliers"] == ["fwhm_ppm"]
    page = render_index(rows, "study")
    assert "&lt;b&gt;bad&lt;/b&gt;" in page and "<script>alert" not in page and 'href="s0/report.html"' in page
    assert page.count('class="far"') == 1 and "1 failed" in page and "http" not in page.replace("http-equiv", "")
    lines = summary_csv(rows).splitlines()
    assert len(lines) == 9 and lines[0].startswith("name,status,link,message,outliers,spectra,converged,snr,fwhm_ppm")
    assert lines[7].split(",")[4] == "fwhm_ppm"


def test_outliers_need_company():
    assert not outliers(np.array([1.0, 2.0, 1e9, math.nan])).any()
    assert outliers(np.array([1.0, 1.1, 0.9, 1.0, 1.05, 9.0, math.nan])).tolist() == [False] * 5 + [True, False]


def test_a_number_that_most_spectra_lack_is_not_good(analysis_of):
    import dataclasses

    from mrsjax.report.verdict import judge

    analysis = analysis_of("series")
    assert judge(analysis)[1].band.value == "good"
    width = np.array(analysis.quality.fwhm_ppm)
    width[: 3 * len(width) // 4] = np.nan
    doubtful = dataclasses.replace(analysis, quality=dataclasses.replace(analysis.quality, fwhm_ppm=width))
    assert judge(doubtful)[1].band.value == "poor"
