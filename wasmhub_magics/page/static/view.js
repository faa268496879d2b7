/** An exchange on the screen: what changed in each phase, the log, the timeline. proxy/view.py draws its static form. */

const PROXY_HEADERS = ["date", "server", "transfer-encoding", "x-envoy-expected-rq-timeout-ms", "x-envoy-upstream-service-time"];
const BODY_SHOWN = 4000;
const PHRASES = { 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 413: "Request Entity Too Large", 415: "Unsupported Media Type", 418: "I'm a Teapot", 422: "Unprocessable Entity", 429: "Too Many Requests", 431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout" };

/** Headers after a change, marked against those before; what went away stands before what replaced it. */
function compared(before, after) {
  const left = [...before];
  const rows = after.map(([name, value]) => {
    const place = left.findIndex((pair) => pair[0] === name && pair[1] === value);
    if (place >= 0) left.splice(place, 1);
    return [place >= 0 ? " " : "+", name, value];
  });
  for (const [name, value] of left) {
    const place = rows.findIndex((row) => row[0] === "+" && row[1] === name);
    rows.splice(place >= 0 ? place : rows.length, 0, ["-", name, value]);
  }
  return rows;
}

/** A diff of lines: the longest common run of them, where they are few enough. */
function comparedLines(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  if (a.length * b.length > 250000) return [...a.map((line) => ["-", line]), ...b.map((line) => ["+", line])];
  const table = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--) table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
  const rows = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) rows.push([" ", a[i++], j++]);
    else if (table[i + 1][j] >= table[i][j + 1]) rows.push(["-", a[i++]]);
    else rows.push(["+", b[j++]]);
  }
  while (i < a.length) rows.push(["-", a[i++]]);
  while (j < b.length) rows.push(["+", b[j++]]);
  return rows;
}

function bodyText(encoded) {
  const bytes = unbase64(encoded);
  const text = asText(bytes);
  if (text !== null) return text.length > BODY_SHOWN ? `${text.slice(0, BODY_SHOWN)}\n… ${(text.length - BODY_SHOWN).toLocaleString("en-US")} characters more` : text;
  const lines = [];
  const shown = bytes.subarray(0, BODY_SHOWN / 4);
  for (let at = 0; at < shown.length; at += 16) lines.push([...shown.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, "0")).join(" "));
  return lines.join("\n") + (bytes.length > shown.length ? `\n… ${(bytes.length - shown.length).toLocaleString("en-US")} bytes more` : "");
}

const size = (encoded) => `${unbase64(encoded).length.toLocaleString("en-US")} bytes`;
const MARKS = { "+": ["wh-add", "added"], "-": ["wh-cut", "removed"], " ": ["wh-same", ""], "·": ["wh-same", "set by the proxy itself"] };

function headerRows(rows) {
  return rows.map(([mark, name, value]) => make("div", { class: `wh-row wh-code ${MARKS[mark][0]}`, "data-mark": mark, title: MARKS[mark][1] }, make("b", { textContent: name }), `: ${value}`));
}

function changedCount(rows) {
  const counts = [["+", "+"], ["−", "-"]].map(([sign, mark]) => [sign, rows.filter((row) => row[0] === mark).length]).filter(([, count]) => count);
  return counts.length ? `headers ${counts.map(([sign, count]) => sign + count).join(" ")}` : "headers unchanged";
}

const boxed = (title, note, ...children) => make("div", { class: "wh-box" }, make("div", { class: "wh-title" }, title, note ? make("span", { class: "wh-dim", textContent: ` ${note}` }) : null), ...children);

/** The body of one phase: a diff where the filter changed it. */
function bodyPart(noun, before, after, open) {
  if (!after && !before) return null;
  const changed = before !== null && before !== after;
  const note = changed ? `${size(after)}, changed from the ${size(before)}` : size(after);
  const pre = make("pre", { tabIndex: 0, "aria-label": `${noun} body` });
  if (changed) for (const [mark, line] of comparedLines(bodyText(before), bodyText(after))) pre.append(make("div", { class: `wht-diff ${mark === "-" ? "wht-minus" : mark === "+" ? "wht-plus" : ""}`, "data-mark": mark, textContent: `${mark} ${line}` }));
  else pre.textContent = bodyText(after);
  return make("details", { open: open || changed }, make("summary", {}, `${noun} body `, make("span", { class: "wh-dim", textContent: note })), pre);
}

function pseudo(message) {
  return message.status === undefined ? [[":method", message.method], [":path", message.path], [":authority", message.authority], ...message.headers] : [[":status", String(message.status)], ...message.headers];
}

/** Headers with `·` at what the proxy has set by itself; what it replaced is left out. */
function credited(exchange, callbacks, rows) {
  const touched = new Set(callbacks.flatMap((each) => each.calls.flatMap((call) => call.taken.map((text) => (asText(text) ?? "").toLowerCase()))));
  const own = new Set(PROXY_HEADERS.filter((name) => !touched.has(name)));
  const fresh = exchange.upstream_response ? "+" : "+ ";
  return rows.filter(([mark, name]) => mark !== "-" || !own.has(name)).map(([mark, name, value]) => [fresh.includes(mark) && own.has(name) ? "·" : mark, name, value]);
}

function trailerRows(before, after) {
  return headerRows(compared(before, after).map(([mark, name, value]) => [mark, `trailer ${name}`, value]));
}

function unasked(exchange) {
  if (exchange.details.startsWith("wasm_fail")) return "The upstream was not asked: the filter failed, and its failure policy ended the request.";
  if (!exchange.response) return "The upstream was not asked: the request never came that far.";
  return "The upstream was not asked: the filter answered by itself.";
}

function answered(exchange) {
  if (!exchange.response) return exchange.outcome === "paused" ? "no response: a filter left the stream paused" : "stream reset";
  const { status } = exchange.response;
  return `${status} ${PHRASES[status] ?? ""}`.trim();
}

function statusKind(exchange) {
  if (!exchange.response) return "wh-odd";
  return { 2: "wh-ok", 3: "wh-moved" }[Math.floor(exchange.response.status / 100)] ?? "wh-bad";
}

/** The whole exchange as an element. `where` tells which engine ran it, in words. */
function exchangeView(exchange, where) {
  const callbacks = readTrace(exchange.trace);
  const cost = [exchange.ns ? duration(exchange.ns) : "", exchange.fuel ? `${exchange.fuel.toLocaleString("en-US")} instructions` : "", where, ["", "via_upstream"].includes(exchange.details) ? "" : exchange.details];
  const head = make("div", { class: "wh-head" }, make("span", { class: `wh-status ${statusKind(exchange)}`, textContent: answered(exchange) }), make("span", { class: "wh-code", textContent: `${exchange.request.method} ${exchange.request.path}` }), make("span", { class: "wh-dim", textContent: cost.filter(Boolean).join(", ") }));
  const { received, upstream_request: asked, upstream_response: given, response } = exchange;
  let request;
  if (asked) {
    const rows = credited(exchange, callbacks, compared(pseudo(received), pseudo(asked)));
    request = boxed("What the upstream saw", changedCount(rows), ...headerRows(rows), ...trailerRows(received.trailers, asked.trailers), bodyPart("Request", received.body, asked.body));
  } else request = boxed("What the upstream saw", "", make("div", { class: exchange.details.startsWith("wasm_fail") ? "wh-fail" : "wh-dim", textContent: unasked(exchange) }));
  let answer;
  if (response) {
    const rows = credited(exchange, callbacks, given ? compared(pseudo(given), pseudo(response)) : pseudo(response).map((pair) => [" ", ...pair]));
    answer = boxed("What the client got", given ? changedCount(rows) : "", ...headerRows(rows), ...trailerRows(given?.trailers ?? response.trailers, response.trailers), bodyPart("Response", given ? given.body : null, response.body, true));
  } else answer = boxed("What the client got", "", make("div", { class: "wh-dim", textContent: "Nothing." }));
  return make("div", { class: "wh-exchange" }, head, ...exchange.warnings.map((warning) => make("div", { class: "wh-warn", textContent: `⚠ ${warning}` })), make("div", { class: "wh-cols" }, request, answer), callsView(exchange), logView(exchange), timelineView(exchange, callbacks, where.includes("page")));
}

function logView({ log }) {
  if (!log.length) return null;
  const lines = log.map((line) => make("span", { class: `wh-${line.level}`, textContent: `[${line.level}] ${line.message}\n` }));
  return boxed("Log", `${log.length} line${log.length > 1 ? "s" : ""}`, make("pre", { tabIndex: 0, "aria-label": "Log" }, ...lines));
}

function callsView({ calls }) {
  if (!calls.length) return null;
  const told = ({ answer }) => (answer.fail ? `${answer.fail}` : answer.delay ? `${answer.status} after ${answer.delay} s` : String(answer.status ?? "no answer"));
  return boxed("Calls to clusters", String(calls.length), ...calls.map((call) => make("div", { class: "wh-row wh-code" }, make("b", { textContent: call.cluster }), `: ${call.request.method} ${call.request.path} → ${told(call)}`)));
}

/** Two engines side by side, with what differs first. */
function bothView(embedded, envoy) {
  const found = differences(embedded, envoy);
  const told = found.length ? make("div", { class: "wht-differ", role: "alert" }, make("b", { textContent: `${found.length} difference${found.length > 1 ? "s" : ""} between the embedded proxy and real Envoy` }), make("table", {}, make("thead", {}, make("tr", {}, ...["", "embedded", "real Envoy"].map((text) => make("th", { textContent: text })))), make("tbody", {}, ...found.map((row) => make("tr", {}, ...row.map((text) => make("td", { class: "wh-code", textContent: String(text) }))))))) : make("div", { class: "wht-agree", textContent: "✓ The embedded proxy and real Envoy agree." });
  return make("div", {}, told, make("div", { class: "wht-sides" }, make("section", { "aria-label": "Embedded proxy" }, exchangeView(embedded, "embedded proxy")), make("section", { "aria-label": "Real Envoy" }, exchangeView(envoy, "real Envoy"))));
}
