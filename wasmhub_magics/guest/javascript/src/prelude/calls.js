// Call-outs: what is answered, and what waits for it.

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
