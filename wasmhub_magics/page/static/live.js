/** A measurement while it runs: percentiles to 99.99, a button that stops it, the figures in text. */

const WIDTH = 640;
const HEIGHT = 280;
const BOX = { left: 64, right: 16, top: 16, bottom: 40 };
const TICKS = [[1, "0 %"], [2, "50 %"], [10, "90 %"], [100, "99 %"], [1000, "99.9 %"], [10000, "99.99 %"]];

function svg(tag, properties, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function told(ns) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) if (ns >= size) return `${Number((ns / size).toPrecision(3))} ${unit}`;
  return `${Math.round(ns)} ns`;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "whl";
  const head = document.createElement("div");
  const title = document.createElement("b");
  const stop = document.createElement("button");
  stop.type = "button";
  stop.textContent = "Stop";
  stop.addEventListener("click", () => {
    stop.disabled = true;
    state.textContent = "stopping …";
    model.send({ type: "stop" });
  });
  const state = document.createElement("span");
  state.setAttribute("role", "status");
  const chart = document.createElement("div");
  const table = document.createElement("pre");
  table.setAttribute("aria-label", "Figures");
  table.setAttribute("role", "group");
  table.tabIndex = 0; // wider than a narrow column: the keyboard scrolls it, too
  head.append(title, " ", stop, " ", state);
  root.append(head, chart, table);
  el.append(root);

  function draw() {
    title.textContent = model.get("title");
    const running = model.get("running");
    stop.hidden = !running;
    state.textContent = running ? `${Math.round(100 * model.get("done"))} %, ${model.get("updates")} updates` : model.get("replaced") ? "done" : "ended";
    // The report's own chart stands below: the same line twice would make a reader ask which to believe.
    chart.hidden = !running && model.get("replaced");
    table.textContent = model.get("text");
    const lines = model.get("lines");
    const values = lines.flatMap((line) => line.points.map(([, y]) => Math.max(1, y)));
    if (!values.length) return;
    const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
    const high = 10 ** Math.ceil(Math.log10(Math.max(...values) * 1.001));
    const x = (value) => BOX.left + (Math.log10(Math.min(value, 10000)) / 4) * (WIDTH - BOX.left - BOX.right);
    const y = (value) => HEIGHT - BOX.bottom - (Math.log10(Math.max(value, low) / low) / Math.log10(high / low)) * (HEIGHT - BOX.top - BOX.bottom);
    const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Latencies by percentile: ${model.get("text").split("\n").slice(0, 3).join("; ")}` });
    for (const [at, name] of TICKS) {
      picture.append(svg("line", { x1: x(at), x2: x(at), y1: BOX.top, y2: HEIGHT - BOX.bottom, class: "whl-grid" }), svg("text", { x: x(at), y: HEIGHT - BOX.bottom + 18, "text-anchor": "middle" }, name));
    }
    for (let value = low; value <= high * 1.001; value *= 10) picture.append(svg("line", { x1: BOX.left, x2: WIDTH - BOX.right, y1: y(value), y2: y(value), class: "whl-grid" }), svg("text", { x: BOX.left - 8, y: y(value) + 4, "text-anchor": "end" }, told(value)));
    lines.forEach((line, number) => {
      const path = line.points.filter(([at]) => at <= 10000).map(([at, value], place) => `${place ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
      picture.append(svg("path", { d: path, fill: "none", stroke: line.colour, "stroke-width": 2.5, "stroke-dasharray": line.dash.join(" ") || "none" }));
      const at = BOX.top + 12 + 16 * number;
      picture.append(svg("line", { x1: BOX.left + 10, x2: BOX.left + 40, y1: at, y2: at, stroke: line.colour, "stroke-width": 2.5, "stroke-dasharray": line.dash.join(" ") || "none" }));
      picture.append(svg("text", { x: BOX.left + 48, y: at + 4, class: "whl-label" }, line.label));
    });
    chart.replaceChildren(picture);
  }

  const names = ["change:lines", "change:running", "change:text"];
  for (const name of names) model.on(name, draw);
  draw();
  return () => names.forEach((name) => model.off(name, draw));
}

export default { render };
