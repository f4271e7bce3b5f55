"""The report in headless Chromium: it draws, answers clicks and keys, logs no error and asks the network for
nothing.
"""

import dataclasses
import io
import json
import re

import numpy as np
import pytest

from mrsjax import report
from mrsjax.report.document import first_table
from mrsjax.report.index import render_index, summary_row, summary_rows
from tests.report.chromium import PROGRAM, Chromium

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium (Debian package chromium)")

TRACES = "return $('fit-figure').data.map((t) => t.name)"
CELLS = """return [...document.querySelectorAll("#concentrations tbody tr")].map((r) => [...r.children].map((c) => c.textContent))"""
QUALITY = "return $('chosen-quality').textContent"
CHANGE = "$('{}').value = '{}'; $('{}').dispatchEvent(new Event('change'))"
DATA, FIT, BASELINE = (27, 31, 36), (213, 94, 0), (0, 114, 178)  # the colours of report.js


@pytest.fixture(scope="module")
def chromium():
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture
def tab(chromium):
    """The browser; after the test, nothing may have complained or asked the network."""
    yield chromium
    assert chromium.complaints() == []


def page(analysis, run):
    return report.render(analysis, run, files(analysis, run))


def files(analysis, run):
    return {"results.csv": report.to_csv(report.results_rows(analysis)), "results.json": report.to_json(analysis, run)}


def pixels(png):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def share(image, colour):
    """Part of the pixels that have the colour, nearly."""
    return float((np.abs(image - colour).max(axis=-1) < 40).mean())


def batch_index(analysis, run, order=(2, 0, 3, 1)):
    document = json.loads(report.to_json(analysis, run))
    outcomes = []
    for k in order:
        content = json.loads(json.dumps(document))
        for q in content["qc"]:
            q["snr_spec"] = 10.0 * (k + 1)
        outcomes.append({"name": f"s{k}", "status": "fitted", "link": f"s{k}/report.html", "document": content})
    outcomes.insert(1, {"name": "broken", "status": "failed", "message": "x.SDAT: wanted 4096 numbers, found 900"})
    return render_index(summary_rows(map(summary_row, outcomes)), "study")


def test_single_voxel_components_can_be_switched(analysis_of, run, tab):
    analysis = analysis_of("single")
    m = len(analysis.curves.names)
    tab.open(page(analysis, run))
    before = tab.run(TRACES)
    checked = tab.run("return [...$('component-boxes').querySelectorAll('input')].map((b) => b.checked)")
    assert before[:5] == ["±2 SD of the noise", "residual", "data", "fit", "baseline"]
    assert len(checked) == m and len(before) == 5 + sum(checked)
    tab.click("#component-boxes input:checked")
    assert len(tab.run(TRACES)) == len(before) - 1
    tab.click("[data-all=none]")
    assert len(tab.run(TRACES)) == 5
    tab.click("[data-all=all]")
    assert len(tab.run(TRACES)) == 5 + m and tab.run("return $('basis-figure').data.length") == m
    fit = tab.run("return Array.from($('fit-figure').data.find((t) => t.name === 'fit').y)")
    assert fit == pytest.approx(analysis.curves.fit[0], abs=1e-4 * float(abs(analysis.curves.fit[0]).max()))
    # What the script writes into the table is what the server wrote.
    cells = tab.run(CELLS)
    assert [row[0].split()[0] for row in cells] == list(analysis.quantities.names)
    for row, expected in zip(cells, first_table(analysis), strict=True):
        assert row[1 : 1 + len(expected["cells"])] == expected["cells"] and row[-1] == expected["partner"]


def test_a_spectrum_without_curves_on_the_page_says_so_and_keeps_its_numbers(analysis_of, run, tab):
    whole = analysis_of("series")
    stack, rows = whole.curves, np.array([0, 10, 23])
    kept = {k: getattr(stack, k)[rows] for k in ("data", "fit", "baseline", "residual", "components")}
    analysis = dataclasses.replace(whole, curves=dataclasses.replace(stack, rows=rows, **kept))
    tab.open(page(analysis, run))
    tab.run(CHANGE.format("chosen", 10, "chosen"))
    fit = tab.run("return Array.from($('fit-figure').data.find((t) => t.name === 'fit').y)")
    assert fit == pytest.approx(stack.fit[10], abs=1e-4 * float(abs(stack.fit[10]).max()))
    tab.run(CHANGE.format("chosen", 11, "chosen"))
    assert tab.run("return $('fit-figure').data.length") == 0
    assert "curves of 3 of 24 spectra" in tab.run("return $('fit-figure').textContent")
    assert tab.run(CELLS)[0][1] != "" and tab.run(QUALITY).startswith("spectrum 11")


def test_a_click_in_a_map_shows_that_voxel(analysis_of, run, tab):
    analysis = analysis_of("grid")
    tab.open(page(analysis, run))
    assert tab.run(QUALITY).startswith(("voxel (5, 5, 5)", "voxel (4"))

    def press(x, y):
        tab.run("$('map').scrollIntoView({behavior: 'instant'})")
        where = f"[a.left + l.xaxis.d2p({x}), a.top + l.yaxis.d2p({y})]"
        area = "const l = $('map')._fullLayout, a = $('map').querySelector('.nsewdrag').getBoundingClientRect()"
        tab.click(tab.run(f"{area}; return {where}"))
        return tab.run(QUALITY)

    def empty():
        return tab.run("return $('map').data[0].z.flat().filter((v) => v === null).length")

    assert press(2, 7).startswith("voxel (2, 7, 5)")
    index = 2 * 100 + 7 * 10 + 5
    j = analysis.quantities.names.index("tNAA")
    molal = analysis.quantities.water_scaled_molal[index, j]
    assert float(tab.run(CELLS)[j][1].split(" ")[0]) == pytest.approx(molal, rel=6e-3)
    # The map follows the last control before it, and its arrow keys are real ones.
    tab.run("$('map-mask').focus()")
    tab.press("Tab")
    assert tab.run("return document.activeElement.id") == "map"
    tab.press("ArrowRight")
    assert tab.run(QUALITY).startswith("voxel (3, 7, 5)")
    tab.press("ArrowDown")
    assert tab.run(QUALITY).startswith("voxel (3, 6, 5)")
    tab.run(CHANGE.format("map-slice", "0|0", "map-slice"))
    assert press(0, 0).startswith("voxel (0, 0, 0): max iterations")  # hidden, and yet reached
    assert empty() > 0
    tab.click("#map-mask")
    assert empty() == 0
    fwhm = tab.run("return [...$('map-quantity').options].findIndex((o) => o.text.startsWith('FWHM'))")
    tab.run(CHANGE.format("map-quantity", fwhm, "map-quantity"))
    assert tab.run("return $('map').data[0].z[3][4]") == pytest.approx(
        analysis.quality.fwhm_ppm[4 * 100 + 3 * 10], rel=1e-5
    )
    assert "25 of 1000 voxels fail; 25 of them did not converge. 0 voxels" in tab.run(
        "return $('map-count').textContent"
    )


def test_a_series_has_a_course(analysis_of, run, tab):
    analysis = analysis_of("series")
    tab.open(page(analysis, run))
    j = analysis.quantities.names.index("tNAA")
    figure = "const [t] = $('course-figure').data; return "
    assert tab.run(figure + "t.y") == pytest.approx(analysis.quantities.ratio_tcr[:, j], rel=1e-5)
    assert tab.run(figure + "t.error_y.array") == pytest.approx(analysis.quantities.ratio_tcr_sd[:, j], rel=1e-5)
    tab.run("$('course-figure').focus()")
    tab.press("ArrowRight")
    assert tab.run(QUALITY).startswith("spectrum 1")
    tab.click("#next")
    assert tab.run(QUALITY).startswith("spectrum 2")
    tab.run(CHANGE.format("chosen", 7, "chosen"))
    assert tab.run(QUALITY).startswith("spectrum 7") and tab.run(figure + "t.marker.size[7]") > 10


@pytest.mark.parametrize("kind", ["single", "grid", "series"])
def test_a_screen_of_1366_pixels_shows_the_figures(kind, analysis_of, run, tab):
    tab.open(page(analysis_of(kind), run))
    assert tab.run("return document.documentElement.scrollWidth") == 1366  # nothing to the right of the window
    top = pixels(tab.screenshot())
    assert top.shape == (900, 1366, 3) and 0.02 < (top < 200).any(axis=-1).mean() < 0.9
    clip = tab.run(
        "const b = $('fit-figure').getBoundingClientRect(); return {x: b.x, y: b.y + scrollY, width: b.width, height: b.height, scale: 1}"
    )
    figure = pixels(tab.screenshot(clip=clip))
    assert figure.shape[0] > 600 and figure.shape[1] > 1000
    assert all(share(figure, colour) > 3e-4 for colour in (DATA, FIT, BASELINE))


def test_downloads_and_copies_are_what_the_page_says(analysis_of, run, tab):
    analysis = analysis_of("single")
    tab.open(page(analysis, run))
    for name, text in files(analysis, run).items():
        tab.click(f"[data-file='{name}']")
        assert tab.download(name) == text
    tab.click("#svg")
    svg = tab.download("fit.svg")
    assert svg.startswith("<svg") and "chemical shift" in svg
    tab.click("[data-copy=paragraph]")
    assert tab.run("return $('paragraph').textContent") == tab.run("return await navigator.clipboard.readText()")
    assert tab.run("return document.querySelector('[data-copy=paragraph]').textContent") == "Copied"
    # A browser that refuses: the text is selected, for the keyboard to copy.
    tab.run(
        "navigator.clipboard.writeText = async () => { throw new Error('refused'); }; $('bibtex').closest('details').open = true"
    )
    tab.click("[data-copy=bibtex]")
    assert tab.run("return getSelection().toString()").strip() == report.methods.BIBTEX.strip()
    assert "Ctrl" in tab.run("return document.querySelector('[data-copy=bibtex]').textContent")


def test_the_index_of_a_batch_is_sorted_from_the_keyboard(analysis_of, run, tab):
    tab.open(batch_index(analysis_of("single"), run))
    names = "return [...document.querySelectorAll('#files tbody th')].map((c) => c.textContent)"
    assert tab.run(names) == ["s2", "broken", "s0", "s3", "s1"]
    tab.press("Tab")
    assert tab.run("return document.activeElement.textContent") == "File"
    tab.press("Enter")
    assert tab.run(names) == ["broken", "s0", "s1", "s2", "s3"]
    tab.press(*["Tab"] * 5)
    assert tab.run("return document.activeElement.textContent") == "SNR"
    tab.press("Enter")
    assert tab.run(names) == ["s0", "s1", "s2", "s3", "broken"]
    assert tab.run("return document.activeElement.parentElement.getAttribute('aria-sort')") == "ascending"
    tab.click("#files th[data-key=snr] button")
    assert tab.run(names) == ["s3", "s2", "s1", "s0", "broken"]  # without a number: always last
    assert tab.run("return document.querySelectorAll('#files a').length") == 4
    assert tab.run(
        "return document.querySelector('.scroll').scrollWidth <= document.querySelector('.scroll').clientWidth"
    )


def test_the_index_prints_across_a_page(analysis_of, run, tab):
    long = "sub-02_ses-baseline_acq-pressoccipital_run-01_svs"
    tab.open(batch_index(analysis_of("single"), run).replace(">s2<", f">{long}<"))
    width, height = map(float, re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", tab.pdf()).groups())
    assert width > height
    # 277 mm between the margins are 1047 CSS pixels; a wider table would be cut.
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.window(1047, 718)
    try:
        assert tab.run("return document.documentElement.scrollWidth") == 1047
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")
        tab.window(1366, 900)
