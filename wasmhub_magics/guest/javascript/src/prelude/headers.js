// The headers and trailers of a message.

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
