/** The filters of a chain: linked to the host, started, configured. */

const VERSIONS = ["0.1.0", "0.2.0", "0.2.1"];
const POLICIES = ["closed", "open", "reload"];
const LEVELS = ["trace", "debug", "info", "warn", "error", "critical"];

/** A filter that did not start, and what it logged. */
class Start extends Error {
  constructor(message, log) {
    super(message);
    this.log = log;
  }
}

/** Filters in VMs of their own behind a host, each started and configured. */
class Chain extends Host {
  constructor(setup) {
    super(setup);
    const { code, plugins } = setup;
    this.vms = [];
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
        const number = this.host.plugin_new(this.say(this.description(each.plugin, vm, logLimit)));
        known.set(each.root, { number, vm });
        this.startPlugin(each.plugin, number);
      }
      Object.assign(each, known.get(each.root));
      this.host.chain(each.number);
    }
    this.drain();
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
    const { fault, plugins } = this.setup;
    const broken = plugin === plugins.at(-1) ? fault?.callback : undefined;
    const told = new Writer().u8(VERSIONS.indexOf(plugin.abi));
    for (const name of this.setup.code.functions) told.u32(this.put(bridge[name]));
    for (const name of this.callbacks) {
      const own = exports[name] ?? (name === "malloc" ? exports.proxy_on_memory_allocate : undefined);
      const found = name === broken ? failing(fault, own, memory) : own;
      told.u32(typeof found === "function" ? this.put(found) : 0);
    }
    told.text(plugin.vm_id).text(unbase64(plugin.vm_configuration));
    told.texts(plugin.environment.map(([name, value]) => `${name}=${value}`));
    const index = this.host.vm_new(this.say(told.whole()));
    this.guarded(() => this.host.vm_initialize(index), plugin);
    return { index, key, plugin, memory, failed: false, started: this.now() };
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
      throw this.start(`the plugin ${plugin.name} ${words}: ${callback} returned 0`, `plugin ${plugin.name}`, "see the log lines, and check the configuration");
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
      throw this.start(`the plugin ${plugin.name} did not start: ${callback} failed: ${words.split("\n")[0]}`, `plugin ${plugin.name}, ${callback}`, "see the log lines and the backtrace");
    }
  }

  start(what, where, advice) {
    const log = this.startLog.map((line) => `\n  log: [${line.level}] ${line.message}`).join("");
    return new Start(`${what}\n  where: ${where}\n  do: ${advice}${log}`, this.startLog);
  }

  drain() {
    this.host.drain();
    const record = this.record(this.output());
    this.startLog.push(...record.log);
    this.warnings.push(...record.warnings);
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
