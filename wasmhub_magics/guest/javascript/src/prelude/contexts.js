// A stream and a plugin: what callbacks are called with.

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
