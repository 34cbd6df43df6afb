(function () {
  "use strict";
  // Colours in figures are names (@ink, @states …); the style sheet knows what they are in this theme.
  const NAMES = {
    "@ink": "--ink", "@muted": "--muted", "@fail": "--fail", "@ok": "--okay", "@fault": "--fault",
    "@buffered": "--buffered", "@v0": "--v0", "@v1": "--v1", "@v2": "--v2", "@v3": "--v3", "@phase": "--muted",
    "@cut": "--cut", "@page": "--page",
  };
  for (let phase = 0; phase < 9; phase += 1) NAMES["@p" + phase] = "--p" + phase;
  const data = JSON.parse(document.getElementById("data").textContent);
  const detail = data.detail;
  const drawn = new Set();
  const CHAR_PX = 6; // of a phase's name, at its size of 10
  let zoom = null;
  let syncing = false;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function coloured(value) {
    if (typeof value === "string") {
      if (value === "@states") return scale("--s");
      if (value === "@shards") return scale("--t");
      return NAMES[value] ? css(NAMES[value]) : value;
    }
    if (Array.isArray(value)) return value.length && typeof value[0] === "number" ? value : value.map(coloured);
    if (value && typeof value === "object" && !ArrayBuffer.isView(value)) {
      const copy = {};
      for (const key of Object.keys(value)) copy[key] = coloured(value[key]);
      return copy;
    }
    return value;
  }

  function scale(prefix) {
    const steps = [];
    for (let state = 0; state < 6; state += 1) {
      const colour = state ? css(prefix + state) : css("--page");
      steps.push([state / 6, colour], [(state + 1) / 6, colour]);
    }
    return steps;
  }

  // own: a chart with an axis of its own takes no part in the common zoom
  function themed(layout, own) {
    const result = coloured(layout);
    const line = css("--line");
    const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line, title: {} };
    for (const key of Object.keys(result)) {
      if (/^[xy]axis\d*$/.test(key)) result[key] = Object.assign({}, axis, result[key]);
    }
    result.yaxis = result.yaxis || Object.assign({}, axis);
    if (zoom && !own) result.xaxis = Object.assign({}, result.xaxis, { range: zoom });
    return Object.assign(result, {
      paper_bgcolor: css("--page"), plot_bgcolor: css("--page"), dragmode: "zoom",
      hoverlabel: { align: "left", font: { size: 12 } },
      font: { family: "system-ui, sans-serif", size: 11, color: css("--ink") },
    });
  }

  // the names of phases on a narrow screen: one that would run into the next one is left out
  function legible(layout, range, width) {
    const margin = layout.margin || {};
    const scale = (width - (margin.l || 0) - (margin.r || 0)) / (range[1] - range[0]);
    const marks = (layout.annotations || []).filter((mark) => mark.xref === "x" && mark.yref === "paper");
    const crowded = marks.filter((mark, index) => {
      const next = marks[index + 1];
      return next && (next.x - mark.x) * scale < mark.text.length * CHAR_PX;
    });
    return (layout.annotations || []).filter((mark) => !crowded.includes(mark));
  }

  function draw(id, figure) {
    const element = document.getElementById(id);
    if (!element) return;
    const options = { displayModeBar: false, responsive: true, doubleClick: false };
    const layout = themed(figure.layout, figure.own);
    if (layout.annotations) layout.annotations = legible(layout, layout.xaxis.range, element.clientWidth);
    Plotly.react(element, figure.data.map(coloured), layout, options);
    if (drawn.has(id)) return;
    if (figure.own) return;
    drawn.add(id);
    element.on("plotly_relayout", (change) => follow(id, change));
    element.on("plotly_doubleclick", () => everything());
  }

  function follow(id, change) {
    if (syncing || !("xaxis.range[0]" in change)) return;
    move([change["xaxis.range[0]"], change["xaxis.range[1]"]], id);
  }

  function everything() { move(null, null, true); }

  // where each chart begins: copy cycles may be a small part of the run
  function home(id) { return (data.figures[id] || detail).layout.xaxis.range.slice(); }

  function move(range, from, reset) {
    syncing = true;
    zoom = reset ? null : range;
    const moves = [...drawn].filter((id) => id !== from)
      .map((id) => Plotly.relayout(id, { "xaxis.range": reset ? home(id) : range }));
    Promise.all(moves).then(() => { syncing = false; });
  }

  // ---- heat maps: the text of a cell is made here, it would be most of the page otherwise
  function heat(figure) {
    const cells = figure.data[0];
    cells.text = cells.z.map((row, y) => row.map((state) => figure.rows[y] + ": " + figure.words[state]));
    return figure;
  }

  // ---- latency and errors of one shard, or of all
  function unpack(text, Kind) {
    const raw = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    return new Kind(raw.buffer);
  }

  function row(packed, index) { return Array.from(packed.subarray(index * detail.bins, (index + 1) * detail.bins)); }

  const packed = {
    max: unpack(detail.max, Float32Array), p99: unpack(detail.p99, Float32Array),
    bad: unpack(detail.bad, Uint16Array), given_up: unpack(detail.given_up, Uint16Array),
  };

  function values(vtgate, shard) {
    if (shard < 0) return detail.all[vtgate];
    const lane = detail.lanes.findIndex((pair) => pair[0] === vtgate && pair[1] === shard);
    if (lane < 0) return null;
    const holes = (list) => list.map((value) => (Number.isNaN(value) ? null : value));
    return {
      max: holes(row(packed.max, lane)), p99: holes(row(packed.p99, lane)),
      bad: row(packed.bad, lane), given_up: row(packed.given_up, lane),
    };
  }

  function traces(shard) {
    const middle = Array.from({ length: detail.bins }, (_, bin) => detail.x0 + (bin + 0.5) * detail.dx);
    const found = [];
    detail.vtgates.forEach((name, index) => {
      const seen = values(index, shard);
      if (!seen) return;
      const colour = "@v" + (index % 4);
      const text = name.replace(/&/g, "&amp;").replace(/</g, "&lt;");
      const lines = [["max", "longest", "solid", 1.6], ["p99", "p99", "dot", 1]];
      for (const [key, words, dash, width] of lines) {
        found.push({ type: "scatter", mode: "lines", x: middle, y: seen[key], connectgaps: false,
          line: { color: colour, dash: dash, width: width },
          hovertemplate: text + " " + words + " %{y:.4~g} ms<extra></extra>" });
      }
      for (const [key, axis, words] of [["bad", "y2", "failed or unknown"], ["given_up", "y3", "not issued"]]) {
        found.push({ type: "bar", x: middle, y: seen[key].map((n) => n || null), yaxis: axis,
          marker: { color: colour, line: { width: 0 } },
          hovertemplate: "%{y} " + words + " through " + text + "<extra></extra>" });
      }
    });
    return found;
  }

  function shading(shard) {
    const spans = shard < 0 ? detail.faults : detail.faults_of[detail.shards[shard]] || [];
    return spans.map((span) => ({
      type: "rect", xref: "x", yref: "paper", x0: span[0], x1: span[1], y0: 0, y1: 1, layer: "below",
      fillcolor: "@fault", opacity: 0.18, line: { color: "@fault", width: 1 }, // of an instant, the line is all
    }));
  }

  function decades(found) {
    let least = Infinity;
    let most = 0;
    for (const trace of found.filter((one) => one.type === "scatter")) {
      for (const value of trace.y) {
        if (value > 0) { least = Math.min(least, value); most = Math.max(most, value); }
      }
    }
    return most ? [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most) + 0.05)] : [0, 3];
  }

  function countAxis(domain, text) {
    return { domain: domain, title: { text: text, font: { size: 10 } }, fixedrange: true, rangemode: "tozero", nticks: 4 };
  }

  function drawDetail() {
    const pick = document.getElementById("shard");
    if (!pick) return;
    const shard = Number(pick.value);
    const found = traces(shard);
    const layout = Object.assign({}, detail.layout, {
      shapes: shading(shard).concat(detail.layout.shapes), barmode: "group", bargap: 0, hovermode: "x",
      xaxis: Object.assign({}, detail.layout.xaxis, { anchor: "y3" }),
      yaxis: { type: "log", domain: [0.46, 1], fixedrange: true, tickmode: "array", range: decades(found),
        tickvals: [0.1, 1, 10, 100, 1e3, 1e4, 1e5], ticktext: ["0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s"] },
      yaxis2: countAxis([0.24, 0.39], "failed,<br>unknown"),
      yaxis3: countAxis([0, 0.15], "not<br>issued"),
    });
    draw("detail", { data: found, layout: layout });
  }

  function drawAll() {
    for (const id of Object.keys(data.figures)) draw(id, data.figures[id]);
    drawDetail();
  }

  // ---- theme: as the system has it, until somebody chooses
  function themeButton() {
    const button = document.getElementById("theme");
    const order = ["auto", "light", "dark"];
    let now = 0;
    button.hidden = false;
    button.addEventListener("click", () => {
      now = (now + 1) % order.length;
      if (now) document.documentElement.dataset.theme = order[now];
      else delete document.documentElement.dataset.theme;
      button.textContent = "theme: " + order[now];
      drawAll();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  }

  function shardPicker() {
    const pick = document.getElementById("shard");
    if (!pick) return;
    detail.shards.forEach((name, index) => pick.add(new Option("shard " + name, String(index))));
    pick.addEventListener("change", drawDetail);
    Object.keys(data.figures).filter((id) => data.figures[id].rows).forEach((id) => {
      document.getElementById(id).on("plotly_click", (event) => {
        const index = detail.shards.indexOf(data.figures[id].rows[Math.round(event.points[0].y)]);
        if (index >= 0) { pick.value = String(index); drawDetail(); }
      });
    });
  }

  function copyButton() {
    const button = document.getElementById("copy");
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(document.getElementById("command").textContent)
        .then(() => { button.textContent = "copied"; }, () => { button.textContent = "select it by hand"; });
    });
  }

  // ---- a moment in a table shows itself in the charts; a link into something folded opens it
  const AROUND_S = 2;
  function moments() {
    document.querySelectorAll("a.moment").forEach((link) => {
      const at = Number(link.dataset.at);
      link.addEventListener("click", () => { if (drawn.size) move([at - AROUND_S, at + AROUND_S], null); });
    });
  }

  function unfold() {
    let element = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const target = element;
    for (; element; element = element.parentElement) if (element.tagName === "DETAILS") element.open = true;
    if (target) target.scrollIntoView();
  }

  for (const id of Object.keys(data.figures)) {
    if (data.figures[id].rows) heat(data.figures[id]);
  }
  themeButton();
  drawAll();
  shardPicker();
  copyButton();
  moments();
  window.addEventListener("hashchange", unfold);
  if (location.hash) unfold();
})();
