// A request and a response: there is one of each kind for all streams, as the proxy knows which it has called about.

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
