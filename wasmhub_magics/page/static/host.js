/**
 * The embedded proxy in a browser: what proxy/worker.py is in Python, this is in a web worker.
 *
 * The host module does the work; this links filters to it, speaks its protocol (src/exchange.zig) and explains traps.
 * `proxyWorker` is the whole source of the worker: it uses nothing from outside of itself.
 */
function proxyWorker(scope) {
  const FIELDS = ["progress", "vm", "plugin", "callback", "running", "output", "output_length", "panic", "panic_length", "failed"];
  const VERSIONS = ["0.1.0", "0.2.0", "0.2.1"];
  const POLICIES = ["closed", "open", "reload"];
  const LEVELS = ["trace", "debug", "info", "warn", "error", "critical"];
  const OUTCOMES = ["complete", "paused", "reset"];
  const FAILURES = ["refused", "closed", "broken", "silent"];
  const RELOAD_MS = 1000;
  const encoder = new TextEncoder();

  /** Text as Python decodes it with `backslashreplace`, so that bytes which are no text look the same there. */
  function decode(bytes) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      let text = "";
      for (let at = 0; at < bytes.length; ) {
        const first = bytes[at];
        const size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
        try {
          if (!size || at + size > bytes.length) throw new Error();
          text += new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(at, at + size));
          at += size;
        } catch {
          text += `\\x${first.toString(16).padStart(2, "0")}`;
          at += 1;
        }
      }
      return text;
    }
  }

  function base64(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return btoa(text);
  }

  const unbase64 = (text) => Uint8Array.from(atob(text ?? ""), (letter) => letter.charCodeAt(0));

  class Writer {
    constructor() {
      this.parts = [];
    }
    put(size, write) {
      const part = new DataView(new ArrayBuffer(size));
      write(part);
      this.parts.push(new Uint8Array(part.buffer));
      return this;
    }
    u8(value) {
      return this.put(1, (part) => part.setUint8(0, value));
    }
    u32(value) {
      return this.put(4, (part) => part.setUint32(0, value, true));
    }
    u64(value) {
      return this.put(8, (part) => part.setBigUint64(0, BigInt(value), true));
    }
    text(value) {
      const bytes = typeof value === "string" ? encoder.encode(value) : value;
      this.u32(bytes.length);
      this.parts.push(bytes);
      return this;
    }
    texts(values) {
      this.u32(values.length);
      for (const value of values) this.text(value);
      return this;
    }
    pairs(pairs) {
      this.u32(pairs.length);
      for (const [name, value] of pairs) this.text(name.toLowerCase()).text(value);
      return this;
    }
    answer({ status, headers, body, trailers, chunks }) {
      return this.u32(status).pairs(headers ?? []).texts(frames(unbase64(body), chunks ?? [])).pairs(trailers ?? []);
    }
    whole() {
      const whole = new Uint8Array(this.parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of this.parts) {
        whole.set(part, at);
        at += part.length;
      }
      return whole;
    }
  }

  class Reader {
    constructor(bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.at = 0;
    }
    u8() {
      return this.bytes[this.at++];
    }
    u32() {
      this.at += 4;
      return this.view.getUint32(this.at - 4, true);
    }
    u64() {
      this.at += 8;
      return Number(this.view.getBigUint64(this.at - 8, true));
    }
    text() {
      const size = this.u32();
      this.at += size;
      return this.bytes.subarray(this.at - size, this.at);
    }
    list(read) {
      return Array.from({ length: this.u32() }, () => read(this));
    }
    pairs() {
      return this.list((reader) => [decode(reader.text()), decode(reader.text())]);
    }
    message() {
      return { headers: this.pairs(), body: base64(this.text()), trailers: this.pairs() };
    }
  }

  function frames(body, chunks) {
    const found = [];
    let start = 0;
    for (const size of chunks) {
      if (start < body.length) found.push(body.subarray(start, start + size));
      start += size;
    }
    if (start < body.length) found.push(body.subarray(start));
    return found;
  }

  /** A request with its pseudo-headers as fields, as the Python side has it. */
  function requestOf(message) {
    const known = {};
    for (const [name, value] of message.headers) if (name[0] === ":" && !(name in known)) known[name] = value;
    const part = (name) => known[`:${name}`] ?? "";
    return { method: part("method"), path: part("path"), authority: part("authority"), scheme: part("scheme"), chunks: [], ...message, headers: message.headers.filter(([name]) => name[0] !== ":") };
  }

  function responseOf(message) {
    const status = message.headers.find(([name]) => name === ":status")?.[1] ?? "0";
    return { status: Number(status) || 0, ...message, headers: message.headers.filter(([name]) => name[0] !== ":") };
  }

  /** What answers a call: an answer, a failure by its kind, or echo. */
  function clusterAnswer(spec, request) {
    if (spec?.fail) return new Writer().u8(1 + FAILURES.indexOf(spec.fail)).u64(0).whole();
    const late = Math.round((spec?.delay ?? 0) * 1e9);
    return new Writer().u8(0).u64(late).answer(spec?.echo ? echo(request) : spec).whole();
  }

  function echo(request) {
    const kind = request.headers.find(([name]) => name === "content-type")?.[1];
    if (!request.body) return { status: 200, headers: [["content-type", "text/plain"]], body: btoa("hello from the upstream\n") };
    return { status: 200, headers: [["content-type", kind ?? "application/octet-stream"]], body: request.body, trailers: request.trailers };
  }

  function propertyPath(path) {
    const parts = [...path.matchAll(/([^.[\]"]+)|\["([^"]+)"\]/g)].map((found) => found[1] ?? found[2]);
    if (!parts.length) throw new Error(`'${path}' is no path of a property`);
    return parts.join("\0");
  }

  /** What is typed as a property: a truth is one byte, a whole number eight; all else is text. */
  function propertyValue(value) {
    if (value === "true" || value === "false") return Uint8Array.of(Number(value === "true"));
    if (/^-?\d{1,18}$/.test(value)) return new Uint8Array(new BigInt64Array([BigInt(value)]).buffer);
    return encoder.encode(value);
  }

  class Start extends Error {}

  /** One host with the VMs and plugins of a chain. */
  class Worker {
    constructor(setup) {
      const { code, plugins, clusters, clock, seed, properties } = setup;
      this.setup = setup;
      this.vms = [];
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
      this.plugins = plugins;
      const logLimit = Math.max(...plugins.map((plugin) => plugin.log_bytes), 0);
      this.roots = plugins.map((plugin, number) => {
        const key = JSON.stringify([plugin.vm_id, plugin.vm_configuration, plugin.digest, plugin.environment]);
        const root = JSON.stringify([key, plugin.name, plugin.root_id, plugin.configuration]);
        return { plugin, key, root, module: code.modules[number] };
      });
      const known = new Map();
      for (const each of this.roots) {
        if (!known.has(each.root)) {
          let vm = this.vms.find((other) => other.key === each.key);
          if (!vm) this.vms.push((vm = this.newVm(each)));
          const number = exports.plugin_new(this.say(this.description(each.plugin, vm, logLimit)));
          known.set(each.root, { number, vm });
          this.startPlugin(each.plugin, number);
        }
        Object.assign(each, known.get(each.root));
        exports.chain(each.number);
      }
      this.drain();
      this.proceedBeside();
    }

    say(bytes) {
      const at = this.host.reserve(bytes.length);
      new Uint8Array(this.host.memory.buffer).set(bytes, at);
      return bytes.length;
    }

    field(name) {
      return new DataView(this.host.memory.buffer).getUint32(this.mailbox + 4 * FIELDS.indexOf(name), true);
    }

    output() {
      const at = this.field("output");
      return new Reader(new Uint8Array(this.host.memory.buffer).slice(at, at + this.field("output_length")));
    }

    newVm({ plugin, key, module }) {
      const imports = {};
      for (const wanted of WebAssembly.Module.imports(module)) {
        const found = (imports[wanted.module] ??= {});
        const system = wanted.module === "wasi_snapshot_preview1" || wanted.module === "wasi_unstable";
        if (wanted.kind === "function") found[wanted.name] = this.host[system ? `wasi_${wanted.name}` : wanted.name];
        else if (wanted.kind === "memory") found[wanted.name] = new WebAssembly.Memory(plugin.memory);
        else if (wanted.kind === "table") found[wanted.name] = new WebAssembly.Table({ element: "anyfunc", ...plugin.table });
      }
      const exports = this.guarded(() => new WebAssembly.Instance(module, imports).exports, plugin, "its start function");
      const imported = Object.values(imports).flatMap(Object.values).find((each) => each instanceof WebAssembly.Memory);
      const memory = exports.memory ?? imported ?? new WebAssembly.Memory({ initial: 0 });
      const bridge = new WebAssembly.Instance(this.setup.code.bridge, { filter: { memory }, host: { memory: this.host.memory } }).exports;
      const told = new Writer().u8(VERSIONS.indexOf(plugin.abi));
      for (const name of this.setup.code.functions) told.u32(this.put(bridge[name]));
      for (const name of this.callbacks) {
        const found = exports[name] ?? (name === "malloc" ? exports.proxy_on_memory_allocate : undefined);
        told.u32(typeof found === "function" ? this.put(found) : 0);
      }
      told.text(plugin.vm_id).text(unbase64(plugin.vm_configuration));
      told.texts(plugin.environment.map(([name, value]) => `${name}=${value}`));
      const index = this.host.vm_new(this.say(told.whole()));
      this.guarded(() => this.host.vm_initialize(index), plugin);
      return { index, key, plugin, memory, failed: false, started: performance.now() };
    }

    put(func) {
      const table = this.host.__indirect_function_table;
      const at = table.grow(1);
      table.set(at, func);
      return at;
    }

    description(plugin, vm, logLimit) {
      return new Writer()
        .u32(vm.index)
        .u8(POLICIES.indexOf(plugin.policy))
        .u8(plugin.allow_on_headers_stop_iteration ? 1 : 0)
        .u32(Math.min(plugin.body_bytes, 0xffffffff))
        .u32(Math.min(logLimit, 0xffffffff))
        .text(plugin.name)
        .text(plugin.root_id)
        .text(unbase64(plugin.configuration))
        .whole();
    }

    startPlugin(plugin, number) {
      for (const [step, callback, words] of [["plugin_start", "proxy_on_vm_start", "refused to start"], ["plugin_configure", "proxy_on_configure", "refused its configuration"]]) {
        if (this.guarded(() => this.host[step](number), plugin)) continue;
        this.drain();
        throw new Start(this.told(`the plugin ${plugin.name} ${words}: ${callback} returned 0`, `plugin ${plugin.name}`, "see the log lines, and check the configuration"));
      }
    }

    /** Run what starts a filter; a trap in it is an error with the log. */
    guarded(work, plugin, where = "") {
      try {
        return work();
      } catch (error) {
        const callback = where || this.callbacks[this.field("callback")];
        const words = this.explain(error, callback, null);
        this.host.start_trapped();
        this.drain();
        this.startLog.push({ level: "error", message: words, plugin: plugin.name });
        throw new Start(this.told(`the plugin ${plugin.name} did not start: ${callback} failed: ${words.split("\n")[0]}`, `plugin ${plugin.name}, ${callback}`, "see the log lines and the backtrace"));
      }
    }

    told(what, where, advice) {
      const log = this.startLog.map((line) => `\n  log: [${line.level}] ${line.message}`).join("");
      return `${what}\n  where: ${where}\n  do: ${advice}${log}`;
    }

    drain() {
      this.host.drain();
      const record = this.record(this.output());
      this.startLog.push(...record.log);
      this.warnings.push(...record.warnings);
    }

    /** What a trap means, with a backtrace; the host's own stack is put back. */
    explain(error, callback, vm) {
      const panic = this.mailbox ? this.field("panic_length") : 0;
      this.host.__stack_pointer.value = this.stackTop;
      if (panic) {
        const at = this.field("panic");
        throw new Error(`the host failed: ${decode(new Uint8Array(this.host.memory.buffer).slice(at, at + panic))}`);
      }
      if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError || error instanceof WebAssembly.Exception)) throw error;
      let what = `Uncaught ${error instanceof WebAssembly.Exception ? "WebAssembly.Exception" : `${error.name}: ${error.message}`}`;
      if (vm && 2 * vm.memory.buffer.byteLength > vm.plugin.memory_bytes) {
        const count = (number) => number.toLocaleString("en-US");
        what += ` (its memory has ${count(vm.memory.buffer.byteLength)} bytes of ${count(vm.plugin.memory_bytes)}, limit memory_bytes)`;
      }
      // The innermost frames are those of the filter; all others of that module are called by the host.
      const all = [...String(error.stack ?? "").matchAll(/^\s*at (?:(.+) \()?(wasm:\/\/\S*?):wasm-function\[(\d+)\]:(0x[0-9a-f]+)/gm)];
      const frames = all.filter((frame) => frame[2] === all[0][2]).map(([, name, , index, at], depth) => `  ${depth}: ${at} - ${name ?? `function ${index}`}`);
      return frames.length ? [what, "Proxy-Wasm plugin in-VM backtrace:", ...frames].join("\n") : what;
    }

    /** Make a call; where a filter traps, tell the host, which goes on without it. */
    run(call) {
      for (;;) {
        try {
          return call();
        } catch (error) {
          const vm = this.vms.find((each) => each.index === this.field("vm"));
          const callback = this.callbacks[this.field("callback")];
          const words = this.explain(error, callback, vm);
          if (!this.field("running")) throw new Error(`the host was stopped: ${words}`);
          vm.failed = true;
          this.host.trapped(this.say(encoder.encode(`Function: ${callback} failed: ${words}`)));
          call = () => this.host.proceed();
        }
      }
    }

    /** Give plugins whose policy is to reload a new VM, where theirs has failed and is old enough. */
    reload() {
      if (!this.field("failed")) return;
      this.vms.forEach((vm, place) => {
        const owners = this.roots.filter((root) => root.key === vm.key && root.plugin.policy === "reload");
        if (!vm.failed || !owners.length || performance.now() - vm.started < RELOAD_MS) return;
        vm.started = performance.now();
        try {
          const fresh = this.newVm(owners[0]);
          this.vms[place] = fresh;
          for (const root of owners) {
            this.host.plugin_move(root.number, fresh.index);
            this.startPlugin(root.plugin, root.number);
          }
        } catch (error) {
          if (!(error instanceof Start)) throw error;
          this.vms[place].failed = true;
          this.vms[place].started = performance.now();
        }
      });
    }

    proceedBeside() {
      this.calls = [];
      let status = this.run(() => this.host.beside(0n, 0));
      while (status !== 0) status = this.answerCall(this.output());
      this.record(this.output());
    }

    answerCall(reader) {
      const cluster = decode(reader.text());
      const timeout = reader.u64() / 1e9;
      const request = requestOf(reader.message());
      const spec = cluster === "upstream" && !this.setup.clusters.upstream ? this.upstream : this.setup.clusters[cluster];
      const answer = spec?.fail ? { fail: spec.fail } : spec?.echo ? echo(request) : { delay: spec?.delay ?? 0, ...spec };
      this.calls.push({ cluster, request, answer, timeout });
      const told = clusterAnswer(spec, request);
      return this.run(() => this.host.answer_call(this.say(told)));
    }

    /** An exchange; `upstream` answers it: {echo: true} or {status, headers, body, delay}. */
    async send(request, upstream, trace = true) {
      this.reload();
      this.calls = [];
      this.upstream = upstream;
      const told = new Writer()
        .u32(trace ? 1 : 0)
        .text(request.method)
        .text(request.path)
        .text(request.authority)
        .text(request.scheme ?? "http")
        .pairs(request.headers)
        .texts(frames(unbase64(request.body), request.chunks ?? []))
        .pairs(request.trailers ?? []);
      let status = this.run(() => this.host.send(this.say(told.whole())));
      while (status !== 0) {
        if (status === 3) throw new Error("the filter makes a gRPC call, which this page does not answer");
        if (status === 2) {
          status = this.answerCall(this.output());
          continue;
        }
        const seen = requestOf(this.output().message());
        const answer = upstream.echo ? echo(seen) : upstream;
        if (upstream.delay) await new Promise((done) => setTimeout(done, 1000 * upstream.delay));
        status = this.run(() => this.host.answer(this.say(new Writer().answer(answer).whole())));
      }
      return this.result(this.output(), request);
    }

    result(reader, request) {
      const outcome = OUTCOMES[reader.u8()];
      const details = decode(reader.text());
      const ns = reader.u64();
      const received = requestOf({ headers: reader.pairs(), body: request.body ?? "", trailers: request.trailers ?? [] });
      const upstream_request = reader.u8() ? requestOf(reader.message()) : null;
      const upstream_response = reader.u8() ? responseOf(reader.message()) : null;
      const response = reader.u8() ? responseOf(reader.message()) : null;
      const { events, ...record } = this.record(reader);
      const trace = { events: base64(events), dropped: record.dropped, plugins: this.names(), callbacks: this.callbacks, functions: this.functions };
      return { engine: "embedded", request, outcome, details, ns, fuel: null, received, upstream_request, upstream_response, response, log: record.log, warnings: record.warnings, calls: this.calls, trace };
    }

    names() {
      const found = [];
      for (const root of this.roots) found[root.number] = root.plugin.name;
      return found;
    }

    record(reader) {
      const names = this.names();
      const log = reader.list(() => {
        const [level, plugin, message] = [reader.u8(), reader.u32(), reader.text()];
        return { level: LEVELS[level], message: decode(message), plugin: plugin === 0xffffffff ? "" : names[plugin] ?? "" };
      });
      const [lines, bytes] = [reader.u32(), reader.u64()];
      const warnings = reader.list(() => decode(reader.text()));
      if (lines) warnings.push(`${lines} more log lines (${bytes.toLocaleString("en-US")} bytes) were dropped (limit log_bytes)`);
      return { log, warnings, dropped: reader.u32(), events: reader.text() };
    }
  }

  let code = null;
  let base = null;
  let worker = null;
  let queue = Promise.resolve();

  /** Run a request many times and count nanoseconds; the answer is what the upstream would say. */
  function measure(request, upstream, milliseconds) {
    const told = new Writer()
      .u32(2).text(request.method).text(request.path).text(request.authority).text(request.scheme ?? "http")
      .pairs(request.headers).texts(frames(unbase64(request.body), request.chunks ?? [])).pairs(request.trailers ?? [])
      .answer(upstream.echo ? echo(request) : upstream);
    worker.host.prepare(worker.say(told.whole()));
    let count = 1n;
    for (;;) {
      const start = performance.now();
      worker.run(() => worker.host.loop(count, 0));
      const took = performance.now() - start;
      if (took > milliseconds || count >= 10000000n) return { count: Number(count), milliseconds: took };
      count *= 4n;
    }
  }

  async function handle({ type, setup, modules, host, bridge, functions, request, upstream, time }) {
    if (type === "code") {
      code = { functions, host: await WebAssembly.compile(host), bridge: await WebAssembly.compile(bridge), modules: await Promise.all(modules.map((each) => WebAssembly.compile(each))) };
      return { ready: true };
    }
    if (type === "start") {
      base = setup;
      worker = null;
      worker = new Worker({ ...setup, code });
      return { startLog: worker.startLog };
    }
    if (type === "measure") return measure(request, upstream, time);
    if (!worker) worker = new Worker({ ...base, code });
    return { exchange: await worker.send(request, upstream) };
  }

  scope.onmessage = ({ data }) => {
    queue = queue.then(async () => {
      try {
        scope.postMessage({ id: data.id, ...(await handle(data)) });
      } catch (error) {
        if (!(error instanceof Start)) worker = null;
        scope.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error), start: error instanceof Start });
      }
    });
  };
}
