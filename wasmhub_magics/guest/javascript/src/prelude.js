// What a filter's source finds: `ctx` with its parts, `log`, `console`, and the callbacks that the proxy calls.
//
// QuickJS runs this once, when the runtime is made.
"use strict";
(() => {
  const host = globalThis.__host;
  delete globalThis.__host;
  // The order is that of FUNCTIONS in glue.c.
  const [
    LOG, GET_PROPERTY, SET_PROPERTY, RESPOND, GET, ADD, REPLACE, REMOVE, GET_PAIRS, SET_PAIRS,
    GET_BUFFER, SET_BUFFER, CONTINUE_STREAM, CLOSE_STREAM, HTTP_CALL, GET_SHARED, SET_SHARED, REGISTER_QUEUE,
    RESOLVE_QUEUE, ENQUEUE, DEQUEUE, DEFINE_METRIC, INCREMENT_METRIC, RECORD_METRIC, GET_METRIC, SET_TICK,
    EFFECTIVE, FOREIGN, GET_BYTES, LISTEN, TEXT_OF, BYTES_OF, RANDOM, EXTRA,
  ] = Array(34).keys();
  const [
    LOAD, REJECTION, SETTLE, OUTCOME, EXTRAS, RESOLVE, FILE, CONTEXT_CREATE, VM_START, CONFIGURE,
    REQUEST_HEADERS, REQUEST_BODY, REQUEST_TRAILERS, RESPONSE_HEADERS, RESPONSE_BODY, RESPONSE_TRAILERS,
    ON_LOG, DONE, DELETE, TICK, QUEUE_READY, CALL_RESPONSE,
  ] = Array(22).keys();
  const PENDING = 65536; // what the glue takes for a promise
  const CONTINUE = 0, PAUSE = 1, BUFFER = 16, WATERMARK = 17, NO_BUFFER = 18;
  const ALL = 0x7fffffff;

  const MAPS = ["request headers", "request trailers", "response headers", "response trailers"];
  const STATUS = {
    1: "there is no such thing",
    2: "not allowed here, or a wrong argument",
    3: "the value cannot be serialised",
    4: "the value cannot be parsed",
    7: "it is empty",
    8: "somebody else has changed it meanwhile",
    10: "internal failure of the proxy, or a capability that the proxy withholds",
    12: "the proxy does not have this",
  };

  class HostError extends Error {
    constructor(what, status, why) {
      super(`${what}: ${why || STATUS[status] || "refused"} (status ${status})`);
      this.status = status;
    }
    get name() { return "HostError"; }
  }

  const check = (status, what) => { if (status) throw new HostError(what, status); };
  const textOf = (bytes) => host(TEXT_OF, bytes);
  const bytesOf = (value, what) => {
    if (value instanceof Uint8Array) return value;
    if (typeof value === "string") return host(BYTES_OF, value);
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    throw new TypeError(`${what} must be a string or bytes, not ${show(value)}`);
  };

  class Bytes extends Uint8Array {
    static get [Symbol.species]() { return Uint8Array; }
    text() { return textOf(this); }
    json() { return JSON.parse(textOf(this)); }
  }
  const bytes = (data) => Object.setPrototypeOf(data, Bytes.prototype);

  // ---- headers

  const BREAK = /[\r\n\0]/;
  const headerName = (name) => {
    if (typeof name !== "string") throw new TypeError(`the name of a header must be a string, not ${show(name)}`);
    if (!name) throw new TypeError("a header needs a name");
    if (BREAK.test(name)) throw new TypeError(`a header cannot hold a line break or NUL: ${show(name)}`);
    return name;
  };
  const headerValue = (value) => {
    if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
    const plain = typeof value === "string" ? value : latin(bytesOf(value, "the value of a header"));
    if (BREAK.test(plain)) throw new TypeError(`a header cannot hold a line break or NUL: ${show(plain)}`);
    return value;
  };
  const latin = (data) => Array.from(data, (byte) => String.fromCharCode(byte)).join("");
  const entriesOf = (headers) =>
    headers == null ? [] : typeof headers[Symbol.iterator] === "function" ? [...headers] : Object.entries(headers);

  const encodePairs = (entries) => {
    const parts = entries.map(([name, value]) => [
      bytesOf(headerName(name), "the name of a header"), bytesOf(headerValue(value), "the value of a header"),
    ]);
    const size = parts.reduce((sum, [name, value]) => sum + name.length + value.length + 10, 4);
    const data = new Uint8Array(size), view = new DataView(data.buffer);
    view.setUint32(0, parts.length, true);
    let at = 4, end = 4 + 8 * parts.length;
    for (const pair of parts) {
      for (const part of pair) {
        view.setUint32(at, part.length, true);
        data.set(part, end);
        at += 4;
        end += part.length + 1;
      }
    }
    return data;
  };
  const decodePairs = (data) => {
    const found = [];
    if (data.length < 4) return found;
    const view = new DataView(data.buffer), count = view.getUint32(0, true);
    let end = 4 + 8 * count;
    const take = (size) => {
      const text = textOf(data.subarray(end, end + size));
      end += size + 1;
      return text;
    };
    for (let at = 4; at < 4 + 8 * count; at += 8) {
      found.push([take(view.getUint32(at, true)), take(view.getUint32(at + 4, true))]);
    }
    return found;
  };

  class Headers {
    #map;
    constructor(map) { this.#map = map; }
    #refuse(status) {
      const where = MAPS[this.#map];
      const callback = where.replace(/(\w+) (\w)(\w+)/, (_, side, first, rest) =>
        `on${side[0].toUpperCase()}${side.slice(1)}${first.toUpperCase()}${rest}`);
      const why = status === 2 ? `they are at hand in ${callback} only` : "";
      throw new HostError(`the ${where} cannot be used here`, status, why);
    }
    #found(value) {
      if (typeof value !== "number") return value;
      if (value === 1) return null;
      this.#refuse(value);
    }
    get(name) { return this.#found(host(GET, this.#map, headerName(name))); }
    getBytes(name) {
      const value = this.#found(host(GET_BYTES, this.#map, headerName(name)));
      return value && bytes(value);
    }
    getAll(name) {
      const wanted = headerName(name).toLowerCase();
      return this.entries().filter(([key]) => key === wanted).map(([, value]) => value);
    }
    has(name) { return this.get(name) !== null; }
    set(name, value) {
      const status = host(REPLACE, this.#map, headerName(name), headerValue(value));
      if (status) this.#refuse(status);
    }
    add(name, value) {
      const status = host(ADD, this.#map, headerName(name), headerValue(value));
      if (status) this.#refuse(status);
    }
    append(name, value) { this.add(name, value); }
    delete(name) {
      const status = host(REMOVE, this.#map, headerName(name));
      if (status) this.#refuse(status);
    }
    entries() {
      const data = host(GET_PAIRS, this.#map);
      if (typeof data === "number") this.#refuse(data);
      return decodePairs(data);
    }
    keys() { return [...new Set(this.entries().map(([name]) => name))]; }
    values() { return this.entries().map(([, value]) => value); }
    forEach(each) { for (const [name, value] of this.entries()) each(value, name, this); }
    // Put these in the place of all; of the pseudo headers, of those only that are given.
    replace(headers) {
      const given = entriesOf(headers), names = given.map(([name]) => name);
      const kept = this.entries().filter(([name]) => name[0] === ":" && !names.includes(name));
      const status = host(SET_PAIRS, this.#map, encodePairs([...kept, ...given]));
      if (status) this.#refuse(status);
    }
    [Symbol.iterator]() { return this.entries()[Symbol.iterator](); }
    toJSON() { return this.entries(); }
  }

  // ---- messages: there is one of each kind for all streams, as the proxy knows which it has called about

  class Message {
    #buffer;
    #headers;
    #trailers;
    constructor(buffer) {
      this.#buffer = buffer;
      this.#headers = new Headers(2 * buffer);
      this.#trailers = new Headers(2 * buffer + 1);
      Object.preventExtensions(this);
    }
    #write(start, size, data) {
      const status = host(SET_BUFFER, this.#buffer, start, size, bytesOf(data, "a body"));
      if (!status) return;
      const side = ["request", "response"][this.#buffer];
      const why = status === 2 ? `it can in on${["Request", "Response"][this.#buffer]}Body only` : "";
      throw new HostError(`the ${side} body cannot be changed here`, status, why);
    }
    get headers() { return this.#headers; }
    set headers(headers) { this.#headers.replace(headers); }
    get trailers() { return this.#trailers; }
    set trailers(trailers) { this.#trailers.replace(trailers); }
    get body() {
      const data = host(GET_BUFFER, this.#buffer, 0, ALL);
      return bytes(typeof data === "number" ? new Uint8Array(0) : data);
    }
    set body(data) { this.#write(0, ALL, data); }
    appendBody(data) { this.#write(ALL, 0, data); }
    prependBody(data) { this.#write(0, 0, data); }
  }

  const pseudo = (kind, name) =>
    Object.defineProperty(kind.prototype, name, {
      get() { return this.headers.get(":" + name); },
      set(value) { this.headers.set(":" + name, value); },
    });
  class Request extends Message {}
  for (const name of ["method", "path", "authority", "scheme"]) pseudo(Request, name);
  class Response extends Message {
    get status() {
      const value = this.headers.get(":status");
      return value === null ? null : Number(value);
    }
    set status(value) { this.headers.set(":status", Number(value)); }
  }
  const request = new Request(0), response = new Response(1);

  // ---- log

  const show = (value) => {
    if (typeof value === "string") return JSON.stringify(value);
    if (value instanceof Error) return describe(value);
    if (value instanceof Uint8Array) return `Uint8Array(${value.length}) [${value.join(", ")}]`;
    if (typeof value === "object" && value !== null) {
      try {
        return JSON.stringify(value) ?? String(value);
      } catch {
        return String(value);
      }
    }
    return typeof value === "function" ? `[function ${value.name}]` : String(value);
  };
  const write = (level, values) => {
    host(LOG, level, values.map((value) => (typeof value === "string" ? value : show(value))).join(" "));
  };
  const LEVELS = ["trace", "debug", "info", "warn", "error", "critical"];
  const log = (...values) => write(2, values);
  LEVELS.forEach((name, level) => { log[name] = (...values) => write(level, values); });
  globalThis.log = log;
  globalThis.console = { ...log, log, assert(good, ...values) { if (!good) write(4, ["Assertion failed:", ...values]); } };
  delete globalThis.console.critical;

  const describe = (error) => {
    if (!(error instanceof Error)) return `Uncaught ${show(error)}`;
    const lines = String(error.stack || "").split("\n").filter((line) => line && !/<prelude>|\(native\)$/.test(line));
    return [`${error.name}: ${error.message}`, ...lines].join("\n");
  };
  const failed = (error, result) => {
    let text;
    try {
      text = describe(error);
    } catch {
      text = "an error that cannot be told";
    }
    host(LOG, 4, text);
    return result;
  };

  // ---- contexts

  // What a cluster has answered, kept: the proxy has it while it tells of it only.
  class Kept {
    #entries;
    constructor(entries) { this.#entries = entries; }
    get(name) {
      const wanted = headerName(name).toLowerCase(), found = this.#entries.find(([key]) => key === wanted);
      return found ? found[1] : null;
    }
    getAll(name) {
      const wanted = headerName(name).toLowerCase();
      return this.#entries.filter(([key]) => key === wanted).map(([, value]) => value);
    }
    has(name) { return this.get(name) !== null; }
    entries() { return this.#entries.map((pair) => [...pair]); }
    keys() { return [...new Set(this.#entries.map(([name]) => name))]; }
    values() { return this.#entries.map(([, value]) => value); }
    forEach(each) { for (const [name, value] of this.#entries) each(value, name, this); }
    [Symbol.iterator]() { return this.entries()[Symbol.iterator](); }
    toJSON() { return this.entries(); }
  }
  class Answer {
    constructor() {
      const map = (kind) => {
        const data = host(GET_PAIRS, kind);
        return new Kept(typeof data === "number" ? [] : decodePairs(data));
      };
      const body = host(GET_BUFFER, 4, 0, ALL), status = (this.headers = map(6)).get(":status");
      this.trailers = map(7);
      this.status = status === null ? null : Number(status);
      this.body = bytes(typeof body === "number" ? new Uint8Array(0) : body);
      Object.freeze(this);
    }
  }
  const calls = new Map(), answered = new WeakSet();
  const milliseconds = (seconds, what) => {
    if (typeof seconds !== "number" || !(seconds >= 0) || seconds > 4e6) {
      throw new RangeError(`${what} needs seconds, not ${show(seconds)}`);
    }
    return seconds && Math.max(1, Math.trunc(seconds * 1000));
  };

  const INTEGERS = new Set((
    "request.time request.duration request.size request.total_size request.headers_bytes " +
    "response.code response.flags response.grpc_status response.size response.total_size response.headers_bytes " +
    "response.backend_latency source.port destination.port upstream.port upstream.num_endpoints " +
    "upstream.request_attempt_count upstream.cx_pool_ready_duration connection.id connection_id " +
    "xds.listener_direction").split(" "));

  class Context {
    CONTINUE = CONTINUE;
    PAUSE = PAUSE;
    BUFFER = BUFFER;
    WATERMARK = WATERMARK;
    NO_BUFFER = NO_BUFFER;
    #id;
    constructor(id) { this.#id = id; }
    get id() { return this.#id; }
    get log() { return log; }
    property(...path) {
      if (path.length === 1) path = path[0].split(".");
      const name = path.join("."), data = host(GET_PROPERTY, path.join("\0"));
      if (typeof data === "number") {
        if (data === 1 || data === 3) return null;
        throw new HostError(`the property ${name}`, data);
      }
      if (data.length === 8 && INTEGERS.has(name)) return Number(new DataView(data.buffer).getBigInt64(0, true));
      if (data.length === 1 && name === "connection.mtls") return data[0] === 1;
      const text = textOf(data);
      return text.includes("\ufffd") ? bytes(data) : text;
    }
    setProperty(name, value) {
      check(host(SET_PROPERTY, name, bytesOf(value, "the value of a property")), `the property ${name}`);
    }
    // Ask a cluster; the promise is kept with its answer, and never where the stream has ended before.
    call(cluster, path = "/", { method = "GET", headers = null, body = "", timeout = 5, authority, trailers } = {}) {
      const head = [[":method", method], [":path", path], [":authority", authority ?? cluster]];
      const pairs = encodePairs([...head, ...entriesOf(headers)]), data = bytesOf(body, "a body");
      const ends = trailers ? encodePairs(entriesOf(trailers)) : null;
      const token = host(HTTP_CALL, String(cluster), pairs, data, ends, milliseconds(timeout, "a timeout"));
      if (token < 0) {
        const why = token === -2 ? "there is no such cluster, or the call is incomplete" : "";
        throw new HostError(`the cluster ${cluster} cannot be called`, -token, why);
      }
      return new Promise((resolve) => { calls.set(token, [this, resolve]); });
    }
    // Let onTick run every so many seconds; 0 stops it.
    tick(seconds) { check(host(SET_TICK, milliseconds(seconds, "a timer")), "the timer cannot be set"); }
    // Call a function that the proxy has beyond the ABI; gives its bytes.
    foreign(name, data = "") {
      const result = host(FOREIGN, name, bytesOf(data, "the argument"));
      if (typeof result === "number") throw new HostError(`the foreign function ${name}`, result);
      return bytes(result);
    }
  }

  class Plugin extends Context {
    configuration = bytes(new Uint8Array(0));
    config = {};
    get root() { return this; }
    get vmConfiguration() {
      const data = host(GET_BUFFER, 6, 0, ALL);
      return bytes(typeof data === "number" ? new Uint8Array(0) : data);
    }
  }

  class Stream extends Context {
    endOfStream = false;
    #root;
    constructor(id, root) {
      super(id);
      this.#root = root;
    }
    get root() { return this.#root; }
    get configuration() { return this.#root.configuration; }
    get config() { return this.#root.config; }
    get request() { return request; }
    get response() { return response; }
    respond(status, headers = null, body = "", details = "") {
      if (!Number.isInteger(status) || status < 200 || status > 599) {
        throw new RangeError(`a response needs a status from 200 to 599, not ${show(status)}`);
      }
      const pairs = encodePairs(entriesOf(headers));
      check(host(RESPOND, status, details, bytesOf(body, "a body"), pairs, -1), "the response cannot be sent");
      answered.add(this);
      return PAUSE;
    }
    get vmConfiguration() { return this.#root.vmConfiguration; }
    resumeRequest() { check(host(CONTINUE_STREAM, 0), "the request cannot be resumed"); }
    resumeResponse() { check(host(CONTINUE_STREAM, 1), "the response cannot be resumed"); }
    close() { check(host(CLOSE_STREAM, 0), "the stream cannot be closed"); }
  }

  // ---- what filters count and share

  const METRICS = new Map();
  class Metric {
    #kind;
    #id = 0;
    constructor(kind, name) {
      this.#kind = kind;
      this.name = name;
    }
    get id() {
      if (!this.#id) {
        const id = host(DEFINE_METRIC, this.#kind, this.name);
        if (id < 0) throw new HostError(`the metric ${this.name} cannot be defined`, -id);
        this.#id = id;
      }
      return this.#id;
    }
    change(how, by, least) {
      if (!Number.isSafeInteger(by) || by < least) {
        throw new RangeError(`the metric ${this.name} cannot be changed by ${show(by)}`);
      }
      const wide = BigInt(by), part = (shift) => Number(BigInt.asIntN(32, wide >> shift));
      check(host(how, this.id, part(0n), part(32n)), `the metric ${this.name} cannot be changed by ${by}`);
    }
    get value() {
      const data = host(GET_METRIC, this.id);
      if (typeof data === "number") throw new HostError(`the metric ${this.name}`, data);
      return Number(new DataView(data.buffer).getBigUint64(0, true));
    }
  }
  const LEAST = Number.MIN_SAFE_INTEGER;
  class Counter extends Metric {
    add(by = 1) { this.change(INCREMENT_METRIC, by, 1); }
  }
  class Gauge extends Metric {
    add(by = 1) { this.change(INCREMENT_METRIC, by, LEAST); }
    set(value) { this.change(RECORD_METRIC, value, 0); }
  }
  class Histogram extends Metric {
    record(value) { this.change(RECORD_METRIC, value, 0); }
  }
  [["counter", Counter], ["gauge", Gauge], ["histogram", Histogram]].forEach(([title, Kind], kind) => {
    globalThis[title] = (name) => {
      if (typeof name !== "string") throw new TypeError(`the name of a metric must be a string, not ${show(name)}`);
      const key = title + " " + name;
      if (!METRICS.has(key)) METRICS.set(key, new Kind(kind, name));
      return METRICS.get(key);
    };
  });

  globalThis.shared = Object.freeze({
    // The value, and the number of its last change; [null, 0] where there is none.
    read(key) {
      const data = host(GET_SHARED, key);
      if (data === 1) return [null, 0];
      if (typeof data === "number") throw new HostError(`the shared data ${key}`, data);
      return [bytes(data), host(EXTRA)];
    },
    // Write where nobody has written since `read` gave this number; false where somebody has.
    cas(key, value, version) {
      const status = host(SET_SHARED, key, bytesOf(value, "a value"), version);
      if (status !== 8) check(status, `the shared data ${key}`);
      return status === 0;
    },
    // Write what the function makes of the value (null where there is none), whoever writes meanwhile.
    update(key, change) {
      for (;;) {
        const [before, version] = this.read(key), after = change(before);
        if (this.cas(key, after, version)) return after;
      }
    },
    get(key) { return this.read(key)[0]; },
    set(key, value) { this.cas(key, value, 0); },
    has(key) { return this.read(key)[0] !== null; },
  });

  const QUEUES = new Map();
  class Queue {
    #token;
    constructor(name, token) {
      this.name = name;
      this.#token = token;
    }
    put(data) { check(host(ENQUEUE, this.#token, bytesOf(data, "a message")), `the queue ${this.name}`); }
    // The oldest message, or null.
    get() {
      const data = host(DEQUEUE, this.#token);
      if (data === 7) return null;
      if (typeof data === "number") throw new HostError(`the queue ${this.name}`, data);
      return bytes(data);
    }
    is(token) { return token === this.#token; }
  }
  // The queue of that name: one's own, which onQueue hears of, or with a vmId that of another filter.
  globalThis.queue = (name, vmId = null) => {
    const key = `${vmId}\0${name}`;
    if (!QUEUES.has(key)) {
      const token = vmId === null ? host(REGISTER_QUEUE, name) : host(RESOLVE_QUEUE, vmId, name);
      if (token < 0) throw new HostError(`the queue ${name}`, -token, token === -1 ? "nobody has made it" : "");
      QUEUES.set(key, new Queue(name, token));
    }
    return QUEUES.get(key);
  };

  const roots = new Map(), parents = new Map(), streams = new Map();
  let first = null;
  const streamOf = (id) => {
    let stream = streams.get(id);
    if (!stream) {
      stream = new Stream(id, roots.get(parents.get(id)) ?? first);
      streams.set(id, stream);
    }
    return stream;
  };

  // ---- callbacks

  const HEADERS = { 0: 0, 1: 1, 16: 3, 17: 4 }, BODY = { 0: 0, 1: 1, 16: 1, 17: 2, 18: 3 }, TRAILERS = { 0: 0, 1: 1 };
  const MESSAGES = [
    ["onRequestHeaders", REQUEST_HEADERS, HEADERS], ["onRequestBody", REQUEST_BODY, BODY],
    ["onRequestTrailers", REQUEST_TRAILERS, TRAILERS], ["onResponseHeaders", RESPONSE_HEADERS, HEADERS],
    ["onResponseBody", RESPONSE_BODY, BODY], ["onResponseTrailers", RESPONSE_TRAILERS, TRAILERS],
  ];
  const NAMES = [
    "onVmStart", "onConfigure", "onLog", "onDone", "onDelete", "onTick", "onQueue", ...MESSAGES.map(([name]) => name),
  ];
  const FIND = `({${NAMES.map((name) => `${name}: typeof ${name} === "function" ? ${name} : null`)}})`;

  const refuseResult = (name, result) => {
    if (result instanceof Promise) throw new TypeError(`${name} cannot wait, so it cannot be async`);
    const more = name.endsWith("Body") ? "ctx.BUFFER, ctx.WATERMARK, ctx.NO_BUFFER" : "ctx.BUFFER, ctx.WATERMARK";
    const allowed = "nothing, ctx.CONTINUE, ctx.PAUSE" + (name.endsWith("Trailers") ? "" : ", " + more);
    throw new TypeError(`${name} must return ${allowed}, not ${show(result)}`);
  };
  const actionOf = (name, result, actions) => {
    if (result === undefined || result === null) return 0;
    if (typeof result !== "number" || !(result in actions)) refuseResult(name, result);
    return actions[result];
  };
  let waiting = null; // what became of the promise that a callback has just returned
  const later = (stream, name, promise, actions) => {
    const state = waiting = { parked: false, action: 0 };
    promise.then((result) => {
      state.action = actionOf(name, result, actions);
      state.done = true;
      if (!state.parked || state.action || answered.has(stream) || streams.get(stream.id) !== stream) return;
      if (name.startsWith("onRequest")) stream.resumeRequest();
      else stream.resumeResponse();
    });
    return PENDING;
  };
  host(LISTEN, OUTCOME, () => {
    // Where a call is still awaited, its answer lets the message go on.
    const settled = waiting.done === true;
    waiting.parked = !settled;
    return settled ? waiting.action : PAUSE;
  });
  const message = (name, callback, actions) => (id, end) => {
    try {
      const stream = streamOf(id);
      stream.endOfStream = actions === TRAILERS || end === 1;
      const result = callback(stream);
      if (result instanceof Promise) return later(stream, name, result, actions);
      return actionOf(name, result, actions);
    } catch (error) {
      return failed(error, -1);
    }
  };
  const telling = (callback) => (id, token) => {
    try {
      const plugin = roots.get(id);
      if (token !== undefined) plugin.queue = [...QUEUES.values()].find((queue) => queue.is(token)) ?? null;
      callback(plugin);
      return 0;
    } catch (error) {
      return failed(error, -1);
    }
  };
  host(LISTEN, CALL_RESPONSE, (_root, token) => {
    const entry = calls.get(token);
    calls.delete(token);
    if (!entry) return 0;
    const [context, resolve] = entry;
    try {
      if (context instanceof Stream) {
        if (streams.get(context.id) !== context) return 0; // it has ended
        check(host(EFFECTIVE, context.id), "the stream cannot be reached");
      }
      resolve(new Answer());
      return 0;
    } catch (error) {
      return failed(error, -1);
    }
  });
  const ending = (callback) => (id) => {
    if (roots.has(id)) return 1;
    try {
      callback(streamOf(id));
      return 1;
    } catch (error) {
      return failed(error, -1);
    }
  };
  const ask = (name, callback, root) => {
    if (!callback) return 1;
    const result = callback(root);
    if (result instanceof Promise) refuseResult(name, result);
    if (result === undefined || result) return 1;
    log.error(`${name} refused: it returned ${show(result)}`);
    return 0;
  };
  const parsed = (text) => {
    if (!text.trim()) return {};
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  };

  // ---- what a filter was built with: constants, and further files that it imports

  const rejected = new Map();
  let found = null;
  let files = {}, isModule = false;
  host(LISTEN, EXTRAS, (json) => {
    const given = JSON.parse(json);
    files = given.files;
    isModule = given.module;
    for (const [name, value] of Object.entries(given.defines)) {
      Object.defineProperty(globalThis, name, { value, configurable: true });
    }
    globalThis.__found = (callbacks) => { found = callbacks; };
    return 0;
  });
  host(LISTEN, RESOLVE, (base, name) => {
    const parts = name.startsWith(".") && files[base] !== undefined ? base.split("/").slice(0, -1) : [];
    for (const part of name.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== ".") parts.push(part);
    }
    const path = parts.join("/");
    if (files[path] === undefined) throw new ReferenceError(`there is no file ${path}; it was not built in`);
    return path;
  });
  host(LISTEN, FILE, (name) => (name ? (/\.json$/.test(name) ? `export default ${files[name]}` : files[name]) : `\n__found(${FIND});`));

  const evaluate = eval; // in the scope of the filter's source
  host(LISTEN, LOAD, (bad, error) => {
    try {
      rejected.clear();
      if (bad) return failed(error, 0);
      if (!found && isModule) throw new Error("a filter cannot wait while it starts: there is an await at the top level");
      found ??= evaluate(FIND);
      delete globalThis.__found;
      for (const [name, number, actions] of MESSAGES) {
        if (found[name]) host(LISTEN, number, message(name, found[name], actions));
      }
      if (found.onTick) host(LISTEN, TICK, telling(found.onTick));
      if (found.onQueue) host(LISTEN, QUEUE_READY, telling(found.onQueue));
      if (found.onLog) host(LISTEN, ON_LOG, ending(found.onLog));
      if (found.onDone) host(LISTEN, DONE, ending(found.onDone));
      const last = found.onDelete && ending(found.onDelete);
      host(LISTEN, DELETE, (id) => { // also what a stream keeps must go with it
        if (roots.delete(id)) {
          first = roots.values().next().value ?? first;
          return 0;
        }
        const result = last ? last(id) : 0;
        streams.delete(id);
        parents.delete(id);
        return result;
      });
      return 1;
    } catch (failure) {
      return failed(failure, 0);
    }
  });
  host(LISTEN, CONTEXT_CREATE, (id, parent) => {
    if (parent) {
      parents.set(id, parent);
    } else if (!roots.has(id)) {
      roots.set(id, new Plugin(id));
      first = roots.values().next().value;
    }
    return 0;
  });
  host(LISTEN, VM_START, (id) => {
    try {
      return ask("onVmStart", found.onVmStart, roots.get(id));
    } catch (error) {
      return failed(error, 0);
    }
  });
  host(LISTEN, CONFIGURE, (id) => {
    try {
      const root = roots.get(id), data = host(GET_BUFFER, 7, 0, ALL);
      root.configuration = bytes(typeof data === "number" ? new Uint8Array(0) : data);
      root.config = parsed(root.configuration.text());
      return ask("onConfigure", found.onConfigure, root);
    } catch (error) {
      return failed(error, 0);
    }
  });

  // A promise that is rejected and handled by nobody when a callback has ended is an error like any other.
  host(LISTEN, REJECTION, (promise, reason, handled) => {
    if (handled) rejected.delete(promise);
    else rejected.set(promise, reason);
    return 0;
  });
  host(LISTEN, SETTLE, () => {
    if (!rejected.size) return 0;
    for (const reason of rejected.values()) failed(reason);
    return -1;
  });

  // ---- what the language has elsewhere

  let chance = new Float64Array(0), drawn = 0;
  Math.random = () => {
    if (drawn === chance.length) {
      const words = new Uint32Array(host(RANDOM).buffer);
      chance = Float64Array.from({ length: words.length / 2 }, (_, i) =>
        ((words[2 * i] >>> 5) * 67108864 + (words[2 * i + 1] >>> 6)) / 9007199254740992);
      drawn = 0;
    }
    return chance[drawn++];
  };
  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return host(BYTES_OF, String(text)); }
  }
  class TextDecoder {
    get encoding() { return "utf-8"; }
    decode(data = new Uint8Array(0)) { return textOf(bytesOf(data, "the data")); }
  }
  for (const [name, value] of Object.entries({ TextEncoder, TextDecoder, HostError })) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
})();
