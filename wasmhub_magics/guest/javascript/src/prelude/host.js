// The host's functions, and the values that go to it and come from it.

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
