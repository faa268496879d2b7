// Proxy-Wasm filters in AssemblyScript: what `import { ... } from "proxy_wasm"` gives.
//
// A filter exports the callbacks it wants, such as
//
//     export function onRequestHeaders(stream: Stream): void {
//       stream.request.headers.set("x-hello", "AssemblyScript");
//     }

import { ORIGIN } from "origin";

// --- the ABI ---------------------------------------------------------------------------------------------------

export namespace abi {
  @external("env", "proxy_log")
  export declare function log(level: u32, text: usize, size: u32): u32;
  @external("env", "proxy_get_status")
  export declare function getStatus(code: usize, message: usize, size: usize): u32;
  @external("env", "proxy_get_property")
  export declare function getProperty(path: usize, pathSize: u32, value: usize, size: usize): u32;
  @external("env", "proxy_set_property")
  export declare function setProperty(path: usize, pathSize: u32, value: usize, size: u32): u32;
  @external("env", "proxy_send_local_response")
  export declare function sendLocalResponse(status: u32, details: usize, detailsSize: u32, body: usize, bodySize: u32, headers: usize, headersSize: u32, grpcStatus: i32): u32;
  @external("env", "proxy_get_header_map_value")
  export declare function getHeaderMapValue(map: u32, key: usize, keySize: u32, value: usize, size: usize): u32;
  @external("env", "proxy_add_header_map_value")
  export declare function addHeaderMapValue(map: u32, key: usize, keySize: u32, value: usize, size: u32): u32;
  @external("env", "proxy_replace_header_map_value")
  export declare function replaceHeaderMapValue(map: u32, key: usize, keySize: u32, value: usize, size: u32): u32;
  @external("env", "proxy_remove_header_map_value")
  export declare function removeHeaderMapValue(map: u32, key: usize, keySize: u32): u32;
  @external("env", "proxy_get_header_map_pairs")
  export declare function getHeaderMapPairs(map: u32, pairs: usize, size: usize): u32;
  @external("env", "proxy_set_header_map_pairs")
  export declare function setHeaderMapPairs(map: u32, pairs: usize, size: u32): u32;
  @external("env", "proxy_get_buffer_bytes")
  export declare function getBufferBytes(buffer: u32, start: u32, most: u32, bytes: usize, size: usize): u32;
  @external("env", "proxy_set_buffer_bytes")
  export declare function setBufferBytes(buffer: u32, start: u32, size: u32, bytes: usize, bytesSize: u32): u32;
  @external("env", "proxy_http_call")
  export declare function httpCall(cluster: usize, clusterSize: u32, headers: usize, headersSize: u32, body: usize, bodySize: u32, trailers: usize, trailersSize: u32, timeout: u32, token: usize): u32;
  @external("env", "proxy_get_shared_data")
  export declare function getSharedData(key: usize, keySize: u32, value: usize, size: usize, cas: usize): u32;
  @external("env", "proxy_set_shared_data")
  export declare function setSharedData(key: usize, keySize: u32, value: usize, size: u32, cas: u32): u32;
  @external("env", "proxy_register_shared_queue")
  export declare function registerSharedQueue(name: usize, size: u32, queue: usize): u32;
  @external("env", "proxy_resolve_shared_queue")
  export declare function resolveSharedQueue(vmId: usize, vmIdSize: u32, name: usize, size: u32, queue: usize): u32;
  @external("env", "proxy_enqueue_shared_queue")
  export declare function enqueueSharedQueue(queue: u32, value: usize, size: u32): u32;
  @external("env", "proxy_dequeue_shared_queue")
  export declare function dequeueSharedQueue(queue: u32, value: usize, size: usize): u32;
  @external("env", "proxy_define_metric")
  export declare function defineMetric(kind: u32, name: usize, size: u32, metric: usize): u32;
  @external("env", "proxy_increment_metric")
  export declare function incrementMetric(metric: u32, offset: i64): u32;
  @external("env", "proxy_record_metric")
  export declare function recordMetric(metric: u32, value: u64): u32;
  @external("env", "proxy_get_metric")
  export declare function getMetric(metric: u32, value: usize): u32;
  @external("env", "proxy_set_tick_period_milliseconds")
  export declare function setTickPeriod(period: u32): u32;
  @external("env", "proxy_get_current_time_nanoseconds")
  export declare function getTime(time: usize): u32;
  @external("env", "proxy_set_effective_context")
  export declare function setEffectiveContext(context: u32): u32;
  @external("env", "proxy_done")
  export declare function done(): u32;
  @external("env", "proxy_call_foreign_function")
  export declare function callForeignFunction(name: usize, nameSize: u32, argument: usize, size: u32, result: usize, resultSize: usize): u32;
  @external("env", "proxy_continue_stream")
  export declare function continueStream(direction: u32): u32;
  @external("env", "proxy_close_stream")
  export declare function closeStream(direction: u32): u32;
  @external("wasi_snapshot_preview1", "random_get")
  export declare function random(bytes: usize, size: u32): u32;
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const EMPTY: u32 = 7;
const CAS_MISMATCH: u32 = 8;
const ALL: u32 = 0x7fffffff;

function check(status: u32, what: string): void {
  if (status != OK) throw new Error(what + " (status " + status.toString() + ")");
}

// Where host functions write what they give: a pointer, a size, a number.
const out = memory.data(24, 8);

// What a host function has given: the bytes are the host's allocation, which ends here.
function given(): Uint8Array {
  const at = load<usize>(out), size = load<u32>(out, 4);
  const bytes = new Uint8Array(size);
  memory.copy(bytes.dataStart, at, size);
  if (at) heap.free(at);
  return bytes;
}

function givenText(): string {
  const at = load<usize>(out), size = load<u32>(out, 4);
  const text = String.UTF8.decodeUnsafe(at, size);
  if (at) heap.free(at);
  return text;
}

function clear(): void {
  memory.fill(out, 0, 24);
}

export function allocate(size: u32): usize {
  return heap.alloc(size);
}

function utf8(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

export function decode(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

export function encode(text: string): Uint8Array {
  return utf8(text);
}

// --- what callbacks return -------------------------------------------------------------------------------------

/** What becomes of the message; a callback that returns nothing lets it go on. */
export enum Action {
  /** It goes on. */
  Continue = 0,
  /** It waits for `resumeRequest` or `resumeResponse`; a body is collected meanwhile. */
  Pause = 1,
  /** It waits, and the body is collected; beyond the proxy's limit the request fails. */
  Buffer = 16,
  /** It waits, and the sender is slowed down when much has been collected. */
  Watermark = 17,
  /** (Body only) it waits, and this piece of it is dropped. */
  NoBuffer = 18,
}

// --- headers ---------------------------------------------------------------------------------------------------

export class Header {
  constructor(public name: string, public value: string) {}
}

function encodePairs(headers: Header[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 4;
  for (let i = 0; i < headers.length; i++) {
    parts.push(utf8(headers[i].name));
    parts.push(utf8(headers[i].value));
    size += 10 + parts[2 * i].length + parts[2 * i + 1].length;
  }
  const data = new Uint8Array(size);
  store<u32>(data.dataStart, headers.length);
  let at = data.dataStart + 4, end = at + 8 * headers.length;
  for (let i = 0; i < parts.length; i++) {
    store<u32>(at, parts[i].length);
    memory.copy(end, parts[i].dataStart, parts[i].length);
    at += 4;
    end += parts[i].length + 1;
  }
  return data;
}

function decodePairs(data: Uint8Array): Header[] {
  const found: Header[] = [];
  if (data.length < 4) return found;
  const count = load<u32>(data.dataStart);
  let at = data.dataStart + 4, end = at + 8 * count;
  for (let i: u32 = 0; i < count; i++, at += 8) {
    const nameSize = load<u32>(at), valueSize = load<u32>(at, 4);
    const name = String.UTF8.decodeUnsafe(end, nameSize);
    const value = String.UTF8.decodeUnsafe(end + nameSize + 1, valueSize);
    found.push(new Header(name, value));
    end += nameSize + valueSize + 2;
  }
  return found;
}

const MAPS: StaticArray<string> = [
  "request headers", "request trailers", "response headers", "response trailers",
  "gRPC initial metadata", "gRPC trailing metadata", "headers of a call-out", "trailers of a call-out",
];

/** Headers or trailers. Names are case-insensitive, and come in lower case. */
export class Headers {
  constructor(private map: u32) {}

  private check(status: u32): void {
    if (status != OK) check(status, "the " + MAPS[this.map] + " cannot be used here");
  }

  private find(name: string): bool {
    const key = utf8(name);
    clear();
    const status = abi.getHeaderMapValue(this.map, key.dataStart, key.length, out, out + 4);
    if (status == NOT_FOUND) return false;
    this.check(status);
    return true;
  }

  /** The first value of that name, or null. */
  get(name: string): string | null {
    return this.find(name) ? givenText() : null;
  }

  /** The exact bytes of the first value, or null. */
  getBytes(name: string): Uint8Array | null {
    return this.find(name) ? given() : null;
  }

  /** All values of that name. */
  getAll(name: string): string[] {
    const found: string[] = [], entries = this.entries(), wanted = name.toLowerCase();
    for (let i = 0; i < entries.length; i++) if (entries[i].name == wanted) found.push(entries[i].value);
    return found;
  }

  has(name: string): bool {
    return this.get(name) !== null;
  }

  /** Put one entry in the place of all of that name. */
  set(name: string, value: string): void {
    const key = utf8(name), bytes = utf8(value);
    this.check(abi.replaceHeaderMapValue(this.map, key.dataStart, key.length, bytes.dataStart, bytes.length));
  }

  /** Add one more entry. */
  add(name: string, value: string): void {
    const key = utf8(name), bytes = utf8(value);
    this.check(abi.addHeaderMapValue(this.map, key.dataStart, key.length, bytes.dataStart, bytes.length));
  }

  /** Remove all entries of that name; none is fine. */
  remove(name: string): void {
    const key = utf8(name);
    this.check(abi.removeHeaderMapValue(this.map, key.dataStart, key.length));
  }

  /** All entries. */
  entries(): Header[] {
    clear();
    this.check(abi.getHeaderMapPairs(this.map, out, out + 4));
    return decodePairs(given());
  }

  /** Put these in the place of all. */
  replaceAll(headers: Header[]): void {
    const pairs = encodePairs(headers);
    this.check(abi.setHeaderMapPairs(this.map, pairs.dataStart, pairs.length));
  }
}

// --- messages --------------------------------------------------------------------------------------------------

function readBuffer(buffer: u32): Uint8Array {
  clear();
  return abi.getBufferBytes(buffer, 0, ALL, out, out + 4) == OK ? given() : new Uint8Array(0);
}

/** One side of a stream. Remove `content-length` in the headers callback before you change a body. */
export class Message {
  headers: Headers;
  trailers: Headers;

  constructor(private buffer: u32) {
    this.headers = new Headers(2 * buffer);
    this.trailers = new Headers(2 * buffer + 1);
  }

  private write(start: u32, size: u32, bytes: Uint8Array): void {
    check(abi.setBufferBytes(this.buffer, start, size, bytes.dataStart, bytes.length), "the body cannot be changed here");
  }

  /** The body at hand: this piece, or after a pause all of it. */
  get body(): Uint8Array {
    return readBuffer(this.buffer);
  }

  set body(bytes: Uint8Array) {
    this.write(0, ALL, bytes);
  }

  /** The body as text. */
  get text(): string {
    return decode(this.body);
  }

  set text(text: string) {
    this.write(0, ALL, utf8(text));
  }

  append(bytes: Uint8Array): void {
    this.write(ALL, 0, bytes);
  }

  prepend(bytes: Uint8Array): void {
    this.write(0, 0, bytes);
  }
}

// There is one of each for all streams: the proxy knows which stream it has called about.
const request = new Message(0);
const response = new Message(1);

/** A request and its response. */
export class Stream {
  constructor(
    public id: u32,
    /** Whether this is the last piece of the message. */
    public endOfStream: bool = false
  ) {}

  get request(): Message {
    return request;
  }

  get response(): Message {
    return response;
  }

  /** Answer the client; the upstream is not asked. Return what it returns. */
  respond(status: u32, body: string = "", headers: Header[] = [], details: string = ""): Action {
    const pairs = encodePairs(headers), text = utf8(body), why = utf8(details);
    const result = abi.sendLocalResponse(status, why.dataStart, why.length, text.dataStart, text.length, pairs.dataStart, pairs.length, -1);
    check(result, "the response cannot be sent");
    return Action.Pause;
  }

  resumeRequest(): void {
    check(abi.continueStream(0), "the request cannot be resumed");
  }

  resumeResponse(): void {
    check(abi.continueStream(1), "the response cannot be resumed");
  }

  /** Reset the stream: the client gets no answer. */
  close(): void {
    check(abi.closeStream(0), "the stream cannot be closed");
  }

  /** Act for this stream until the callback ends: in the answer to a call-out that it has made. */
  activate(): void {
    check(abi.setEffectiveContext(this.id), "the stream is gone");
  }
}

/** The plugin itself, which streams belong to. */
export class Plugin {
  constructor(public id: u32) {}

  /** The plugin's configuration, in `onConfigure`. */
  get configuration(): string {
    return decode(readBuffer(7));
  }

  /** The configuration of the virtual machine, in `onVmStart`. */
  get vmConfiguration(): string {
    return decode(readBuffer(6));
  }

  /** Have `onTick` called again and again; 0 stops it. */
  setTickPeriod(milliseconds: u32): void {
    check(abi.setTickPeriod(milliseconds), "the timer cannot be set");
  }
}

// --- properties ------------------------------------------------------------------------------------------------

function findProperty(path: string): bool {
  const key = utf8(path.replaceAll(".", "\0"));
  clear();
  const status = abi.getProperty(key.dataStart, key.length, out, out + 4);
  if (status == NOT_FOUND) return false;
  check(status, "the property " + path);
  return true;
}

/** A property by its path with dots, such as "source.address"; null where there is none. */
export function getProperty(path: string): string | null {
  return findProperty(path) ? givenText() : null;
}

export function getPropertyBytes(path: string): Uint8Array | null {
  return findProperty(path) ? given() : null;
}

/** A property that is a number, such as "response.code"; -1 where there is none. */
export function getNumber(path: string): i64 {
  const bytes = getPropertyBytes(path);
  return bytes !== null && bytes.length == 8 ? load<i64>(bytes.dataStart) : -1;
}

/** Keep a value with the stream, for filters after this one and the access log. */
export function setProperty(name: string, value: string): void {
  const key = utf8(name), bytes = utf8(value);
  check(abi.setProperty(key.dataStart, key.length, bytes.dataStart, bytes.length), "the property " + name);
}

// --- call-outs -------------------------------------------------------------------------------------------------

/** Call out over a cluster; headers need :method, :path and :authority. The token comes back in the answer. */
export function httpCall(cluster: string, headers: Header[], body: string = "", timeoutMs: u32 = 1000): u32 {
  const name = utf8(cluster), pairs = encodePairs(headers), text = utf8(body);
  clear();
  const status = abi.httpCall(name.dataStart, name.length, pairs.dataStart, pairs.length, text.dataStart, text.length, 0, 0, timeoutMs, out);
  check(status, "the call-out to " + cluster);
  return load<u32>(out);
}

/** The answer to a call-out; without headers it has failed. */
export class CallResponse {
  headers: Headers = new Headers(6);
  trailers: Headers = new Headers(7);

  constructor(public token: u32, public headerCount: u32) {}

  get body(): Uint8Array {
    return readBuffer(4);
  }

  get text(): string {
    return decode(this.body);
  }
}

// --- what virtual machines share -------------------------------------------------------------------------------

export class SharedValue {
  constructor(public bytes: Uint8Array, public cas: u32) {}

  get text(): string {
    return decode(this.bytes);
  }
}

/** Data that all virtual machines with the same vm_id see; null where there is none. */
export function getShared(key: string): SharedValue | null {
  const name = utf8(key);
  clear();
  const status = abi.getSharedData(name.dataStart, name.length, out, out + 4, out + 8);
  if (status == NOT_FOUND) return null;
  check(status, "the shared data " + key);
  const cas = load<u32>(out, 8);
  return new SharedValue(given(), cas);
}

/** Write shared data; with a `cas` only where nobody has written since it was read. Whether it was written. */
export function setShared(key: string, value: string, cas: u32 = 0): bool {
  const name = utf8(key), bytes = utf8(value);
  const status = abi.setSharedData(name.dataStart, name.length, bytes.dataStart, bytes.length, cas);
  if (status == CAS_MISMATCH) return false;
  check(status, "the shared data " + key);
  return true;
}

/** A queue that virtual machines share. */
export class Queue {
  constructor(public id: u32) {}

  /** Make a queue; `onQueueReady` tells when it has an item. */
  static register(name: string): Queue {
    const bytes = utf8(name);
    clear();
    check(abi.registerSharedQueue(bytes.dataStart, bytes.length, out), "the queue " + name);
    return new Queue(load<u32>(out));
  }

  /** Find a queue of another machine. */
  static resolve(vmId: string, name: string): Queue {
    const vm = utf8(vmId), bytes = utf8(name);
    clear();
    check(abi.resolveSharedQueue(vm.dataStart, vm.length, bytes.dataStart, bytes.length, out), "the queue " + name);
    return new Queue(load<u32>(out));
  }

  push(value: string): void {
    const bytes = utf8(value);
    check(abi.enqueueSharedQueue(this.id, bytes.dataStart, bytes.length), "the queue");
  }

  /** The oldest item; null where there is none. */
  pop(): string | null {
    clear();
    const status = abi.dequeueSharedQueue(this.id, out, out + 4);
    if (status == EMPTY) return null;
    check(status, "the queue");
    return givenText();
  }
}

export enum MetricKind { Counter, Gauge, Histogram }

/** A number that the proxy's statistics show. */
export class Metric {
  private id: u32;

  constructor(kind: MetricKind, name: string) {
    const bytes = utf8(name);
    clear();
    check(abi.defineMetric(kind, bytes.dataStart, bytes.length, out), "the metric " + name);
    this.id = load<u32>(out);
  }

  increment(offset: i64 = 1): void {
    check(abi.incrementMetric(this.id, offset), "the metric");
  }

  /** Set a gauge, or add to a histogram. */
  record(value: u64): void {
    check(abi.recordMetric(this.id, value), "the metric");
  }

  get value(): u64 {
    clear();
    check(abi.getMetric(this.id, out), "the metric");
    return load<u64>(out);
  }
}

/** Call a function that the proxy offers beyond the ABI. */
export function callForeignFunction(name: string, argument: Uint8Array): Uint8Array {
  const key = utf8(name);
  clear();
  check(abi.callForeignFunction(key.dataStart, key.length, argument.dataStart, argument.length, out, out + 4), name);
  return given();
}

// --- time, log, errors -----------------------------------------------------------------------------------------

/** Nanoseconds since 1970. */
export function now(): u64 {
  clear();
  abi.getTime(out);
  return load<u64>(out);
}

function write(level: u32, text: string): void {
  const bytes = utf8(text);
  abi.log(level, bytes.dataStart, bytes.length);
}

export namespace log {
  export function trace(text: string): void { write(0, text); }
  export function debug(text: string): void { write(1, text); }
  export function info(text: string): void { write(2, text); }
  export function warn(text: string): void { write(3, text); }
  export function error(text: string): void { write(4, text); }
  export function critical(text: string): void { write(5, text); }
}

// What the compiler calls in the place of a browser: see --use in the build.

export namespace console {
  export function log(text: string = ""): void { write(2, text); }
  export function info(text: string = ""): void { write(2, text); }
  export function debug(text: string = ""): void { write(1, text); }
  export function warn(text: string = ""): void { write(3, text); }
  export function error(text: string = ""): void { write(4, text); }
  export function assert<T>(good: T, text: string = ""): void { if (!good) write(4, "Assertion failed: " + text); }
}

export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  let text = message === null ? "an error" : message;
  if (file !== null) {
    const name = file == "cell.ts" ? ORIGIN : file; // as messages call it
    text += "\n    at " + name + ":" + line.toString() + ":" + column.toString();
  }
  write(4, text);
  unreachable();
}

export function seed(): f64 {
  abi.random(out, 8);
  return reinterpret<f64>(load<u64>(out) & 0x3fffffffffffffff);
}

export function trace(message: string, n: i32 = 0, a: f64 = 0, b: f64 = 0, c: f64 = 0, d: f64 = 0, e: f64 = 0): void {
  const numbers: StaticArray<f64> = [a, b, c, d, e];
  let text = message;
  for (let i = 0; i < n && i < 5; i++) text += " " + numbers[i].toString();
  write(0, text);
}
