/** What the page asks of the worker, one thing after the other. */

const BATCHES = 8;

let code = null;
let base = null;
let worker = null;
let queue = Promise.resolve();

/** Run a request many times and take the fastest batch, which others disturbed least; the upstream's answer is fixed. */
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
    if (took > milliseconds / BATCHES || count >= 10000000n) break;
    count *= 4n;
  }
  let best = Infinity;
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = performance.now();
    worker.run(() => worker.host.loop(count, 0));
    best = Math.min(best, performance.now() - start);
  }
  return { count: Number(count), milliseconds: best };
}

async function handle({ type, setup, modules, host, bridge, functions, request, upstream, time, later }) {
  if (type === "code") {
    code = { functions, host: await WebAssembly.compile(host), bridge: await WebAssembly.compile(bridge), modules: await Promise.all(modules.map((each) => WebAssembly.compile(each))) };
    return { ready: true };
  }
  if (type === "start") {
    base = setup;
    worker = null;
    worker = new Embedded({ ...setup, code });
    return { startLog: worker.startLog };
  }
  if (type === "measure") return measure(request, upstream, time);
  if (!worker) worker = new Embedded({ ...base, code });
  worker.elapsed += later;
  return { exchange: await worker.send(request, upstream) };
}

scope.onmessage = ({ data }) => {
  queue = queue.then(async () => {
    try {
      scope.postMessage({ id: data.id, ...(await handle(data)) });
    } catch (error) {
      if (!(error instanceof Start)) worker = null;
      scope.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error), start: error instanceof Start, log: error.log });
    }
  });
};
