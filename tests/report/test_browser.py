"""The report in headless Chromium: it draws, answers clicks and keys, logs no error and asks the network for
nothing.
"""

import html
import json
import re
import shutil
import subprocess

import pytest

from mrsjax import report
from mrsjax.report.index import render_index, summary_rows

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian package chromium)")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--window-size=1366,3000",
    "--virtual-time-budget=60000",
    "--disable-features=NetworkTimeServiceQuerying",
)

WAIT = """
<pre id="probe"></pre><script>
(async () => {
  const $ = (id) => document.getElementById(id);
  const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
  const settle = () => sleep(300);
  const key = (id, k) => {
    $(id).dispatchEvent(new KeyboardEvent("keydown", { key: k, bubbles: true, cancelable: true }));
  };
  const change = (id, v) => { $(id).value = v; $(id).dispatchEvent(new Event("change")); };
  const cells = () => {
    const rows = [...document.querySelectorAll("#concentrations tbody tr")];
    return rows.map((r) => [...r.children].map((c) => c.textContent));
  };
  const text = (id) => $(id).textContent;
  const out = {};
  try {
    for (let i = 0; i < 400 && !document.body.dataset.ready; i++) await sleep(50);
    out.ready = !!document.body.dataset.ready;
    ACTIONS
  } catch (e) { out.error = String(e && e.stack || e); }
  out.resources = performance.getEntriesByType("resource").map((r) => r.name);
  out.resources = out.resources.filter((u) => !/^(data|blob):/.test(u));
  out.broken = !$("broken") || $("broken").hidden ? "" : text("broken");
  $("probe").textContent = JSON.stringify(out);
})();
</script></body>"""


def probe(page: str, actions: str, tmp_path) -> dict:
    """Opens the page, runs JavaScript `actions` (which fill `out`) and returns `out`; fails on console errors and
    requests.
    """
    file, log = tmp_path / "page.html", tmp_path / "net.json"
    file.write_text(page.replace("</body>", WAIT.replace("ACTIONS", actions)), encoding="utf-8")
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--log-net-log={log}",
        "--dump-dom",
        file.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "CONSOLE" not in done.stderr, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-2000:]
    # Requests of the page have an origin; those of the browser itself (time, updates) have none.
    lines = [
        line
        for line in log.read_text(errors="replace").splitlines()
        if '"initiator":' in line and "not an origin" not in line
    ]
    requested = set(re.findall(r'"url":"((?:https?|wss?|ftp)://[^"]*)"', "\n".join(lines)))
    assert not requested, requested
    out = json.loads(html.unescape(found[1]))
    assert out["ready"] and not out.get("error") and not out["broken"] and not out["resources"], out
    return out


def page(analysis, run):
    return report.render(analysis, run, {"results.csv": report.to_csv(report.results_rows(analysis))})


def test_single_voxel_components_can_be_switched(analysis_of, run, tmp_path):
    out = probe(
        page(analysis_of("single"), run),
        """
        const boxes = [...document.querySelectorAll("#component-boxes input")];
        const traces = () => document.getElementById("fit-figure").data.map((t) => t.name);
        out.boxes = boxes.length; out.before = traces(); out.checked = boxes.filter((b) => b.checked).length;
        boxes.find((b) => b.checked).click(); await settle(); out.after = traces();
        document.querySelector("[data-all=none]").click(); await settle(); out.none = traces();
        document.querySelector("[data-all=all]").click(); await settle(); out.all = traces();
        out.cells = cells();
        out.basis = document.getElementById("basis-figure").data.length;
        out.fit = Array.from(document.getElementById("fit-figure").data.find((t) => t.name === "fit").y);
        """,
        tmp_path,
    )
    analysis = analysis_of("single")
    m = len(analysis.curves.names)
    assert out["before"][:5] == ["±2 SD of the noise", "residual", "data", "fit", "baseline"]
    assert (
        out["boxes"] == m and len(out["before"]) == 5 + out["checked"] and len(out["after"]) == len(out["before"]) - 1
    )
    assert len(out["none"]) == 5 and len(out["all"]) == 5 + m and out["basis"] == m
    assert out["fit"] == pytest.approx(analysis.curves.fit[0], abs=1e-4 * float(abs(analysis.curves.fit[0]).max()))
    # What the script writes into the table is what the server wrote.
    assert [row[0].split()[0] for row in out["cells"]] == list(analysis.quantities.names)
    from mrsjax.report.document import first_table

    for row, expected in zip(out["cells"], first_table(analysis), strict=True):
        assert row[1 : 1 + len(expected["cells"])] == expected["cells"] and row[-1] == expected["partner"]


def test_a_click_in_a_map_shows_that_voxel(analysis_of, run, tmp_path):
    analysis = analysis_of("grid")
    out = probe(
        page(analysis, run),
        """
        out.start = text("chosen-quality");
        const map = document.getElementById("map");
        const press = (x, y) => {
          const box = map.querySelector(".nsewdrag").getBoundingClientRect(), layout = map._fullLayout;
          const at = { clientX: box.left + layout.xaxis.d2p(x), clientY: box.top + layout.yaxis.d2p(y), bubbles: true };
          const target = document.elementFromPoint(at.clientX, at.clientY);
          out.target = target && target.getAttribute("class");
          for (const kind of ["mousemove", "mousedown", "mouseup", "click"]) target.dispatchEvent(new MouseEvent(kind,
          at));
        };
        map.scrollIntoView();
        press(2, 7); await settle(); out.clicked = text("chosen-quality"); out.cells = cells();
        key("map", "ArrowRight"); await settle(); out.right = text("chosen-quality");
        key("map", "ArrowDown"); await settle(); out.down = text("chosen-quality");
        change("map-slice", "0|0"); press(0, 0); await settle(); out.hidden = text("chosen-quality");
        out.empty = map.data[0].z.flat().filter((v) => v === null).length;
        document.getElementById("map-mask").click(); await settle();
        out.unmasked = map.data[0].z.flat().filter((v) => v === null).length;
        change("map-quantity", String([...document.getElementById("map-quantity").options].findIndex((o) =>
        o.text.startsWith("FWHM")))); await settle(); out.fwhm = map.data[0].z[3][4]; out.count = text("map-count");
        """,
        tmp_path,
    )
    assert out["start"].startswith("voxel (5, 5, 5)") or out["start"].startswith("voxel (4")
    assert out["clicked"].startswith("voxel (2, 7, 5)"), out
    assert out["right"].startswith("voxel (3, 7, 5)") and out["down"].startswith("voxel (3, 6, 5)")
    assert out["hidden"].startswith("voxel (0, 0, 0): max iterations")
    index = 2 * 100 + 7 * 10 + 5
    j = analysis.quantities.names.index("tNAA")
    molal = analysis.quantities.water_scaled_molal[index, j]
    assert float(out["cells"][j][1].split(" ")[0]) == pytest.approx(molal, rel=6e-3)
    assert out["fwhm"] == pytest.approx(analysis.quality.fwhm_ppm[4 * 100 + 3 * 10], rel=1e-5)
    assert "25 of 1000 voxels fail; 25 of them did not converge. 0 voxels" in out["count"]
    assert out["empty"] > 0 and out["unmasked"] == 0


def test_a_series_has_a_course(analysis_of, run, tmp_path):
    analysis = analysis_of("series")
    out = probe(
        page(analysis, run),
        """
        const figure = document.getElementById("course-figure");
        out.y = figure.data[0].y; out.bars = figure.data[0].error_y.array;
        key("course-figure", "ArrowRight"); await settle(); out.next = text("chosen-quality");
        document.getElementById("next").click(); await settle(); out.second = text("chosen-quality");
        change("chosen", "7"); await settle(); out.seventh = text("chosen-quality"); out.size =
        figure.data[0].marker.size[7];
        """,
        tmp_path,
    )
    j = analysis.quantities.names.index("tNAA")
    assert out["y"] == pytest.approx(analysis.quantities.ratio_tcr[:, j], rel=1e-5)
    assert out["bars"] == pytest.approx(analysis.quantities.ratio_tcr_sd[:, j], rel=1e-5)
    assert (
        out["next"].startswith("spectrum 1")
        and out["second"].startswith("spectrum 2")
        and out["seventh"].startswith("spectrum 7")
    )
    assert out["size"] > 10


def test_the_index_of_a_batch_sorts_and_its_headings_take_the_focus(analysis_of, run, tmp_path):
    document = json.loads(report.to_json(analysis_of("single"), run))
    outcomes = []
    for k in (2, 0, 3, 1):
        content = json.loads(json.dumps(document))
        for q in content["qc"]:
            q["snr_spec"] = 10.0 * (k + 1)
        outcomes.append({"name": f"s{k}", "status": "fitted", "link": f"s{k}/report.html", "document": content})
    outcomes.insert(1, {"name": "broken", "status": "failed", "message": "x.SDAT: wanted 4096 numbers, found 900"})
    out = probe(
        render_index(summary_rows(outcomes), "study"),
        """
        const names = () => [...document.querySelectorAll("#files tbody th")].map((c) => c.textContent);
        const head = document.querySelector("#files th[data-key=snr]"), button = head.querySelector("button");
        out.start = names();
        button.click(); out.up = names(); out.sort = head.getAttribute("aria-sort");
        button.click(); out.down = names();
        const first = document.querySelector("#files thead button");
        first.focus(); out.focused = document.activeElement === first;
        first.click(); out.byname = names(); out.links = [...document.querySelectorAll("#files a")].length;
        out.wide = document.documentElement.scrollWidth <= window.innerWidth;
        """,
        tmp_path,
    )
    assert out["start"] == ["s2", "broken", "s0", "s3", "s1"]
    assert out["up"] == ["s0", "s1", "s2", "s3", "broken"] and out["sort"] == "ascending"
    assert out["down"] == ["s3", "s2", "s1", "s0", "broken"]  # without a number: always last
    assert out["byname"] == ["broken", "s0", "s1", "s2", "s3"] and out["links"] == 4
    assert out["focused"] and out["wide"]
