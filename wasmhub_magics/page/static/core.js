/** What the tester knows without a screen: traces, expectations of cases, requests as text. */

const unbase64 = (text) => Uint8Array.from(atob(text ?? ""), (letter) => letter.charCodeAt(0));

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

const textBase64 = (text) => base64(new TextEncoder().encode(text));

/** Bytes as text, null where they are none. */
function asText(bytes) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return /[\x00-\x08\x0b\x0c\x0e-\x1f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** A mistake in what was typed, with what to do about it: as the Python side's errors, in the same words. */
class Mistake extends Error {
  constructor(what, advice = "") {
    super(advice ? `${what}\n  do: ${advice}` : what);
  }
}

// ---- traces: proxy/src/trace.zig describes the events ----------------------------------------------------

/** The callbacks of a trace, each with its host calls, as proxy/trace.py has them. */
function readTrace({ events, plugins, callbacks: names, functions }) {
  const bytes = unbase64(events);
  const view = new DataView(bytes.buffer);
  const found = [];
  const open = [];
  const calls = [];
  let at = 0;
  let zero = -1;
  let last = 0;
  const u32 = () => view.getUint32((at += 4) - 4, true);
  const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
  const named = (parameters, values) => values.map((value, place) => [parameters[place] ?? `argument_${place}`, value]);
  const endCall = (result, now) => {
    const call = calls.pop();
    if (open.length) open.at(-1).calls.push({ ...call, result, start: call.start - zero, ns: now - call.start });
  };
  const endCallback = (kind, value, now) => {
    const each = open.pop();
    found.push({ ...each, result: kind === 1 ? value : null, trapped: kind === 2, start: each.start - zero, ns: now - each.start });
  };
  while (at < bytes.length) {
    const tag = bytes[at++];
    if (tag === 1) {
      const name = names[bytes[at++]];
      const plugin = u32();
      const context = u32();
      const values = Array.from({ length: bytes[at++] }, u32);
      last = u64();
      if (zero < 0) zero = last;
      open.push({ name, plugin: plugins[plugin] ?? "VM", context, arguments: named((ABI.callbacks[name] ?? []).slice(1), values), calls: [], snapshots: [], start: last });
    } else if (tag === 2) {
      const kind = bytes[at++];
      const value = u32();
      last = u64();
      while (calls.length) endCall(null, last);
      endCallback(kind, value, last);
    } else if (tag === 3) {
      const name = functions[bytes[at++]] ?? "wasi_proc_exit";
      const values = Array.from({ length: bytes[at++] }, u64);
      last = u64();
      const [title, parameters] = ABI.functions[name] ?? [name, []];
      calls.push({ name: title, arguments: named(parameters, values), taken: [], given: [], start: last });
    } else if (tag === 4 || tag === 5) {
      u32();
      const kept = u32();
      const text = bytes.subarray(at, at + kept);
      at += kept;
      if (calls.length) calls.at(-1)[tag === 4 ? "taken" : "given"].push(text);
    } else if (tag === 7) {
      const [part, moment] = [bytes[at++], bytes[at++]];
      u32();
      const kept = u32();
      open.at(-1)?.snapshots.push([part, moment, bytes.slice(at, at + kept)]);
      at += kept;
    } else {
      const result = u32();
      last = u64();
      if (calls.length) endCall(result, last);
    }
  }
  while (calls.length) endCall(null, last);
  while (open.length) endCallback(0, 0, last);
  return found;
}

function statusOf(call) {
  if (call.result === null) return "did not return";
  if (!/^(proxy_|envoy_)/.test(call.name)) return call.result === 0 ? "success" : `errno ${call.result}`;
  return ABI.statuses[call.result] ?? String(call.result);
}

function quoted(bytes) {
  const text = asText(bytes) ?? [...bytes].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`)).join("");
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function callText(call) {
  const texts = [...call.taken];
  const parts = [];
  for (const [name, value] of call.arguments) {
    if (name.endsWith("_ptr") && !name.startsWith("ret_")) parts.push(`${name.slice(0, -4)}=${quoted(texts.shift() ?? new Uint8Array())}`);
    else if (!name.startsWith("ret_") && !name.endsWith("_len")) parts.push(`${name}=${ABI.words[name]?.[value] ?? value}`);
  }
  return `${call.name}(${parts.join(", ")}) → ${statusOf(call)}${call.given.map((given) => ` ${quoted(given)}`).join("")}`;
}

function callbackOutcome(callback) {
  if (callback.trapped) return "trapped";
  if (callback.result === null) return "";
  const kind = callback.name.startsWith("proxy_on_re") ? callback.name.split("_").at(-1) : "";
  return ABI.actions[kind]?.[callback.result] ?? String(callback.result);
}

const PARTS = ["request headers", "request trailers", "response headers", "response trailers", "request body", "response body"];

/** The headers in a snapshot, as the protocol has them. */
function snapshotPairs(bytes) {
  const view = new DataView(bytes.buffer);
  let at = 4;
  const text = () => {
    const size = view.getUint32(at, true);
    at += 4 + size;
    return asText(bytes.subarray(at - size, at)) ?? quoted(bytes.subarray(at - size, at));
  };
  return Array.from({ length: bytes.length >= 4 ? view.getUint32(0, true) : 0 }, () => [text(), text()]);
}

/** What a callback changed: lines of a diff between the snapshots before it and after it. */
function callbackChanges({ snapshots, calls }) {
  const found = [];
  PARTS.forEach((name, part) => {
    const moment = (which) => snapshots.find((each) => each[0] === part && each[1] === which)?.[2];
    const [before, after] = [moment(0), moment(1)];
    if (!before || !after) return;
    if (part < 4) {
      for (const [mark, header, value] of compared(snapshotPairs(before), snapshotPairs(after))) if (mark !== " ") found.push([mark, `${header}: ${value}`, name]);
    } else if (quoted(before) !== quoted(after)) found.push(["-", quoted(before), name], ["+", quoted(after), name]);
  });
  if (calls.some((call) => /^proxy_send_(local_response|http_response)$/.test(call.name) && call.result === 0)) found.push(["!", "answers the client itself", ""]);
  return found;
}

// ---- expectations: testing/case.py is the reference -------------------------------------------------------

const PLAIN = ["status", "body", "log", "asked", "outcome", "details", "upstream-body", "calls"];

/** What an exchange has for an expectation; null where it has none. */
function seen(exchange, what) {
  const { response, upstream_request: upstream } = exchange;
  const body = (message) => (message ? new TextDecoder().decode(unbase64(message.body)) : null);
  const header = (message, name) => {
    const values = message?.headers.filter(([key]) => key === name.toLowerCase()).map(([, value]) => value) ?? [];
    return values.length ? values.join(", ") : null;
  };
  if (what === "status") return response?.status ?? null;
  if (what === "body") return body(response);
  if (what === "log") return exchange.log.map((line) => `[${line.level}] ${line.message}`);
  if (what === "calls") return exchange.calls.map((call) => `${call.cluster}: ${call.request.method} ${call.request.path}`);
  if (what === "asked") return Boolean(upstream);
  if (what === "outcome" || what === "details") return exchange[what];
  if (what === "upstream-body") return body(upstream);
  if (what === "fuel-below") return exchange.fuel ?? null;
  const dot = what.indexOf(".");
  const name = what.slice(dot + 1);
  if (what.startsWith("response.")) return header(response, name);
  if (!upstream) return null;
  return { ":method": upstream.method, ":path": upstream.path, ":authority": upstream.authority }[name] || header(upstream, name);
}

function matches(value, found, part) {
  if (value === null || found === null) return value === null && found === null;
  const text = String(value);
  if (text === "*") return true;
  if (text.startsWith("~")) return new RegExp(text.slice(1).trim()).test(found);
  if (/^[1-5]xx$/.test(text)) return /^\d+$/.test(found) && found[0] === text[0];
  return part ? found.includes(text) : found === text;
}

function holds(exchange, [what, value]) {
  const found = seen(exchange, what);
  if (what === "log" || what === "calls") return found.some((line) => matches(value, line, true)) || (value === null && !found.length);
  if (what === "fuel-below") return found !== null && found < Number(value ?? 0);
  if (what === "asked") return found === (value === true || ["true", "yes", "1", "*"].includes(String(value).toLowerCase()));
  return matches(value, found === null ? null : String(found), false);
}

/** What of a case did not hold, in words; empty where all did. */
function misses(exchange, expect) {
  return expect.filter((each) => !holds(exchange, each)).map(([what, value]) => {
    const found = seen(exchange, what);
    const shown = found === null ? "not there" : Array.isArray(found) ? found.join(" | ") || "empty" : typeof found === "string" ? JSON.stringify(found) : String(found);
    return `${what}: ${value === null ? "not there" : value}, but it was ${shown.length > 200 ? `${shown.slice(0, 199)}…` : shown}`;
  });
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

/** A text's length and check sum, which stand for it. */
function short(text) {
  const bytes = new TextEncoder().encode(text);
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ CRC[(sum ^ byte) & 0xff];
  return `${bytes.length}:${(~sum >>> 0).toString(16).padStart(8, "0")}`;
}

/** All of an exchange that is the same in every run, in a few letters: testing/memory.py is the reference. */
function fingerprint(exchange) {
  const random = ["date", "x-request-id", "x-envoy-upstream-service-time"];
  const steady = (message) => message && [message.status ?? `${message.method} ${message.path}`, message.headers.filter(([name]) => !random.includes(name)), message.body];
  return short(JSON.stringify([exchange.outcome, steady(exchange.response), steady(exchange.upstream_request), exchange.log.map((line) => `${line.level} ${line.message.split("\n")[0]}`)]));
}

/** The results of cases with what changed against those of before: nothing where there are none. */
function withChanges(results, before) {
  const known = Object.keys(before).length > 0;
  const changeOf = (each, old) => {
    if (!old) return known ? "new" : "";
    if (Boolean(old.told) !== Boolean(each.told)) return each.told ? "now fails" : "now passes";
    return old.print === each.print ? "" : "answers differently";
  };
  return Object.fromEntries(Object.entries(results).map(([name, each]) => [name, { ...each, change: changeOf(each, before[name]) }]));
}

/** What of a memory a run of this build is compared with: the build before, or the last run where there is none. */
function against({ build, last = {}, before = {} }, now) {
  return build === now && Object.keys(before).length ? before : last;
}

/** Differences between what two engines made of one request, as lines of words. */
function differences(left, right) {
  const found = [];
  const differ = (what, a, b) => JSON.stringify(a) !== JSON.stringify(b) && found.push([what, a, b]);
  const own = ["date", "server", "x-envoy-upstream-service-time", "x-request-id"];
  const headers = (message) => {
    const groups = {};
    for (const [name, value] of message?.headers ?? []) {
      if (own.includes(name) || (name === "content-length" && value === "0")) continue;
      (groups[name] ??= []).push(value);
    }
    return groups;
  };
  const both = (what, a, b) => {
    const [x, y] = [headers(a), headers(b)];
    for (const name of [...new Set([...Object.keys(x), ...Object.keys(y)])].sort()) differ(`${what} ${name}`, x[name]?.join(" | ") ?? "absent", y[name]?.join(" | ") ?? "absent");
    differ(`${what} body`, a?.body ?? "", b?.body ?? "");
  };
  differ("outcome", left.outcome, right.outcome);
  differ("status", left.response?.status ?? "no answer", right.response?.status ?? "no answer");
  if (left.response && right.response) differ("details", left.details, right.details);
  if (left.response?.status === right.response?.status) both("response", left.response, right.response);
  differ("upstream asked", Boolean(left.upstream_request), Boolean(right.upstream_request));
  if (left.upstream_request && right.upstream_request) {
    for (const part of ["method", "path", "authority"]) differ(`upstream ${part}`, left.upstream_request[part], right.upstream_request[part]);
    both("upstream", left.upstream_request, right.upstream_request);
  }
  const lines = (exchange) => exchange.log.map((line) => `[${line.level}] ${line.message.split("\n")[0]}`);
  const [a, b] = [lines(left), lines(right)];
  for (let place = 0; place < Math.max(a.length, b.length); place++) differ(`log line ${place + 1}`, a[place] ?? "no line", b[place] ?? "no line");
  return found;
}
