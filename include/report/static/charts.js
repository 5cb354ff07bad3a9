// Draws production and shadow over each other, and the evidence for an abort. The page's own table says the same.
"use strict";

const penumbraCharts = (() => {
  const data = JSON.parse(document.getElementById("series").textContent);
  const plots = [...document.querySelectorAll("[data-chart]")];
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const coarse = window.matchMedia("(pointer: coarse)");

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const value = (row, role, name) => (row[role] === null ? null : row[role][name]);

  function variants(name, factor, suffix) {
    return [["production", "solid", "circle"], ["shadow", "dash", "diamond"]].map(([role, dash, symbol]) => ({
      name: role,
      x: data.rows.map((row) => row.start),
      y: data.rows.map((row) => {
        const seen = value(row, role, name);
        return seen === null ? null : seen * factor;
      }),
      mode: data.rows.length > 120 ? "lines" : "lines+markers",
      line: { color: colour(role), width: 2, dash },
      marker: { color: colour(role), size: data.rows.length === 1 ? 10 : 6, symbol },
      hovertemplate: `%{y:,.4~g}${suffix}`,
    }));
  }

  // A line through one point is nothing to see, as after an abort in the first period: a dash stands for it.
  function stroke(count, name, line) {
    return count === 1
      ? { mode: "markers", marker: { color: colour(name), size: 22, symbol: "line-ew-open", line: { width: 2 } } }
      : { mode: "lines", line: { color: colour(name), ...line } };
  }

  function limit(name, ys) {
    return {
      name,
      x: data.rows.map((row) => row.start),
      y: ys,
      ...stroke(ys.length, "limit", { width: 1.5, dash: "dot" }),
      hovertemplate: "%{y:,.4~g}",
    };
  }

  // A limit far above what was measured would flatten the lines that are to be compared: the caption names it instead.
  function fixed(traces, allowed) {
    const most = Math.max(0, ...traces.flatMap((trace) => trace.y.filter((y) => y !== null)));
    return allowed > 2 * most ? [] : [limit("allowed", data.rows.map(() => allowed))];
  }

  function errors() {
    const traces = variants("error_rate", 100, " %");
    if (data.lines.error_rate !== null) {
      traces.push(...fixed(traces, data.lines.error_rate * 100));
    }
    return traces;
  }

  function latency(quantile) {
    const traces = variants(quantile, 1, " ms");
    const ratio = data.lines.ratio[quantile];
    if (ratio) {
      traces.push(limit(`${ratio.toFixed(2)} × production`, data.rows.map((row) => {
        const seen = value(row, "production", quantile);
        return seen === null ? null : seen * ratio;
      })));
    }
    if (data.lines.latency[quantile]) {
      traces.push(...fixed(traces, data.lines.latency[quantile]));
    }
    return traces;
  }

  // Beyond these an e-value is no number a chart can show; the table has it.
  const eValue = (log) => (log === null ? null : Math.exp(Math.min(Math.max(log, -30), 300)));

  function evidence() {
    const ends = data.evidence.map((point) => point.end);
    const gates = [...new Set(data.evidence.flatMap((point) => Object.keys(point.by_gate)))];
    const hover = "%{customdata}";
    const shown = (logs) => logs.map((log) => {
      if (log === null) return "–";
      const tens = log / Math.LN10;
      return tens > -4 && tens < 6 ? String(Number(Math.exp(log).toPrecision(3))) : `10^${Math.round(tens)}`;
    });
    const curve = (logs) => ({ x: ends, y: logs.map(eValue), customdata: shown(logs), hovertemplate: hover });
    const traces = gates.length < 2 ? [] : gates.map((gate) => ({
      ...curve(data.evidence.map((point) => point.by_gate[gate] ?? null)),
      name: gate,
      ...stroke(ends.length, "muted", { width: 1 }),
      opacity: 0.7,
    }));
    traces.push({
      ...curve(data.evidence.map((point) => point.log_e)),
      name: "all measures",
      mode: ends.length > 120 ? "lines" : "lines+markers",
      line: { color: colour("shadow"), width: 2 },
      marker: { color: colour("shadow"), size: 5 },
    });
    traces.push({
      ...curve(data.evidence.map((point) => point.bar)),
      name: "ends the window",
      ...stroke(ends.length, "limit", { width: 1.5, dash: "dot" }),
    });
    const first = data.evidence.find((point) => point.log_e !== null && point.bar !== null && point.log_e >= point.bar);
    if (first) {
      traces.push({
        name: "first crossing",
        x: [first.end],
        y: [eValue(first.log_e)],
        mode: "markers+text",
        text: ["crossed"],
        textposition: "top left",
        textfont: { color: colour("bad") },
        cliponaxis: false,
        marker: { color: colour("bad"), size: 11, symbol: "x" },
        hoverinfo: "skip",
      });
    }
    return traces;
  }

  // Powers of ten in plain characters: Plotly's own superscripts need inline styles, which the policy does not let in.
  function powers() {
    const logs = data.evidence.flatMap((point) => [point.log_e, point.bar, ...Object.values(point.by_gate)]);
    const tens = logs.filter((log) => log !== null).map((log) => Math.log10(eValue(log)));
    const low = Math.floor(Math.min(0, ...tens));
    const high = Math.ceil(Math.max(0, ...tens));
    const step = Math.max(1, Math.ceil((high - low) / 5));
    const ticks = [];
    for (let power = Math.ceil(low / step) * step; power <= high; power += step) ticks.push(power);
    const raised = (power) => [...String(power)].map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)])).join("");
    const text = (power) => (power >= 0 && power <= 3 ? String(10 ** power) : `10${raised(power)}`);
    return { tickvals: ticks.map((power) => 10 ** power), ticktext: ticks.map(text) };
  }

  function traces(name) {
    switch (name) {
      case "requests": return variants("requests", 1, "");
      case "error_rate": return errors();
      case "evidence": return evidence();
      default: return latency(name);
    }
  }

  function layout(name, width) {
    const axis = {
      color: colour("muted"), gridcolor: colour("grid"), linecolor: colour("line"), zeroline: false, fixedrange: coarse.matches,
      automargin: true,
    };
    const x = { ...axis, type: "date", hoverformat: "%H:%M:%S UTC", nticks: width < 380 ? 3 : 5, tickangle: 0 };
    // One time axis for all charts: while it runs, what is left of the window is to be seen.
    const times = [...data.rows.map((row) => row.start), ...data.evidence.map((point) => point.end)];
    if (!data.over && data.window.end) times.push(data.window.end);
    if (times.length) {
      const seconds = times.map((time) => Date.parse(time));
      const least = Math.min(...seconds);
      const most = Math.max(...seconds);
      const pad = Math.max(1000, (most - least) * 0.03);
      x.range = [new Date(least - pad).toISOString(), new Date(most + pad).toISOString()];
    }
    const y = name === "evidence"
      ? { ...axis, type: "log", ...powers() }
      : { ...axis, rangemode: "tozero", nticks: 5, ticksuffix: name === "error_rate" ? " %" : "" };
    return {
      margin: { l: 44, r: 10, t: 8, b: 28 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: colour("ink") },
      hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("line"), font: { color: colour("ink") } },
      hovermode: "x unified",
      dragmode: coarse.matches ? false : "zoom",
      showlegend: false,
      xaxis: x,
      yaxis: y,
    };
  }

  function draw() {
    for (const plot of plots) {
      Plotly.react(plot, traces(plot.dataset.chart), layout(plot.dataset.chart, plot.clientWidth), { displayModeBar: false, responsive: true });
    }
  }

  // Merges what a later look told: a period or tick that is known already is replaced.
  function extend(more) {
    const merge = (known, found, key) => {
      const all = new Map(known.map((entry) => [entry[key], entry]));
      for (const entry of found) all.set(entry[key], entry);
      return [...all.values()].sort((a, b) => (a[key] < b[key] ? -1 : 1));
    };
    data.rows = merge(data.rows, more.rows, "start");
    data.evidence = merge(data.evidence, more.evidence, "end");
    data.window = more.window;
    data.lines = more.lines;
    data.over = more.over;
    draw();
  }

  function missing(sentence) {
    const note = document.getElementById("charts-note");
    note.textContent = sentence;
    note.hidden = false;
  }

  const redraw = () => window.Plotly && draw();
  dark.addEventListener("change", redraw);
  document.addEventListener("theme", redraw);
  return { draw, extend, missing };
})();

if (window.Plotly) penumbraCharts.draw();
