/** The timeline of an exchange: its callbacks, and what each asked of the host. */

const CALLS_SHOWN = 300;

/** Callbacks in order of time, each with a bar, what it changed, why it failed, and its host calls; drawn when opened. */
function timelineView(exchange, callbacks, inPage) {
  if (!callbacks.length) return exchange.engine === "envoy" ? make("div", { class: "wh-dim", textContent: "Real Envoy tells no host calls: the embedded proxy shows them." }) : null;
  const whole = Math.max(1, ...callbacks.map((each) => each.start + each.ns));
  const count = callbacks.reduce((sum, each) => sum + each.calls.length, 0);
  const summary = make("summary", {}, "Timeline of callbacks and host calls ", make("span", { class: "wh-dim", textContent: `${count.toLocaleString("en-US")} in ${callbacks.length} callbacks, ${duration(whole)}` }));
  const element = make("details", { class: "wh-box wht-timeline" }, summary);
  // Most answers are looked at with it closed: an answer to a key press does not wait for rows that nobody sees.
  element.addEventListener("toggle", () => element.append(...timelineRows(exchange, callbacks, inPage, whole)), { once: true });
  element.open = callbacks.some((each) => each.trapped);
  return element;
}

function timelineRows(exchange, callbacks, inPage, whole) {
  // Browsers round their clocks: what took less than a step of it shows as nothing.
  const took = (ns) => (ns === 0 && inPage ? "< 0.1 ms" : duration(ns));
  const bar = (start, ns) => make("span", { class: "wh-bar", "aria-hidden": "true" }, make("i", { style: `margin-left:${((100 * start) / whole).toFixed(1)}%;width:${((100 * ns) / whole).toFixed(1)}%` }));
  const line = (text, start, ns, kind) => make("div", { class: `wh-call ${kind}` }, make("span", { class: "wh-code" }, ...breakable(text)), bar(start, ns), make("span", { class: "wh-dim", textContent: took(ns) }));
  let left = CALLS_SHOWN;
  const rows = callbacks.map((callback) => {
    const outcome = callbackOutcome(callback);
    const title = `${callback.plugin} #${callback.context} ${callback.name}(${callback.arguments.map(([name, value]) => `${name}=${value}`).join(", ")})${outcome ? ` → ${outcome}` : ""}`;
    const changes = callbackChanges(callback);
    const failed = callback.trapped ? exchange.log.filter((each) => each.message.startsWith(`Function: ${callback.name} failed`)).map((each) => each.message.split("\n")[0]) : [];
    const said = callback.trapped ? exchange.log.filter((each) => each.level === "error" && !each.message.startsWith("Function: ")).map((each) => each.message) : [];
    const shown = callback.calls.slice(0, Math.max(0, left));
    left -= callback.calls.length;
    return make("div", { class: "wht-callback" }, line(title, callback.start, callback.ns, `wh-outer${callback.trapped ? " wh-error" : ""}`),
      ...[...failed, ...said].map((text) => make("pre", { class: "wht-why", textContent: text })),
      ...changes.map(([mark, text, where]) => make("div", { title: where, class: `wht-change wh-code ${mark === "-" ? "wht-minus" : "wht-plus"}`, "data-mark": mark, textContent: text })),
      ...shown.map((call) => line(callText(call), call.start, call.ns, ["Ok", "NotFound", "Empty", "success"].includes(statusOf(call)) ? "" : "wh-error")));
  });
  const hidden = Math.max(0, -left) + exchange.trace.dropped;
  if (hidden) rows.push(make("div", { class: "wh-dim", textContent: `… ${hidden.toLocaleString("en-US")} more host calls` }));
  return rows;
}

/** Text that may be broken after `_`, `(`, `,` and `.`, so that a narrow column breaks no word of a function's name. */
function breakable(text) {
  return text.split(/(?<=[_(,.])/).flatMap((piece, place) => (place ? [make("wbr"), piece] : [piece]));
}
