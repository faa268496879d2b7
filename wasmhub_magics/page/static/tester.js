/** The request tester: one form, one answer. `render` draws it for a model of traits, in a notebook or in a page. */

const SLOW_MS = 1500;
const SHOWN_MS = 400;

function render({ model, el }) {
  const id = `wht-${++instances}`;
  const engines = new Engines(model);
  const kernel = engines.kernel.here;
  const names = model.get("names");
  let waiting = null;
  let latest = 0;
  let last = null;
  let flying = false;
  let dirty = false;
  let shownTimer = null;
  const costs = new Map();

  // ---- the request -------------------------------------------------------------------------------------
  const method = choice("Method", METHODS, { id: `${id}-method` });
  const path = input("Path", { id: `${id}-path`, placeholder: "/path?query or a URL" });
  const send = make("button", { type: "submit", class: "wht-send", textContent: "Send", title: "Enter, or Ctrl+Enter anywhere" });
  const engine = choice("Engine", kernel ? [["embedded", "embedded proxy"], ["envoy", "real Envoy"], ["both", "both, differences marked"]] : [["embedded", "embedded proxy, in this page"]]);
  const policy = choice("Failure policy", [["", "policy as set"], ["closed", "closed"], ["open", "open"], ["reload", "reload"]]);
  const onChange = check("on each change", { "aria-label": "Send on each change" });
  const onRebuild = check("on each rebuild", { "aria-label": "Send on each rebuild", checked: true });

  const headerNames = make("datalist", { id: `${id}-names` }, ...HEADERS.map((name) => make("option", { value: name })));
  const rows = pairRows("header", changed, headerNames.id);
  const headers = section("Headers", true, rows.element, headerNames);
  const body = bodyControl(changed);
  const configs = configControl(names, model.get("schemas") ?? {}, changed);
  const upstream = upstreamControl(changed, model.get("variables") ?? [], kernel);
  const clusters = clustersControl(changed);
  const properties = propertiesControl(changed);

  const paste = pasteControl({ fill, changed, keepCases });
  const out = copyControl((form) => FORMS[form](readRequest(), names.at(-1) ?? "my_filter", last?.embedded));

  // ---- the frame ---------------------------------------------------------------------------------------
  const state = make("div", { class: "wht-state", role: "status", "aria-live": "polite" });
  const answer = make("div", { class: "wht-answer", role: "region", "aria-label": "Answer", tabIndex: -1 });
  const measured = make("span", { class: "wht-dim", role: "status" });
  const measure = button("Measure its cost here", cost, { class: "wht-second", title: "Run this request in a loop for a moment, in this page" });
  const title = make("span", { class: "wht-title" });
  const about = make("span", { class: "wht-about" });
  const context = { model, engines, current, load, tell };
  const cases = casesControl(context);
  const faults = faultControl(context);
  const request = make("form", { class: "wht-form", noValidate: true, "aria-label": "Request" },
    make("div", { class: "wht-target" }, method, path, send),
    make("div", { class: "wht-line wht-options" }, labelled("engine", engine), labelled("on failure", policy), make("span", { class: "wht-line" }, make("span", { class: "wht-label", textContent: "send" }), onChange.element, kernel ? onRebuild.element : null)),
    paste.element, headers.element, body.element, configs.element, upstream.element, clusters.element, properties.element, out.element);
  const root = make("div", { class: "wht", "data-lm-suppress-shortcuts": "true", "data-jp-suppress-context-menu": "true" },
    make("div", { class: "wht-head" }, title, about), request, state, answer, make("div", { class: "wht-line wht-cost" }, measure, measured), cases.element, faults.element);
  el.append(root);

  // ---- form <-> trait ----------------------------------------------------------------------------------
  function readState() {
    return { method: method.value, path: path.value, headers: rows.read(), body: body.state(), configs: configs.read(), upstream: upstream.state(), clusters: clusters.state(), properties: properties.state(), policy: policy.value, engine: engine.value, onChange: onChange.box.checked, onRebuild: onRebuild.box.checked };
  }

  function writeState(values) {
    if (![...method.options].some((each) => each.value === values.method)) method.append(make("option", { value: values.method, textContent: values.method }));
    method.value = values.method;
    path.value = values.path;
    rows.write(values.headers.length ? values.headers : [["", ""]]);
    body.write(typeof values.body === "string" ? { text: values.body } : values.body ?? {});
    configs.write(values.configs ?? {});
    upstream.write(values.upstream ?? {});
    clusters.write(values.clusters ?? []);
    properties.write(values.properties ?? []);
    policy.value = values.policy ?? "";
    if ([...engine.options].some((each) => each.value === values.engine)) engine.value = values.engine;
    onChange.box.checked = Boolean(values.onChange);
    onRebuild.box.checked = values.onRebuild !== false;
    count();
  }

  /** Put a request into the form, as it came from text or from a case. */
  function fill(value) {
    const host = value.authority && value.authority !== "localhost" ? [["host", value.authority]] : [];
    const bytes = unbase64(value.body);
    const text = asText(bytes);
    const hex = () => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const kind = text === null ? "hex" : value.headers.some(([name, each]) => name === "content-type" && each.includes("json")) ? "json" : "text";
    writeState({ ...readState(), method: value.method, path: value.path, headers: [...host, ...value.headers], body: { kind, text: text ?? hex(), chunks: value.chunks.join(","), trailers: value.trailers } });
  }

  function load(each) {
    fill(each.request);
    const values = readState();
    const answer = each.upstream?.status ? { kind: "answer", ...each.upstream, text: new TextDecoder().decode(unbase64(each.upstream.body)) } : { kind: each.upstream?.python ? "python" : "echo", python: each.upstream?.python };
    const listed = Object.entries(each.clusters ?? {}).map(([name, spec]) => ({ name, kind: spec.fail ?? (spec.live ? "live" : spec.echo ? "echo" : "answer"), status: spec.status, delay: spec.delay, text: spec.live ?? new TextDecoder().decode(unbase64(spec.body)) }));
    writeState({ ...values, upstream: answer, clusters: listed, configs: each.config === null ? values.configs : { ...values.configs, [names.at(-1)]: each.config } });
    changed();
    submit();
  }

  /** Requests that came from text, as cases that expect no more than an answer. */
  function keepCases(requests) {
    const known = new Set((model.get("cases") ?? []).map((each) => each.name));
    const fresh = requests.map((request, place) => ({ name: `${place + 1}: ${request.method} ${request.path.split("?")[0]}`, request, expect: [["status", "200"]], upstream: { echo: true }, clusters: {}, config: null, weight: 1 })).filter((each) => !known.has(each.name));
    model.set("cases", [...(model.get("cases") ?? []), ...fresh]);
    model.save_changes();
    cases.draw();
    cases.element.open = true;
    cases.run();
  }

  function readRequest() {
    const pairs = rows.read().map(([name, value]) => [name.trim(), value.trim()]).filter(([name, value]) => name || value);
    for (const [name, value] of pairs) {
      if (!name) throw new Mistake(`a header has the value '${value}' and no name`, "give it a name, or clear it");
      if (/[\s\0]/.test(name)) throw new Mistake(`'${name}' is no header name`, "write one without spaces");
      if (/[\r\n\0]/.test(value)) throw new Mistake(`the value of '${name}' has a line break or a NUL in it`);
    }
    let url = path.value.trim() || "/";
    if (!url.includes("://") && !/^[/*]/.test(url)) url = `/${url}`;
    if (/[ \r\n\0]/.test(url)) throw new Mistake(`'${url}' is no request path`, "write a path such as /items?id=1, spaces as %20");
    const { bytes, chunks, trailers } = body.read();
    return makeRequest({ method: method.value, url, headers: pairs, body: bytes, chunks, trailers });
  }

  const readWorld = () => ({ upstream: upstream.read(), clusters: clusters.read(), configs: configs.read(), policy: policy.value, properties: properties.read() });

  function current() {
    return { request: readRequest(), world: readWorld(), exchange: last?.embedded ?? last?.envoy, engine: engine.value };
  }

  function count() {
    const named = rows.read().filter(([name]) => name.trim()).length;
    headers.say(named ? String(named) : "");
    configs.say(Object.values(configs.read()).some(Boolean) ? "set" : "");
    out.refresh();
  }

  function changed() {
    count();
    const values = readState();
    if (JSON.stringify(values) !== JSON.stringify(model.get("form"))) {
      model.set("form", values);
      model.save_changes();
    }
  }

  // ---- send and show -----------------------------------------------------------------------------------
  async function submit() {
    if (flying) {
      dirty = true;
      return;
    }
    flying = true;
    const serial = ++latest;
    const start = performance.now();
    const build = model.get("build");
    root.classList.add("wht-busy");
    waiting = setTimeout(() => {
      tell(engine.value === "embedded" ? "No answer yet: the kernel is busy, or what answers is slow. If it was restarted, run this cell again." : "waiting for real Envoy …");
      if (engine.value === "embedded") release(serial); // whoever restarted the kernel must not face a dead button
    }, SLOW_MS);
    try {
      const found = await engines.send(readRequest(), readWorld(), engine.value);
      if (serial !== latest) return;
      last = found;
      show(found);
      root.dataset.took = String(performance.now() - start);
      root.dataset.answers = String(Number(root.dataset.answers ?? 0) + 1);
      if (found.where === "in this page") shown(found.embedded, build);
    } catch (error) {
      if (serial === latest) fail(error);
      if (error.log) engines.heard("request", error.log, build);
    } finally {
      if (serial === latest) release(serial);
    }
    if (dirty) {
      dirty = false;
      submit();
    }
  }

  function release(serial) {
    clearTimeout(waiting);
    flying = false;
    if (serial === latest) root.classList.remove("wht-busy");
  }

  /** Let the kernel know what was shown, for the picture that stays in the notebook. */
  function shown(exchange, build) {
    if (!kernel) return;
    clearTimeout(shownTimer);
    shownTimer = setTimeout(() => model.send({ type: "shown", exchange, build }), SHOWN_MS);
  }

  /** Say something to everybody, or (quietly) only to those who hear the page instead of seeing the answer. */
  function tell(text, quietly = false) {
    state.textContent = text;
    state.classList.toggle("wht-quiet", quietly);
  }

  function fail(error) {
    answer.replaceChildren(make("pre", { class: "wht-error", textContent: error.message }));
    tell(error.message, true);
  }

  function show({ embedded, envoy, where }) {
    const opened = [...answer.querySelectorAll("details[open] > summary")].map((each) => each.firstChild?.textContent);
    const view = embedded && envoy ? bothView(embedded, envoy) : exchangeView(embedded ?? envoy, embedded ? `embedded proxy ${where}` : "real Envoy");
    answer.replaceChildren(view);
    for (const each of answer.querySelectorAll("details > summary")) if (opened.includes(each.firstChild?.textContent)) each.parentElement.open = true;
    const told = answered(embedded ?? envoy);
    const differ = embedded && envoy ? `, ${differences(embedded, envoy).length} differences` : "";
    tell(`Answer: ${told}${differ}`, true);
    out.refresh();
  }

  /** The cost of the request in a loop in this page, beside that of the build before. */
  async function cost() {
    measured.textContent = "measuring …";
    try {
      const page = await engines.inPage();
      if (!page) throw new Mistake(engines.why);
      const world = readWorld();
      const found = await page.measure(engines.setup(page, world), readRequest(), world.upstream.python ? { echo: true } : world.upstream);
      const ns = (1e6 * found.milliseconds) / found.count;
      const digest = model.get("build").replace(/^\d+ /, "");
      const before = [...costs].at(-1);
      const against = before ? `; ${before[0] === digest ? "the same code took" : "the build before took"} ${duration(before[1])}, so this is ${changeText(before[1], ns)}` : "";
      costs.delete(digest);
      costs.set(digest, ns);
      measured.textContent = `${duration(ns)} an exchange in this page${against}`;
    } catch (error) {
      measured.textContent = error.message;
    }
  }

  function describe() {
    title.textContent = model.get("title");
    about.textContent = model.get("about");
  }

  function formArrived() {
    const arrived = model.get("form");
    if (JSON.stringify(arrived) !== JSON.stringify(readState())) writeState(arrived);
  }

  function rebuilt() {
    describe();
    const cost = [...costs].at(-1);
    measured.textContent = cost ? `${duration(cost[1])} an exchange in this page, by the build before` : "";
    engines.inPage();
    if (!onRebuild.box.checked) return;
    if (last) submit();
    cases.run();
  }

  request.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  request.addEventListener("input", () => {
    count();
    if (onChange.box.checked) submit();
  });
  request.addEventListener("change", (event) => {
    changed();
    if (event.target === engine && last) submit();
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submit();
    }
    // The notebook must not take what is typed here for its own commands.
    event.stopPropagation();
  });

  const casesArrived = () => cases.draw();
  const listeners = { "change:form": formArrived, "change:build": rebuilt, "change:cases": casesArrived, "change:memory": casesArrived };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  describe();
  writeState(model.get("form"));
  const first = model.get("answer");
  if (first?.exchange) {
    last = { [first.exchange.engine]: first.exchange, where: "in the kernel" };
    show(last);
  } else if (first?.error) fail(new Mistake(first.error));
  else tell("Type a request and press Send, or Enter.");
  engines.inPage();
  if ((model.get("cases") ?? []).length) cases.element.open = true;
  if (cases.outdated() && onRebuild.box.checked) cases.run(); // it was built while no tester was open

  return () => {
    clearTimeout(waiting);
    clearTimeout(shownTimer);
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
    engines.close();
  };
}

export default { render };
