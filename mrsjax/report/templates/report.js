"use strict";
(async function () {
  const D = JSON.parse(document.getElementById("payload").textContent);
  const $ = (id) => document.getElementById(id);
  const n = D.index.length;

  function broken(message) { const p = $("broken"); p.hidden = false; p.textContent = message; }
  if (typeof DecompressionStream === "undefined") {
    broken("This browser is too old to unpack the figures (it lacks DecompressionStream); the tables are those of the first spectrum.");
    return;
  }

  // ---- unpacking: the counterpart of report/packing.py
  async function inflate(text) {
    const raw = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }
  async function unpack(p) {
    const buffer = await inflate(p.bytes);
    if (p.kind === "text") return new TextDecoder().decode(buffer);
    if (p.kind === "float") return { shape: p.shape, values: new Float32Array(buffer) };
    const steps = p.kind === "int8" ? new Int8Array(buffer) : new Int16Array(buffer);
    const k = p.shape[p.shape.length - 1];
    // Differences modulo the word: typed arrays wrap in the same way.
    for (let start = 0; start < steps.length; start += k) for (let i = 1; i < k; i++) steps[start + i] += steps[start + i - 1];
    return { shape: p.shape, steps, scale: (await unpack(p.scale)).values, k };
  }
  function curve(packed, row) {
    const out = new Float32Array(packed.k), s = packed.scale[row], at = row * packed.k;
    for (let i = 0; i < packed.k; i++) out[i] = packed.steps[at + i] * s;
    return out;
  }
  async function unpackAll(group) {
    const out = {};
    for (const [key, value] of Object.entries(group)) out[key] = (await unpack(value)).values;
    return out;
  }
  const [values, sd, quality] = await Promise.all([unpackAll(D.values), unpackAll(D.sd), unpackAll(D.quality)]);
  const percent = (await unpack(D.percent)).values, partnerR = (await unpack(D.partnerR)).values;
  const partner = Array.isArray(D.partner) ? Int16Array.from(D.partner.flat()) : (await unpack(D.partner)).values;
  const ppm = (await unpack(D.ppm)).values;
  const packed = {};
  for (const key of ["data", "fit", "baseline", "components", "correlation"]) packed[key] = await unpack(D[key]);
  const q = D.quantityNames.length, m = D.names.length;
  // Of very many spectra the page holds the curves of some, evenly spaced.
  const rowOf = new Map(D.rows.map((i, row) => [i, row]));
  const LACKING = "This page holds the curves of " + D.rows.length + " of " + n + " spectra.<br>For those of this one: mrsjax fit with a --mask around it.";

  // ---- looks
  const INK = "#1b1f24", GRID = "#e4e8ec";
  const OKABE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6b5b00", "#000000"];
  const DASH = ["solid", "dash", "dot", "dashdot"];
  const style = (j) => ({ color: OKABE[j % OKABE.length], dash: DASH[Math.floor(j / OKABE.length) % DASH.length], width: 1.8 });
  const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"], plotlyServerURL: "" };
  const LAYOUT = { font: { family: "system-ui, 'Liberation Sans', sans-serif", size: 14, color: INK }, paper_bgcolor: "#fff", plot_bgcolor: "#fff",
    margin: { l: 70, r: 16, t: 36, b: 48 }, hovermode: "closest" };
  const axis = (more) => Object.assign({ gridcolor: GRID, zeroline: false, linecolor: "#8c959f", ticks: "outside" }, more);
  const PPM = { title: { text: "chemical shift (ppm)" }, range: [Math.max(...ppm), Math.min(...ppm)] };
  const show = (x) => (!Number.isFinite(x) ? "–" : x === 0 ? "0" : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3 ? x.toExponential(2)
    : Math.abs(x) >= 1000 ? x.toFixed(0) : String(Number(x.toPrecision(3))));
  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });

  function label(i) {
    if (D.position) return "voxel (" + D.position[i].join(", ") + ")";
    return n === 1 ? "" : "spectrum " + D.index[i];
  }

  // ---- fit figure
  const strongest = [...Array(m).keys()];
  {
    const top = strongest.map((j) => Math.max(...curve(packed.components, j).map(Math.abs)));
    strongest.sort((a, b) => top[b] - top[a]);
  }
  const shown = new Set(strongest.slice(0, 8));
  let chosen = 0;

  function lacking(figure) {
    Plotly.react(figure, [], Object.assign({}, LAYOUT, { xaxis: { visible: false }, yaxis: { visible: false },
      annotations: [{ text: LACKING, x: 0.5, y: 0.5, xref: "paper", yref: "paper", showarrow: false }] }), CONFIG);
    $(figure).setAttribute("aria-label", LACKING.replace("<br>", " "));
  }

  function drawFit() {
    const i = chosen, row = rowOf.get(i);
    if (row === undefined) return lacking("fit-figure");
    const data = curve(packed.data, row), fit = curve(packed.fit, row), base = curve(packed.baseline, row);
    const residual = data.map((d, k) => d - fit[k]), sigma = quality.noise_sd[i];
    const line = (y, name, extra) => Object.assign({ x: ppm, y, name, type: "scatter", mode: "lines", hovertemplate: "%{x:.2f} ppm<extra>" + name + "</extra>" }, extra);
    const ends = [ppm[0], ppm[ppm.length - 1]];
    const traces = [
      { x: [...ends, ...ends.slice().reverse()], y: [2 * sigma, 2 * sigma, -2 * sigma, -2 * sigma], fill: "toself", fillcolor: "rgba(0,114,178,.16)", line: { width: 0 },
        type: "scatter", mode: "lines", name: "±2 SD of the noise", yaxis: "y2", hoverinfo: "skip" },
      line(residual, "residual", { yaxis: "y2", line: { color: INK, width: 1 } }),
      line(data, "data", { line: { color: INK, width: 1.1 } }),
      line(fit, "fit", { line: { color: "#D55E00", width: 2.2 } }),
      line(base, "baseline", { line: { color: "#0072B2", width: 2, dash: "dash" } }),
    ];
    const picked = [...Array(m).keys()].filter((j) => shown.has(j));
    for (const j of picked) traces.push(line(curve(packed.components, row * m + j), D.names[j], { yaxis: "y3", showlegend: false, line: style(j) }));
    const components = picked.length > 0;
    Plotly.react("fit-figure", traces, Object.assign({}, LAYOUT, {
      xaxis: axis(Object.assign({ anchor: components ? "y3" : "y" }, PPM)),
      yaxis2: axis({ domain: [0.86, 1], title: { text: "residual" }, showticklabels: false, zeroline: true, zerolinecolor: GRID }),
      yaxis: axis({ domain: [components ? 0.34 : 0, 0.83], title: { text: "signal (a.u.)" }, showticklabels: false }),
      yaxis3: axis({ domain: [0, 0.31], title: { text: "components" }, showticklabels: false, visible: components, zeroline: true, zerolinecolor: GRID }),
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, margin: { l: 60, r: 16, t: 40, b: 48 },
    }), CONFIG);
    $("fit-figure").setAttribute("aria-label", "Fit of " + (label(i) || "the spectrum") + ": data, fit, baseline, residual");
  }

  function drawBoxes() {
    const box = $("component-boxes");
    D.names.forEach((name, j) => {
      const s = style(j), item = document.createElement("label"), input = Object.assign(document.createElement("input"), { type: "checkbox", checked: shown.has(j) });
      input.addEventListener("change", () => { input.checked ? shown.add(j) : shown.delete(j); drawFit(); });
      const pattern = { solid: "", dash: "6 3", dot: "2 2", dashdot: "6 2 2 2" }[s.dash];
      const key = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      for (const [k, v] of Object.entries({ width: 22, height: 8, "aria-hidden": "true" })) key.setAttribute(k, v);
      const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [k, v] of Object.entries({ x1: 0, y1: 4, x2: 22, y2: 4, stroke: s.color, "stroke-width": 3, "stroke-dasharray": pattern })) stroke.setAttribute(k, v);
      key.append(stroke);
      item.append(input, key, document.createTextNode(name));
      box.append(item);
    });
    for (const button of document.querySelectorAll("[data-all]")) {
      button.addEventListener("click", () => {
        const wanted = { all: [...Array(m).keys()], none: [], major: strongest.slice(0, 8) }[button.dataset.all];
        shown.clear();
        wanted.forEach((j) => shown.add(j));
        box.querySelectorAll("input").forEach((input, j) => { input.checked = shown.has(j); });
        drawFit();
      });
    }
  }

  // ---- tables of the chosen spectrum
  function fillTables() {
    const i = chosen, rows = document.querySelectorAll("#concentrations tbody tr");
    rows.forEach((row, j) => {
      const cells = row.querySelectorAll("td"), at = i * q + j;
      D.columns.forEach((c, k) => { cells[k].textContent = show(values[c.key][at]) + " ± " + show(sd[c.key][at]); });
      cells[D.columns.length].textContent = show(percent[at]);
      cells[D.columns.length + 1].textContent = partner[at] < 0 ? "" : D.names[partner[at]] + " (" + (partnerR[at] >= 0 ? "+" : "") + partnerR[at].toFixed(2) + ")";
    });
    const digits = { snr_spec: 1, snr_2sd: 1, snr_lcm: 1, snr_matched: 1, fwhm_hz: 2, fwhm_ppm: 4, fqn: 2 };
    document.querySelectorAll("[data-qc]").forEach((cell) => {
      const key = cell.dataset.qc;
      cell.textContent = key === "status" ? D.status[i] : key === "noise_sd" ? quality[key][i].toPrecision(4)
        : Number.isFinite(quality[key][i]) ? quality[key][i].toFixed(digits[key]) : "–";
    });
    document.querySelectorAll(".which").forEach((span) => { span.textContent = n > 1 ? "· " + label(i) : ""; });
    $("chosen-quality").textContent = (n > 1 ? label(i) + ": " : "") + D.status[i] + ", SNR " + show(quality.snr_spec[i]) + " (" + D.snrBand[i] + "), FWHM "
      + show(quality.fwhm_ppm[i]) + " ppm, FQN " + show(quality.fqn[i]) + " (" + D.fqnBand[i] + ")";
  }

  function drawCorrelation() {
    const z = [], row = rowOf.get(chosen);
    if (row === undefined) return lacking("correlation-figure");
    for (let j = 0; j < m; j++) z.push(Array.from(curve(packed.correlation, row * m + j)));
    Plotly.react("correlation-figure", [{ type: "heatmap", z, x: D.names, y: D.names, zmin: -1, zmax: 1, colorscale: [[0, "#2166ac"], [0.5, "#f7f7f7"], [1, "#b2182b"]],
      colorbar: { title: { text: "r" }, thickness: 14 }, hovertemplate: "%{y} – %{x}: r = %{z:.2f}<extra></extra>" }],
      Object.assign({}, LAYOUT, { xaxis: { tickangle: -60, dtick: 1, automargin: true }, yaxis: { autorange: "reversed", dtick: 1, automargin: true, scaleanchor: "x", constrain: "domain" } }), CONFIG);
  }

  async function drawBasis() {
    const B = D.basis, x = (await unpack(B.ppm)).values, curves = await unpack(B.curves), count = B.names.length;
    const traces = B.names.map((name, j) => ({ x, y: curve(curves, j).map((v) => v + 1.15 * (count - 1 - j)), type: "scatter", mode: "lines", name,
      line: { color: INK, width: 1 }, showlegend: false, hovertemplate: "%{x:.2f} ppm<extra>" + name + "</extra>" }));
    $("basis-figure").style.height = 60 + 34 * count + "px";
    Plotly.newPlot("basis-figure", traces, Object.assign({}, LAYOUT, { xaxis: axis(PPM),
      yaxis: { tickvals: B.names.map((_, j) => 1.15 * (count - 1 - j)), ticktext: B.names, gridcolor: GRID, zeroline: false, automargin: true } }), CONFIG);
  }

  // ---- choosing a spectrum
  const listeners = [];
  function choose(i) {
    if (!(i >= 0 && i < n)) return;
    chosen = i;
    if ($("chosen")) $("chosen").value = i;
    drawFit(); fillTables(); drawCorrelation();
    listeners.forEach((f) => f(i));
  }
  if ($("chosen")) {
    D.index.forEach((_, i) => $("chosen").append(option(i, label(i) + (D.status[i] === "converged" ? "" : " – " + D.status[i]))));
    $("chosen").addEventListener("change", (e) => choose(Number(e.target.value)));
    $("previous").addEventListener("click", () => choose(chosen - 1));
    $("next").addEventListener("click", () => choose(chosen + 1));
  }

  // ---- quantities that a map or a course can show: [title, values of a name, errors of a name, needs a name]
  const pick = (array) => (j) => Array.from({ length: n }, (_, i) => array[i * q + j]);
  const CHOICES = [
    ...D.columns.map((c) => ({ title: c.title + " (" + c.unit + ")", of: pick(values[c.key]), error: pick(sd[c.key]), named: true })),
    { title: "CRLB (% of amplitude)", of: pick(percent), named: true },
    { title: "SNR of " + D.peak + " (snr_spec)", of: () => Array.from(quality.snr_spec) },
    { title: "FWHM of " + D.peak + " (ppm)", of: () => Array.from(quality.fwhm_ppm) },
    { title: "FQN", of: () => Array.from(quality.fqn) },
    { title: "fit converged (1) or not (0)", of: () => D.status.map((s) => (s === "converged" ? 1 : 0)), raw: true },
  ];
  function fillChoices(prefix, redraw) {
    const what = $(prefix + "-quantity"), name = $(prefix + "-name");
    CHOICES.forEach((c, k) => what.append(option(k, c.title)));
    D.quantityNames.forEach((text, j) => name.append(option(j, text)));
    const preferred = ["tNAA", "NAA", "tCr"].find((x) => D.quantityNames.includes(x));
    if (preferred) name.value = D.quantityNames.indexOf(preferred);
    for (const control of [what, name]) control.addEventListener("change", () => { name.disabled = !CHOICES[what.value].named; redraw(); });
    return () => ({ choice: CHOICES[what.value], j: Number(name.value), text: CHOICES[what.value].named ? D.quantityNames[name.value] + ", " : "" });
  }

  if ($("course")) {
    const current = fillChoices("course", draw);
    function draw() {
      const { choice, j, text } = current(), y = choice.of(j);
      const ok = D.status.map((s) => s === "converged");
      Plotly.react("course-figure", [{ x: D.index, y, type: "scatter", mode: "lines+markers", line: { color: "#0072B2", width: 1 },
        marker: { size: D.index.map((_, i) => (i === chosen ? 14 : 8)), symbol: ok.map((o) => (o ? "circle" : "x")), color: D.index.map((_, i) => (i === chosen ? "#D55E00" : "#0072B2")) },
        error_y: choice.error ? { type: "data", array: choice.error(j), color: "#57606a", thickness: 1 } : { visible: false },
        hovertemplate: "spectrum %{x}: %{y:.4g}<extra></extra>" }],
        Object.assign({}, LAYOUT, { xaxis: axis({ title: { text: "spectrum (0-based index in the file)" } }), yaxis: axis({ title: { text: (text + choice.title).replace(" (", "<br>(") }, automargin: true, rangemode: "tozero" }) }), CONFIG);
    }
    draw();
    $("course-figure").on("plotly_click", (e) => choose(e.points[0].pointIndex));
    $("course-figure").addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (step) { e.preventDefault(); choose(chosen + step); }
    });
    listeners.push(draw);
  }

  if ($("maps")) {
    const spatial = ["x", "y", "z"].map((d) => { const at = D.dims.indexOf(d); return at < 0 ? 1 : D.shape[at]; });
    const perVoxel = spatial[0] * spatial[1] * spatial[2], seen = new Map(), repeat = [];
    D.position.forEach((p, i) => { const key = p.join(); repeat[i] = seen.get(key) || 0; seen.set(key, repeat[i] + 1); });
    const failing = D.status.map((s, i) => s !== "converged" || !(quality.fwhm_ppm[i] <= 0.15) || !(quality.snr_spec[i] >= 3));
    const unconverged = D.status.filter((s) => s !== "converged").length;
    $("map-count").textContent = failing.filter(Boolean).length + " of " + n + " voxels fail; " + unconverged + " of them did not converge. "
      + (perVoxel - seen.size) + " voxels of the grid were not fitted.";
    const slices = [];
    D.position.forEach((p, i) => { const key = p[2] + "|" + repeat[i]; if (!slices.includes(key)) slices.push(key); });
    const repeats = Math.max(...repeat) > 0;
    slices.forEach((key) => { const [z, r] = key.split("|"); $("map-slice").append(option(key, "z = " + z + (repeats ? ", repeat " + r : ""))); });
    $("map-slice-label").hidden = slices.length < 2;
    const at = new Map(D.position.map((p, i) => [p.join() + "|" + repeat[i], i]));
    const current = fillChoices("map", draw);
    let z, r;
    function draw() {
      [z, r] = $("map-slice").value.split("|").map(Number);
      const { choice, j, text } = current(), all = choice.of(j), hide = $("map-mask").checked && !choice.raw;
      const grid = [], notes = [];
      for (let y = 0; y < spatial[1]; y++) {
        grid.push([]); notes.push([]);
        for (let x = 0; x < spatial[0]; x++) {
          const i = at.get([x, y, z].join() + "|" + r), v = i === undefined ? NaN : all[i];
          grid[y].push(i === undefined || (hide && failing[i]) || !Number.isFinite(v) ? null : v);
          notes[y].push(i === undefined ? "not fitted" : show(v) + (failing[i] ? "<br>fails quality control (" + D.status[i] + ")" : ""));
        }
      }
      const finite = grid.flat().filter((v) => v !== null).sort((a, b) => a - b);
      const part = (f) => finite[Math.min(finite.length - 1, Math.floor(f * finite.length))];
      const p = D.position[chosen], here = p[2] === z && repeat[chosen] === r;
      Plotly.react("map", [{ type: "heatmap", z: grid, text: notes, colorscale: "Cividis", zmin: choice.raw ? 0 : part(0.02), zmax: choice.raw ? 1 : part(0.98),
        xgap: 1, ygap: 1, hoverongaps: true, colorbar: { title: { text: text + choice.title, side: "right" }, thickness: 16 },
        hovertemplate: "voxel (%{x}, %{y}, " + z + "): %{text}<extra></extra>" }],
        Object.assign({}, LAYOUT, { plot_bgcolor: "#d5dade",
          xaxis: { title: { text: "x (voxel)" }, range: [-0.5, spatial[0] - 0.5], constrain: "domain", zeroline: false, showgrid: false, dtick: Math.ceil(spatial[0] / 16) },
          yaxis: { title: { text: "y (voxel)" }, range: [-0.5, spatial[1] - 0.5], scaleanchor: "x", constrain: "domain", zeroline: false, showgrid: false, dtick: Math.ceil(spatial[1] / 16) },
          shapes: here ? [{ type: "rect", x0: p[0] - 0.5, x1: p[0] + 0.5, y0: p[1] - 0.5, y1: p[1] + 0.5, line: { color: "#D55E00", width: 4 } }] : [] }), CONFIG);
    }
    draw();
    $("map-slice").addEventListener("change", draw);
    $("map-mask").addEventListener("change", draw);
    const go = (x, y) => { const i = at.get([x, y, z].join() + "|" + r); if (i !== undefined) choose(i); return i !== undefined; };
    // Plotly does not report clicks on empty cells; hidden voxels must be reachable too.
    $("map").addEventListener("click", (e) => {
      const box = $("map")._fullLayout, area = $("map").querySelector(".nsewdrag").getBoundingClientRect();
      if (e.clientX < area.left || e.clientX > area.right || e.clientY < area.top || e.clientY > area.bottom) return;
      go(Math.round(box.xaxis.p2d(e.clientX - area.left)), Math.round(box.yaxis.p2d(e.clientY - area.top)));
    });
    $("map").addEventListener("keydown", (e) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
      if (!step) return;
      e.preventDefault();
      // Voxels outside a mask are jumped over.
      let [x, y] = D.position[chosen];
      for (let k = 0; k < Math.max(...spatial); k++) { x += step[0]; y += step[1]; if (go(x, y)) break; }
    });
    listeners.push((i) => { const key = D.position[i][2] + "|" + repeat[i]; if ($("map-slice").value !== key) $("map-slice").value = key; draw(); });
    // Open on a voxel that passes, near the middle.
    const order = [...Array(n).keys()].filter((i) => !failing[i] && rowOf.has(i));
    if (order.length) {
      const middle = [0, 1, 2].map((d) => order.reduce((s, i) => s + D.position[i][d], 0) / order.length);
      chosen = order.reduce((a, b) => { const far = (i) => D.position[i].reduce((s, v, d) => s + (v - middle[d]) ** 2, 0); return far(b) < far(a) ? b : a; });
    }
  }

  // ---- downloads
  function save(name, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  for (const button of document.querySelectorAll("[data-file]")) {
    button.addEventListener("click", async () => save(button.dataset.file, await unpack(D.files[button.dataset.file]), "text/plain"));
  }
  $("svg").addEventListener("click", () => Plotly.downloadImage("fit-figure", { format: "svg", width: 1100, height: 700, filename: "fit" }));
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = $(button.dataset.copy);
      try { await navigator.clipboard.writeText(text.textContent); button.textContent = "Copied"; }
      catch { getSelection().selectAllChildren(text); button.textContent = "Selected: copy with Ctrl+C"; }  // some browsers refuse pages of files
    });
  }

  drawBoxes();
  choose(chosen);
  await drawBasis();
  window.addEventListener("beforeprint", () => document.querySelectorAll(".figure").forEach((f) => f.data && Plotly.Plots.resize(f)));
  document.body.dataset.ready = "yes";
})().catch((error) => { const p = document.getElementById("broken"); p.hidden = false; p.textContent = "The figures could not be drawn: " + error.message; console.error(error); });
