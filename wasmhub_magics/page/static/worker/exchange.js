/** Exchanges: what proxy/worker.py is in Python. */

const OUTCOMES = ["complete", "paused", "reset"];
const RELOAD_MS = 1000;

/** Exchanges with a chain that has started, and what to do where a filter traps. */
class Embedded extends Chain {
  constructor(setup) {
    super(setup);
    this.proceedBeside();
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
      if (!vm.failed || !owners.length || this.now() - vm.started < RELOAD_MS) return;
      vm.started = this.now();
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
        this.vms[place].started = this.now();
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
}
