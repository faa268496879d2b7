/** A filter that fails on purpose, and what clients see under each policy: testing/simulation.py is the reference. */

const RELOAD_MS = 1600;
const TIMEOUT_SECONDS = 0.2;

/** Requests to a filter that fails, under each policy, in a proxy of this page that nobody else uses. */
async function simulateHere(engines, { request, world }, fault) {
  const page = await engines.inPage();
  if (!page) throw new Mistake(engines.why);
  const own = new PageProxy(page.parts);
  const upstream = world.upstream ?? { echo: true };
  const rows = [];
  try {
    for (const policy of ["closed", "open", "reload"]) rows.push(await faultRow(policy, (fresh, later) => own.send({ ...engines.setup(own, { ...world, policy }), fault: faultOf(own, fault), fresh }, request, upstream, later), fault.call));
  } finally {
    own.free();
  }
  return { title: `${fault.kind} in call ${fault.call} of ${fault.callback}`, rows };
}

/** The fault with the shape of its callback in the last filter's version of the ABI. */
function faultOf({ parts }, fault) {
  const shapes = ABI.types[fault.callback];
  const [parameters, results] = shapes[parts.plugins.at(-1).abi] ?? Object.values(shapes)[0];
  return { ...fault, seconds: TIMEOUT_SECONDS, parameters, results, idle: /_(vm_start|configure|done)$/.test(fault.callback) ? 1 : 0 };
}

async function faultRow(policy, send, calls) {
  const failure = (exchange) => exchange.log.find((line) => line.message.startsWith("Function: "));
  const shown = ({ response, outcome, upstream_request: asked, details }) => (response ? `${response.status}${asked ? ", upstream asked" : ""}${["", "via_upstream"].includes(details) ? "" : `, ${details}`}` : `no answer (${outcome})`);
  try {
    let failed = await send(true);
    for (let call = 1; call < calls && !failure(failed); call++) failed = await send(false);
    const next = await send(false);
    const told = failure(failed)?.message.split("\n")[0] ?? "";
    return [policy, shown(failed), shown(next), shown(await send(false, RELOAD_MS)), told];
  } catch (error) {
    return [policy, "did not start", "", "", error.message.split("\n")[0]];
  }
}

function faultControl({ engines, current }) {
  const kernel = engines.kernel.here;
  const kind = choice("Fault", [["trap", "trap"], ["time-out", "time-out"], ["memory", "memory limit"]]);
  const callbacks = Object.keys(ABI.callbacks).filter((name) => /_(headers|body|trailers|configure|vm_start|log|done|call_response)$|tick$/.test(name));
  const callback = choice("Fault callback", callbacks);
  callback.value = "proxy_on_request_headers";
  const call = input("Fault call", { type: "number", min: 1, value: 1 });
  const told = make("div", { class: "wht-faults", role: "status", "aria-live": "polite" });
  const go = button("Let it fail", async () => {
    told.textContent = "failing …";
    go.disabled = true;
    try {
      const { request, world, engine } = current();
      const fault = { kind: kind.value, callback: callback.value, call: Number(call.value) || 1 };
      const { rows, title } = kernel ? await engines.kernel.ask("fault", { request, world, engine, fault }) : await simulateHere(engines, { request, world }, fault);
      const heads = ["policy", "this request", "the next one", "later", "log"];
      told.replaceChildren(make("div", {}, make("b", { textContent: title }), ", what clients see:"), make("div", { class: "wht-scroll", tabIndex: 0, role: "group", "aria-label": "What clients see" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { textContent: head })))), make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", { textContent: cell }))))))));
    } catch (error) {
      told.textContent = error.message;
    }
    go.disabled = false;
  }, { class: "wht-second" });
  const hint = kernel ? "The fault is built into a copy of the filter; real Envoy runs the same copy." : "The fault stands before the callback; the filter itself stays as it is.";
  return section("Failure simulator", false, make("div", { class: "wht-line" }, labelled("what", kind), labelled("in", callback), labelled("call", call), go), make("div", { class: "wht-hint", textContent: hint }), told);
}
