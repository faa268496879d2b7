/** Who answers: the proxy in this page, the embedded proxy in the kernel, real Envoy, or two of them. */

const GRACE_MS = 1500;

/** Asks of the kernel: each gets an id, and the answer with that id. */
class Kernel {
  constructor(model) {
    this.model = model;
    this.waiting = new Map();
    this.count = 0;
    this.listen = (content, buffers) => {
      const done = this.waiting.get(content.id);
      if (!done) return;
      this.waiting.delete(content.id);
      done(content, buffers ?? []);
    };
    model.on("msg:custom", this.listen);
    this.token = Math.random().toString(36).slice(2);
  }

  get here() {
    return !this.model.get("alone");
  }

  ask(type, content = {}) {
    if (!this.here) return Promise.reject(new Mistake("this page has no kernel", "open the notebook for that"));
    const id = `${this.token}-${++this.count}`;
    return new Promise((done, fail) => {
      this.waiting.set(id, (answer, buffers) => (answer.error === undefined ? done({ ...answer, buffers }) : fail(new Mistake(answer.error))));
      this.model.send({ type, id, ...content });
    });
  }

  close() {
    this.model.off("msg:custom", this.listen);
    this.waiting.clear();
  }
}

/** The proxy in a worker of this page; a filter that does not come back is ended with the worker. */
class PageProxy {
  constructor(parts) {
    this.parts = parts;
    this.url = URL.createObjectURL(new Blob([`(${proxyWorker})(self)`], { type: "text/javascript" }));
    this.key = "";
    this.worker = null;
    this.turn = Promise.resolve();
    this.limit = 1000 * Math.max(...parts.plugins.map((plugin) => plugin.callback_seconds), 1);
  }

  open() {
    this.worker = new Worker(this.url);
    this.waiting = new Map();
    this.count = 0;
    const end = (message) => {
      for (const done of this.waiting.values()) done({ error: message, broken: true });
      this.waiting.clear();
    };
    this.worker.onmessage = ({ data }) => {
      const done = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      done?.(data);
    };
    this.worker.onerror = (event) => {
      event.preventDefault();
      end(event.message || "this browser does not run the proxy");
    };
    const { host, bridge, modules, functions } = this.parts;
    return this.post("code", { host, bridge, modules, functions }, 60000);
  }

  post(type, content, milliseconds) {
    const id = ++this.count;
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        this.close();
        fail(Object.assign(new Mistake(`stopped after ${(milliseconds / 1000).toFixed(1)} s in this page`, "look for a loop that does not end"), { slow: true }));
      }, milliseconds);
      this.waiting.set(id, (answer) => {
        clearTimeout(timer);
        if (answer.error === undefined) done(answer);
        else fail(Object.assign(new Mistake(answer.error), { start: answer.start, broken: answer.broken, log: answer.log }));
      });
      this.worker.postMessage({ id, type, ...content });
    });
  }

  /** A proxy with these plugins and clusters; the one there is goes on where they are the same. */
  async prepare({ plugins, clusters, properties = {}, clock = null, seed = null, fault = null, fresh = false }) {
    const key = JSON.stringify([plugins, clusters, properties, clock, seed, fault]);
    if (this.worker && key === this.key && !fresh) return;
    if (!this.worker) await this.open();
    this.key = "";
    await this.post("start", { setup: { plugins, clusters, properties, clock, seed, fault, kernel: this.kernel } }, this.limit + GRACE_MS);
    this.key = key;
  }

  /** One thing after the other: what is sent runs in the proxy that was prepared for it. */
  inTurn(work) {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  /** Send a request; where a fault is simulated, so many milliseconds later. */
  send(setup, request, upstream, later = 0) {
    return this.inTurn(() => this.sendNow(setup, request, upstream, later));
  }

  async sendNow(setup, request, upstream, later = 0) {
    await this.prepare(setup);
    const wait = 1000 * (upstream.delay ?? 0);
    const { exchange } = await this.post("send", { request, upstream, later }, this.limit + GRACE_MS + wait);
    return exchange;
  }

  /** Run a request in a loop, in a proxy of its own, where the filter does not fail on it. */
  measure(setup, request, upstream) {
    return this.inTurn(() => this.measureNow(setup, request, upstream));
  }

  async measureNow(setup, request, upstream) {
    const exchange = await this.sendNow({ ...setup, fresh: true }, request, { ...upstream, delay: 0 });
    this.key = "";
    if (exchange.outcome !== "complete") throw new Mistake("the filter leaves this request unanswered, so its cost cannot be measured");
    if (exchange.log.some((line) => /^Function: \w+ failed: /.test(line.message))) throw new Mistake("the filter fails on this request, so its cost cannot be measured");
    return this.post("measure", { request, upstream: exchange.upstream_response ?? { echo: true }, time: 120 }, 20000);
  }

  close() {
    this.worker?.terminate();
    this.worker = null;
    this.key = "";
  }

  free() {
    this.close();
    URL.revokeObjectURL(this.url);
  }
}

/** All engines of one tester. */
class Engines {
  constructor(model) {
    this.model = model;
    this.kernel = new Kernel(model);
    this.page = null;
    this.build = null;
    this.why = "";
  }

  /** The proxy of this page with the newest build; null, and `why`, where it cannot be. */
  inPage() {
    const build = this.model.get("build");
    if (this.build !== build) {
      this.build = build;
      this.loading = this.load();
    }
    return this.loading;
  }

  async load() {
    this.page?.free();
    this.page = null;
    this.why = "";
    try {
      const build = this.build;
      const parts = this.kernel.here ? await this.fromKernel() : this.model.get("parts");
      const page = new PageProxy(parts);
      page.kernel = this.kernel.here;
      await page.open();
      if (build === this.build) this.page = page;
      else page.free();
    } catch (error) {
      this.why = error.message;
    }
    return this.page;
  }

  async fromKernel() {
    const { plugins, functions, buffers } = await this.kernel.ask("parts");
    const [host, bridge, ...modules] = buffers.map((each) => new Uint8Array(each.buffer ?? each, each.byteOffset ?? 0, each.byteLength));
    return { plugins, functions, host, bridge, modules };
  }

  /** What a world means to the page's proxy. */
  setup(page, world) {
    const last = page.parts.plugins.length - 1;
    const plugins = page.parts.plugins.map((plugin, number) => {
      const config = world.configs?.[plugin.name] ?? (number === last ? world.config : null);
      return { ...plugin, ...(config === undefined || config === null ? {} : { configuration: textBase64(config) }), ...(world.policy ? { policy: world.policy } : {}) };
    });
    return { plugins, clusters: world.clusters ?? {}, properties: world.properties ?? {} };
  }

  /** Whether a world needs the kernel: a function in Python answers, or a real server. */
  needsKernel(world) {
    if (world.upstream?.python) return "a Python function answers";
    if (Object.values(world.clusters ?? {}).some((each) => each.live)) return "a cluster is a real server";
    return "";
  }

  /** Send a request; the answer is {embedded, envoy, where}. */
  async send(request, world, engine) {
    if (engine === "embedded" || !this.kernel.here) {
      const why = this.needsKernel(world);
      const page = why ? null : await this.inPage();
      if (page) {
        try {
          const exchange = await page.send(this.setup(page, world), request, world.upstream ?? { echo: true });
          return { embedded: exchange, where: "in this page" };
        } catch (error) {
          if (!this.kernel.here || error.start) throw error;
          if (!error.slow && !error.broken && !/gRPC|only the kernel/.test(error.message)) throw error;
        }
      }
      if (!this.kernel.here) throw new Mistake(why ? `this page has no kernel, but ${why}` : this.why, "open the notebook for that");
    }
    const { exchanges } = await this.kernel.ask("send", { request, world, engine });
    return { ...exchanges, where: "in the kernel" };
  }

  /** Run a case in a proxy of its own, with fixed time and randomness, as the Python side does. */
  async sendCase({ request, ...world }) {
    const page = this.needsKernel(world) ? null : await this.inPage();
    if (!page) return (await this.kernel.ask("case", { request, world })).exchange;
    const setup = { ...this.setup(page, world), clock: "1700000000000000000", seed: "0", fresh: true };
    return page.send(setup, request, world.upstream ?? { echo: true }).finally(() => (page.key = ""));
  }

  /** Let the kernel know what filters logged in this page, to mark where they failed. */
  heard(about, log, build) {
    const failures = log.filter(({ level }) => level === "error" || level === "critical");
    if (this.kernel.here) this.model.send({ type: "heard", about, log: failures, build });
  }

  close() {
    this.page?.free();
    this.kernel.close();
  }
}
