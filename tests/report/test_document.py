"""The HTML page as text: complete, escaped, self-contained, small."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from mrsjax import report
from mrsjax.core import Status
from mrsjax.report.methods import UNKNOWN, mrsinmrs, paragraph
from mrsjax.report.verdict import fqn_band, judge, snr_band, summary

from .conftest import make_analysis


class Page(HTMLParser):
    """Elements, links and ids of a page; fails on nothing, so the assertions speak."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.ids, self.words, self._script = [], [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._script = tag in ("script", "style")
        for key, value in attrs:
            if key in ("src", "href"):
                self.links.append(value)
            if key == "id":
                self.ids.append(value)

    def handle_endtag(self, tag):
        self._script = False

    def handle_data(self, data):
        if not self._script:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def page_of(analysis, run, files=None):
    return report.render(analysis, run, files or {"results.csv": "a,b\n"})


@pytest.mark.parametrize("kind", ["single", "series", "grid"])
def test_page_is_complete_and_needs_no_network(kind, analysis_of, run):
    html = page_of(analysis_of(kind), run)
    page = Page(html)
    assert all(link.startswith(("#", "data:")) for link in page.links), page.links
    assert len(page.ids) == len(set(page.ids))
    assert "default-src 'none'" in html
    sections = {
        "verdict",
        "fit",
        "table",
        "qc",
        "assumptions",
        "correlations",
        "basis",
        "provenance",
        "mrsinmrs",
        "downloads",
    }
    assert sections <= set(page.ids)
    assert ("maps" in page.ids) == (kind == "grid") and ("course" in page.ids) == (kind == "series")
    for definition in ("one standard deviation of the noise", "Full width at half maximum", "variance of the residual"):
        assert definition in page.text
    for link in page.links:
        assert not link.startswith("#") or link[1:] in page.ids


def test_table_of_the_first_spectrum_is_there_without_javascript(analysis_of, run):
    analysis = analysis_of("single")
    text = Page(page_of(analysis, run)).text
    assert "mmol/kg tissue water" in text and "Strongest correlation" in text
    for name in analysis.quantities.names:
        assert name in text
    assert "Wansapura 1999" in text and "Ernst 1993" in text and "1460 / 1240" in text


def test_strings_of_files_cannot_become_markup(run):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    analysis = make_analysis(title_in_header=evil)
    run["title"] = evil
    run["files"][0] = {"path": evil, "role": "data", "sha256": "0"}
    html = page_of(analysis, run, {evil: evil})
    assert html.count("<script>alert(1)") == 0 and "<img src=x" not in html
    assert html.count("<script") == 3  # payload, plotly, ours


def test_size_of_a_thousand_voxels(run):
    """A hundred of them, with as many components and files as a fit of the default model: a tenth of what may grow.

    Where a real fit of a thousand voxels gave 17.9 MB (docs/report.md) these give 11.5, so 12.5 here is 20 there.
    """
    analysis = make_analysis((10, 10, 1), ("x", "y", "z"), noise=120.0, copies=3)
    assert len(analysis.curves.names) == 36
    tables = {"results": report.results_rows, "parameters": report.parameters_rows, "qc": report.qc_rows}
    files = {f"{k}.csv": report.to_csv(rows(analysis)) for k, rows in tables.items()}
    files["results.json"] = report.to_json(analysis, run)
    fixed = len(page_of(make_analysis(), run).encode())
    assert fixed + 10 * (len(page_of(analysis, run, files).encode()) - fixed) < 12.5e6


def test_verdict_counts_failures_and_judges_medians(analysis_of):
    analysis = analysis_of("grid")
    judgements = judge(analysis)
    text = summary(analysis, judgements)
    assert "975 of 1000 fits converged; 25 stopped at the largest number of iterations." in text
    assert sum(judgements[0].counts.values()) == 1000
    single = analysis_of("single")
    assert summary(single, judge(single)).endswith("The fit converged.")


@pytest.mark.parametrize(
    "band, value, word",
    [
        (snr_band, 20, "good"),
        (snr_band, 19.9, "fair"),
        (snr_band, 9.9, "poor"),
        (snr_band, np.nan, "poor"),
        (fqn_band, 1, "good"),
        (fqn_band, 2.1, "fair"),
        (fqn_band, 5.1, "poor"),
        (fqn_band, 0.1, "poor"),
        (fqn_band, np.nan, "poor"),
    ],
)
def test_bands(band, value, word):
    assert band(value).value == word


def test_failed_single_fit_says_so(run):
    analysis = make_analysis(failures=1)
    assert "do not use the numbers" in summary(analysis, judge(analysis)) and analysis.status == [Status.MAX_ITERATIONS]
    assert "do not use the numbers" in Page(page_of(analysis, run)).text
    by_network = dataclasses.replace(analysis, method="a network (mlp), exact amplitudes at its estimate")
    said = summary(by_network, judge(by_network))
    assert said.endswith("the numbers are those of a network (mlp), exact amplitudes at its estimate.")


def test_methods_state_what_is_known_and_mark_what_is_not(analysis_of, run):
    analysis = analysis_of("single")
    items = {i.name: i.value for i in mrsinmrs(analysis, run)}
    assert (
        items["Echo time"] == "30 ms"
        and items["Repetition time"] == UNKNOWN
        and items["Field strength"].startswith("2.89 T")
    )
    assert {i.section for i in mrsinmrs(analysis, run)} == {"Hardware", "Acquisition", "Data analysis", "Data quality"}
    text = paragraph(analysis, run)
    assert "TE 30 ms, TR [TR]" in text and "Gasparovic 2006" in text
    assert "Gasparovic" not in paragraph(analysis_of("series"), run)


def test_rendering_survives_numbers_that_do_not_exist(run):
    analysis = make_analysis((3,), ("DIM_DYN",), water=False)
    nothing = np.full(3, np.nan)
    quality = dataclasses.replace(
        analysis.quality, snr_spec=nothing, fwhm_ppm=nothing, fwhm_hz=nothing, fqn=nothing, noise_sd=nothing
    )
    amounts = np.full_like(analysis.quantities.raw_amplitude, np.nan)
    quantities = dataclasses.replace(analysis.quantities, raw_amplitude=amounts, crlb=amounts, ratio_tcr=amounts)
    analysis = dataclasses.replace(analysis, quality=quality, quantities=quantities)
    assert "not measurable" in Page(page_of(analysis, run)).text
    assert not re.search(r"\b(NaN|nan)\b", Page(page_of(analysis, run)).text)
