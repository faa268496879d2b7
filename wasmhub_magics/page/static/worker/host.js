/** The host module in a worker: memory, mailbox, the words of a trap. */

const FIELDS = ["progress", "vm", "plugin", "callback", "running", "output", "output_length", "panic", "panic_length", "failed", "stop", "guest"];

/** The host module, the memory in which it speaks, and what it knows before any filter: clusters, properties. */
class Host {
  constructor(setup) {
    const { code, plugins, clusters, clock, seed, properties } = setup;
    this.setup = setup;
    this.elapsed = 0;
    this.startLog = [];
    this.warnings = [];
    let exports = null;
    const system = {
      clock_time_get: (id, _precision, at) => {
        const now = id === 0 ? BigInt(Date.now()) * 1000000n : BigInt(Math.round(performance.now() * 1e6));
        new DataView(exports.memory.buffer).setBigUint64(at, now, true);
        return 0;
      },
      random_get: (at, size) => {
        const bytes = new Uint8Array(size);
        crypto.getRandomValues(bytes);
        new Uint8Array(exports.memory.buffer).set(bytes, at);
        return 0;
      },
    };
    // Foreign functions that need a library: 255 says that there is none here, unless a kernel can be asked.
    const foreign = () => {
      if (setup.kernel) throw new Error("the filter calls a function that only the kernel has");
      return 255n << 32n;
    };
    const wasmhub = { foreign, fetch: () => {} };
    exports = new WebAssembly.Instance(code.host, { wasi_snapshot_preview1: system, wasmhub }).exports;
    this.host = exports;
    this.stackTop = exports.__stack_pointer.value;
    this.mailbox = 0;
    exports.start(clock === null ? 0 : 1, BigInt(clock ?? 0), seed === null ? 0 : 1, BigInt(seed ?? 0));
    this.mailbox = exports.mailbox();
    exports.describe();
    const names = this.output();
    this.callbacks = names.list((reader) => decode(reader.text()));
    this.functions = names.list((reader) => decode(reader.text()));
    const told = new Writer().u32(Object.keys(clusters).length);
    for (const [name, spec] of Object.entries(clusters)) {
      told.text(name);
      if (spec.python || spec.echo) told.u8(0);
      else told.u8(1).text(clusterAnswer(spec));
    }
    exports.clusters(this.say(told.whole()));
    const given = Object.entries(properties ?? {});
    if (given.length) {
      const listed = new Writer().u32(given.length);
      for (const [path, value] of given) listed.text(propertyPath(path)).text(propertyValue(value));
      exports.properties(this.say(listed.whole()));
    }
  }

  say(bytes) {
    const at = this.host.reserve(bytes.length);
    new Uint8Array(this.host.memory.buffer).set(bytes, at);
    return bytes.length;
  }

  /** Milliseconds; where a fault is simulated, they pass only as somebody says, so that a busy machine changes nothing. */
  now() {
    return this.setup.fault ? this.elapsed : performance.now();
  }

  field(name) {
    return new DataView(this.host.memory.buffer).getUint32(this.mailbox + 4 * FIELDS.indexOf(name), true);
  }

  output() {
    const at = this.field("output");
    return new Reader(new Uint8Array(this.host.memory.buffer).slice(at, at + this.field("output_length")));
  }

  put(func) {
    const table = this.host.__indirect_function_table;
    const at = table.grow(1);
    table.set(at, func);
    return at;
  }

  /** What a trap means, with a backtrace; the host's own stack is put back. */
  explain(error, callback, vm) {
    const panic = this.mailbox ? this.field("panic_length") : 0;
    this.host.__stack_pointer.value = this.stackTop;
    if (panic) {
      const at = this.field("panic");
      throw new Error(`the host failed: ${decode(new Uint8Array(this.host.memory.buffer).slice(at, at + panic))}`);
    }
    if (error instanceof Expired) return error.message;
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError || error instanceof WebAssembly.Exception)) throw error;
    let what = `Uncaught ${error instanceof WebAssembly.Exception ? "WebAssembly.Exception" : `${error.name}: ${error.message}`}`;
    if (vm && 2 * vm.memory.buffer.byteLength > vm.plugin.memory_bytes) {
      const count = (number) => number.toLocaleString("en-US");
      what += ` (its memory has ${count(vm.memory.buffer.byteLength)} bytes of ${count(vm.plugin.memory_bytes)}, limit memory_bytes)`;
    }
    // The innermost frames are those of the filter; all others of that module are called by the host.
    const all = [...String(error.stack ?? "").matchAll(/^\s*at (?:(.+) \()?(wasm:\/\/\S*?):wasm-function\[(\d+)\]:(0x[0-9a-f]+)/gm)];
    const frames = all.filter((frame) => frame[2] === all[0][2]).map(([, name, , index, at], depth) => `  ${depth}:  0x${(at - (vm?.plugin.moved_bytes ?? 0)).toString(16)} - ${name ?? `function ${index}`}`);
    return frames.length ? [what, "Proxy-Wasm plugin in-VM backtrace:", ...frames].join("\n") : what;
  }
}
