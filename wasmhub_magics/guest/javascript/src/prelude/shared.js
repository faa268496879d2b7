// What filters count and share.

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
