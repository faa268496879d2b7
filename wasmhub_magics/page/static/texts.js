/** Requests as text: read from what people paste, written for where they want them. formats/ is the reference. */

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/** A request as plain data; a URL is taken apart, the host header becomes the authority. */
function makeRequest({ method = "GET", url = "/", headers = [], body = new Uint8Array(), chunks = [], trailers = [], authority = "" }) {
  let scheme = "http";
  let path = url;
  const found = /^(\w+):\/\/([^/?#]*)(.*)$/.exec(url);
  if (found) {
    scheme = found[1];
    authority ||= found[2].slice(found[2].lastIndexOf("@") + 1);
    path = found[3].split("#")[0];
    if (!path.startsWith("/")) path = `/${path}`;
  }
  const lower = headers.map(([name, value]) => [name.toLowerCase(), value]);
  authority ||= lower.find(([name]) => name === "host")?.[1] || "localhost";
  return { method, path, authority, scheme, headers: lower.filter(([name]) => name !== "host"), body: base64(body), chunks, trailers: trailers.map(([name, value]) => [name.toLowerCase(), value]) };
}

/** The requests in a text; what kind it is, is found out. */
function readRequests(text) {
  const told = text.trim();
  if (!told) throw new Mistake("there is nothing to read", "paste a curl line, a HAR file, a log line");
  if (told.startsWith("{")) return readHar(told);
  if (/^curl(\.exe)?\s/.test(told)) {
    return told.replace(/[\\^`]\r?\n\s*/g, " ").split(/(?:^|\n)\s*(?=curl(?:\.exe)?\s)/).filter((part) => part.trim()).map(readCurl);
  }
  const first = told.split("\n")[0].trim();
  if (/^###|^(\/\/|#) /m.test(told)) {
    const parts = told.split(/^###.*$/m).map((part) => part.replace(/^(\s*(#|\/\/|@).*\n|\s*\n)+/, "").trimEnd());
    const found = parts.filter((part) => part.trim()).map(readMessage);
    if (!found.length) throw new Mistake("there is no request in this file", "write GET /path, headers, a blank, a body");
    return found;
  }
  if (/^[A-Z]{3,12} \S+ HTTP\/\d(\.\d)?\s*$/.test(first) || /^[A-Z]{3,12} (https?:\/\/\S+|\/\S*)(\s+HTTP\/\S+)?$/.test(first)) return [readMessage(text.replace(/^[\r\n]+/, ""))];
  if (LOGS.some((pattern) => pattern.test(first))) return told.split("\n").filter((line) => line.trim()).map(readLog);
  if (!told.includes("\n")) return [readCurl(told)];
  throw new Mistake(`nobody can tell what this is: ${first.slice(0, 80)}`, "paste a curl line, a HAR file, access-log lines, a raw HTTP message or a .http file");
}

/** The words of a shell's line. */
function shellWords(line) {
  const words = [];
  const pattern = /\s+|\$'((?:[^'\\]|\\.)*)'|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\$]+|\$)/gsy;
  let word = null;
  let at = 0;
  for (let found; at < line.length && (found = pattern.exec(line)); at = pattern.lastIndex) {
    const [whole, ansi, single, double, escaped, plain] = found;
    if (/^\s/.test(whole)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (ansi !== undefined) {
      word = (word ?? "") + ansi.replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/gs, (_, code) => (/^[ux]./.test(code) ? String.fromCharCode(parseInt(code.slice(1), 16)) : { n: "\n", r: "\r", t: "\t" }[code] ?? code));
    } else if (double !== undefined) word = (word ?? "") + double.replace(/\\(["\\$`\n])/g, "$1");
    else word = (word ?? "") + (single ?? escaped ?? plain);
  }
  if (at < line.length) throw new Mistake("the command line cannot be split: no closing quotation", "close the quote, or escape it");
  if (word !== null) words.push(word);
  return words;
}

const CURL_VALUES = { X: "request", H: "header", d: "data", A: "agent", e: "referer", b: "cookie", u: "user", o: "", w: "", m: "", x: "", E: "", D: "", c: "" };
const CURL_LONG = { request: "request", header: "header", data: "data", "data-ascii": "data", "data-raw": "raw", "data-binary": "raw", json: "json", "user-agent": "agent", referer: "referer", cookie: "cookie", user: "user", url: "url", chunks: "chunks", trailer: "trailer" };
const CURL_PASSED = ["output", "write-out", "max-time", "proxy", "cert", "dump-header", "cookie-jar", "connect-timeout", "cacert", "key", "resolve", "retry", "max-redirs"];
const CURL_SWITCHES = ["silent", "show-error", "verbose", "include", "insecure", "location", "fail", "globoff", "no-buffer", "http1.0", "ipv4", "ipv6", "remote-name", "progress-bar", "http1.1", "http2", "http2-prior-knowledge", "http3", "fail-with-body", "no-keepalive", "head", "get", "compressed"];

function readCurl(line) {
  const words = shellWords(line.trim().replace(/[;&|]+$/, ""));
  if (/^curl(\.exe)?$/.test(words[0])) words.shift();
  const given = { header: [], data: [], trailer: [] };
  const plain = [];
  const take = (name, value) => {
    if (value === undefined) throw new Mistake("the request cannot be read: a flag has no value", "write it as for curl");
    if (name === "header" || name === "trailer") given[name].push(value);
    else if (name === "data" || name === "raw" || name === "json") {
      if (name !== "raw" && value.startsWith("@")) throw new Mistake(`the body cannot be read: ${value.slice(1)}`, "a page reads no file: choose it under Body");
      given.data.push(value);
      if (name === "json") given.json = true;
    } else if (name) given[name] = value;
  };
  for (let word; (word = words.shift()) !== undefined; ) {
    const long = /^--([^=]+)(?:=(.*))?$/s.exec(word);
    if (long) {
      if (long[1] in CURL_LONG) take(CURL_LONG[long[1]], long[2] ?? words.shift());
      else if (CURL_PASSED.includes(long[1])) long[2] ?? words.shift();
      else if (CURL_SWITCHES.includes(long[1])) given[`--${long[1]}`] = true;
      else throw new Mistake(`the request cannot be read: unrecognized arguments: ${word}`, "write it as for curl");
    } else if (/^-[a-zA-Z0-9#]/.test(word)) {
      for (let at = 1; at < word.length; at++) {
        if (word[at] in CURL_VALUES) {
          take(CURL_VALUES[word[at]], word.slice(at + 1) || words.shift());
          break;
        }
        if (!"sSvikLfgN046O#IG".includes(word[at])) throw new Mistake(`the request cannot be read: unrecognized arguments: ${word}`, "write it as for curl");
        if (word[at] === "I") given["--head"] = true;
        if (word[at] === "G") given["--get"] = true;
      }
    } else plain.push(word);
  }
  let method = given.request;
  if (METHODS.includes(plain[0])) {
    const first = plain.shift();
    method ??= first;
  }
  if (given.url !== undefined) plain.push(given.url);
  if (plain.length > 1) throw new Mistake(`one path or URL is wanted, not ${plain.length}: ${plain.join(" ")}`, "put quotes around words with spaces; flags are those of curl");
  let url = plain[0] ?? "/";
  if (!url.includes("://") && !url.startsWith("/")) url = `http://${url}`;
  const headers = given.header.map(readCurlHeader);
  const named = headers.map(([name]) => name.toLowerCase());
  const usual = (name, value) => value !== undefined && !named.includes(name) && headers.push([name, value]);
  let body = given.data.join("&");
  usual("user-agent", given.agent);
  usual("referer", given.referer);
  usual("cookie", given.cookie);
  usual("accept-encoding", given["--compressed"] ? "deflate, gzip, br, zstd" : undefined);
  if (given.user !== undefined) usual("authorization", `Basic ${textBase64(given.user)}`);
  if (given.json) {
    usual("content-type", "application/json");
    usual("accept", "application/json");
  } else if (body && !given["--get"]) usual("content-type", "application/x-www-form-urlencoded");
  if (given["--get"] && body) {
    url += (url.includes("?") ? "&" : "?") + body;
    body = "";
  }
  method ??= given["--head"] ? "HEAD" : body || given.json ? "POST" : "GET";
  const chunks = (given.chunks ?? "").split(",").filter(Boolean).map(Number);
  return makeRequest({ method, url, headers: headers.filter(([, value]) => value !== null), body: new TextEncoder().encode(body), chunks, trailers: given.trailer.map(readCurlHeader) });
}

function readCurlHeader(text) {
  const colon = text.indexOf(":");
  if (colon < 0 && text.endsWith(";")) return [text.slice(0, -1).trim(), ""];
  if (colon < 1) throw new Mistake(`${JSON.stringify(text)} is no header`, "write -H 'name: value'");
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim() || null];
}

function readMessage(text) {
  const end = /\r?\n\r?\n/.exec(text);
  const head = end ? text.slice(0, end.index) : text;
  let body = end ? text.slice(end.index + end[0].length) : "";
  const lines = head.split(/\r?\n/);
  const words = lines[0].trim().split(/\s+/);
  if (words.length < 2 || words.length > 3 || (words[2] && !words[2].startsWith("HTTP/"))) throw new Mistake(`${JSON.stringify(lines[0].slice(0, 80))} is no request line`, "start with: GET /path HTTP/1.1");
  const headers = [];
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    if (/^[ \t]/.test(line) && headers.length) headers.at(-1)[1] += ` ${line.trim()}`;
    else if (colon < 0) throw new Mistake(`${JSON.stringify(line.slice(0, 80))} is no header`, "write one a line, as name: value");
    else headers.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
  }
  const coding = headers.find(([name]) => name.toLowerCase() === "transfer-encoding")?.[1] ?? "";
  const chunks = [];
  const trailers = [];
  if (coding.toLowerCase() === "chunked") {
    const lineEnd = body.includes("\r\n") ? "\r\n" : "\n";
    let whole = "";
    for (;;) {
      const place = body.indexOf(lineEnd);
      const line = place < 0 ? body : body.slice(0, place);
      const size = /^[0-9a-fA-F]+\s*(;|$)/.test(line) ? parseInt(line, 16) : NaN;
      if (Number.isNaN(size)) throw new Mistake(`${JSON.stringify(line.slice(0, 40))} is no size of a chunk`, "leave transfer-encoding out and write the body as it is");
      body = place < 0 ? "" : body.slice(place + lineEnd.length);
      if (!size || place < 0) break;
      whole += body.slice(0, size);
      chunks.push(size);
      body = body.slice(size + lineEnd.length);
    }
    for (const line of body.split(lineEnd)) if (line.includes(":")) trailers.push([line.slice(0, line.indexOf(":")).trim(), line.slice(line.indexOf(":") + 1).trim()]);
    body = whole;
  }
  const kept = headers.filter(([name]) => !["transfer-encoding", "content-length"].includes(name.toLowerCase()));
  return makeRequest({ method: words[0], url: words[1], headers: kept, body: new TextEncoder().encode(body), chunks: chunks.slice(0, -1), trailers });
}

const LOGS = [
  /^\[(?<time>[^\]]+)\] "(?<method>[A-Z]+) (?<path>\S+) HTTP\/[\d.]+" (?<status>\d+) \S+ \d+ \d+ \S+ \S+ "(?<client>[^"]*)" "(?<agent>[^"]*)" "(?<id>[^"]*)" "(?<authority>[^"]*)"/,
  /^\[(?<time>[^\]]+)\] "(?<method>[A-Z]+) (?<path>\S+) HTTP\/[\d.]+" (?<status>\d+) .*?"(?<client>[^"]*)" "(?<agent>[^"]*)" "(?<id>[^"]*)" "(?<authority>[^"]*)" "/,
  /^(?<client>\S+) \S+ \S+ \[(?<time>[^\]]+)\] "(?<method>[A-Z]+) (?<path>\S+)(?: HTTP\/[\d.]+)?" (?<status>\d{3}) \S+(?: "(?<referer>[^"]*)" "(?<agent>[^"]*)")?/,
];

function readLog(line) {
  const found = LOGS.map((pattern) => pattern.exec(line.trim())).find(Boolean);
  if (!found) throw new Mistake(`${JSON.stringify(line.slice(0, 80))} is no line of an access log`, "lines of Apache, nginx (combined), Envoy and Istio are read");
  return logged(found.groups);
}

function logged(parts) {
  const told = (name) => (parts[name] && parts[name] !== "-" ? parts[name] : undefined);
  const headers = [["agent", "user-agent"], ["referer", "referer"], ["id", "x-request-id"], ["client", "x-forwarded-for"]].filter(([name]) => told(name)).map(([name, header]) => [header, told(name)]);
  return makeRequest({ method: told("method"), url: told("path"), headers, authority: told("authority") ?? "" });
}

const JSON_LOG = { method: ["method", "request_method", ":METHOD"], path: ["path", "request_uri", "uri", "x-envoy-original-path"], authority: ["authority", "host", "http_host"], agent: ["user_agent", "user-agent", "http_user_agent"], client: ["x_forwarded_for", "x-forwarded-for", "http_x_forwarded_for"], referer: ["referer", "http_referer"], id: ["request_id", "x-request-id"] };

function readHar(text) {
  const wrong = (why) => new Mistake(`this JSON is no HAR file: ${why}`, "save it by the browser's network panel: Save all as HAR");
  let content;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new Mistake(`this is not JSON: ${error.message}`, "paste the whole HAR file");
  }
  let entries = content.log?.entries ?? (content.request?.url ? [content] : content.url && content.method ? [{ request: content }] : null);
  if (!entries) {
    const parts = Object.fromEntries(Object.entries(JSON_LOG).map(([part, names]) => [part, names.map((name) => content[name]).find((value) => value && value !== "-")]));
    if (parts.method && parts.path) return [logged(parts)];
  }
  if (!Array.isArray(entries) || !entries.length) throw wrong("it has no log.entries");
  return entries.map(({ request }) => {
    if (!request?.url) throw wrong("an entry is not as HAR 1.2 has it");
    const data = request.postData ?? {};
    const plain = data.text || (data.params ?? []).map((pair) => `${pair.name}=${pair.value ?? ""}`).join("&");
    const body = data.encoding === "base64" ? unbase64(data.text) : new TextEncoder().encode(plain);
    const headers = (request.headers ?? []).map(({ name, value }) => [name, value]).filter(([name]) => name[0] !== ":" && !["content-length", "transfer-encoding", "connection"].includes(name.toLowerCase()));
    return makeRequest({ method: request.method, url: request.url, headers, body });
  });
}

// ---- writing ---------------------------------------------------------------------------------------------

const shellQuoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);
const pythonText = (text) => {
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  return text.includes("'") && !text.includes('"') ? `"${inner}"` : `'${inner.replaceAll("'", "\\'")}'`;
};

function requestText(request) {
  const text = asText(unbase64(request.body));
  if (text === null) throw new Mistake("the body is not text, which this form cannot carry", "write it as python");
  return text;
}

const urlOf = (request) => `${request.scheme ?? "http"}://${request.authority}${request.path}`;

function pythonRequest(request) {
  const pairs = (list) => `[${list.map(([name, value]) => `(${pythonText(name)}, ${pythonText(value)})`).join(", ")}]`;
  const body = unbase64(request.body);
  const text = asText(body);
  const parts = [pythonText(request.method), pythonText(request.path)];
  if (request.headers.length) parts.push(`headers=${pairs(request.headers)}`);
  if (body.length) parts.push(`body=${text === null ? `bytes.fromhex('${[...body].map((byte) => byte.toString(16).padStart(2, "0")).join("")}')` : pythonText(text)}`);
  if (request.trailers.length) parts.push(`trailers=${pairs(request.trailers)}`);
  if (request.chunks.length) parts.push(`chunks=[${request.chunks.join(", ")}]`);
  if (request.authority !== "localhost") parts.push(`authority=${pythonText(request.authority)}`);
  if ((request.scheme ?? "http") !== "http") parts.push(`scheme=${pythonText(request.scheme)}`);
  return `Request(${parts.join(", ")})`;
}

const FORMS = {
  curl(request) {
    const words = ["curl"];
    const text = requestText(request);
    if (request.method === "HEAD") words.push("--head");
    else if (request.method !== (text ? "POST" : "GET")) words.push("-X", request.method);
    for (const [name, value] of request.headers) words.push("-H", value ? `${name}: ${value}` : `${name};`);
    if (text) {
      if (!request.headers.some(([name]) => name === "content-type")) words.push("-H", "content-type:");
      words.push(text[0] === "@" ? "--data-raw" : "--data-binary", text);
    }
    for (const [name, value] of request.trailers) words.push("--trailer", `${name}: ${value}`);
    if (request.chunks.length) words.push("--chunks", request.chunks.join(","));
    return [...words, urlOf(request)].map(shellQuoted).join(" ");
  },
  python: (request, name) => `from wasmhub_magics import Request, load\n\nexchange = load('${name}.wasm').send(${pythonRequest(request)})\nprint(exchange)\n`,
  http: (request, name) => `### ${name}\n${request.method} ${urlOf(request)} HTTP/1.1\n${request.headers.map(([key, value]) => `${key}: ${value}\n`).join("")}\n${requestText(request)}`,
  pytest(request, name, exchange) {
    const identifier = name.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "") || "filter";
    const status = exchange?.response?.status ?? 200;
    return `from wasmhub_magics import Request, load\n\n\ndef test_${identifier}_answers() -> None:\n    made = load('${name}.wasm')\n    exchange = made.send(${pythonRequest(request)})\n    assert exchange.response is not None\n    assert exchange.response.status == ${status}\n`;
  },
};
