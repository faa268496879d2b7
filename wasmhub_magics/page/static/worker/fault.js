/** A callback that fails at a call of choice: the code that testing/fault.py builds into a module. */

const FAULTS = {
  trap: [0x00], // unreachable
  "time-out": [0x03, 0x40, 0x10, 0x00, 0x0c, 0x00, 0x0b], // loop: ask whether the time is over; br 0
  // loop: memory.grow of 16 pages, until it gives -1; then what an allocator does that gets no more
  memory: [0x03, 0x40, 0x41, 0x10, 0x40, 0x00, 0x41, 0x7f, 0x47, 0x0d, 0x00, 0x0b, 0x00],
};

/** A callback that was stopped, as the kernel's clock does it. */
class Expired extends Error {}

/** A function that throws once so many seconds have passed since its first call. */
function stopwatch(seconds, callback) {
  let start = null;
  return () => {
    start ??= performance.now();
    if (performance.now() - start >= 1000 * seconds) throw new Expired(`stopped after ${seconds} s in ${callback} (limit callback_seconds)`);
  };
}

/** A number as signed LEB128. */
function signed(value) {
  const bytes = [];
  for (;;) {
    const byte = value & 0x7f;
    value >>= 7;
    if ((value === 0 && !(byte & 0x40)) || bytes.length === 5) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

/** The callback with a fault in it; where the filter has none, one that does nothing else. */
function failing({ kind, callback, call, seconds, parameters, results, idle }, original, memory) {
  const count = original ? original.length : parameters;
  const section = (id, ...bytes) => [id, bytes.length, ...bytes];
  const i32s = (number) => [number, ...Array(number).fill(0x7f)];
  const calls = original ? [...Array(count).keys()].flatMap((place) => [0x20, place]).concat(0x10, 1) : results ? [0x41, idle] : [];
  const counted = [0x23, 0, 0x41, 1, 0x6a, 0x24, 0, 0x23, 0, 0x41, ...signed(call), 0x46, 0x04, 0x40, ...FAULTS[kind], 0x0b];
  const body = [0, ...counted, ...calls, 0x0b];
  const imports = [[1, 0x66, 1, 0x6d, 2, 0, 0], [1, 0x66, 1, 0x74, 0, 1], ...(original ? [[1, 0x66, 1, 0x6f, 0, 0]] : [])];
  const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, 2, 0x60, ...i32s(count), ...i32s(results), 0x60, 0, 0),
    ...section(2, imports.length, ...imports.flat()),
    ...section(3, 1, 0),
    ...section(6, 1, 0x7f, 1, 0x41, 0, 0x0b),
    ...section(7, 1, 1, 0x66, 0, original ? 2 : 1),
    ...section(10, 1, body.length, ...body)];
  return new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)), { f: { m: memory, t: stopwatch(seconds, callback), o: original } }).exports.f;
}
