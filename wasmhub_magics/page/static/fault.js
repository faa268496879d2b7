/** A filter that fails on purpose, and what clients see under each policy. */
function faultControl({ engines, current }) {
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
      const { rows, title } = await engines.kernel.ask("fault", { request, world, engine, fault: { kind: kind.value, callback: callback.value, call: Number(call.value) || 1 } });
      const heads = ["policy", "this request", "the next one", "later", "log"];
      told.replaceChildren(make("div", {}, make("b", { textContent: title }), ", what clients see:"), make("div", { class: "wht-scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { textContent: head })))), make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", { textContent: cell }))))))));
    } catch (error) {
      told.textContent = error.message;
    }
    go.disabled = false;
  }, { class: "wht-second" });
  return section("Failure simulator", false, make("div", { class: "wht-line" }, labelled("what", kind), labelled("in", callback), labelled("call", call), go), make("div", { class: "wht-hint", textContent: "The fault is built into a copy of the filter; real Envoy runs the same copy." }), told);
}
