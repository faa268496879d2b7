/** The table of cases: run at once, green and red, what changed after a rebuild. */

const expectText = (expect) => expect.map(([what, value]) => `${what}: ${value === null ? "null" : value}`).join("\n");

/** Expectations in text, one a line; the lines that are none are mistakes. */
function readExpect(text) {
  return text.split("\n").filter((line) => line.trim()).map((line) => {
    const found = /^\s*(response\.\S+?|upstream\.:?[^\s:]+|[\w-]+)\s*:\s?(.*)$/.exec(line);
    if (!found || !(PLAIN.includes(found[1]) || /^(response|upstream)\.\S+$/.test(found[1]) || found[1] === "fuel-below")) {
      throw new Mistake(`${JSON.stringify(line.trim())} is nothing that can be expected`, `write ${PLAIN.join(", ")}, response.HEADER or upstream.HEADER, a colon and a value`);
    }
    const value = found[2].trim();
    if (value.startsWith("~")) new RegExp(value.slice(1).trim());
    return [found[1], value === "null" ? null : value];
  });
}

/** What a case's answer would be expected to be, from an answer that is right. */
function expectFrom(exchange) {
  const found = [["status", String(exchange.response?.status ?? "null")]];
  const fresh = exchange.upstream_request ? compared(exchange.received.headers, exchange.upstream_request.headers).filter(([mark]) => mark === "+") : [];
  for (const [, name, value] of fresh) if (!PROXY_HEADERS.includes(name)) found.push([`upstream.${name}`, value]);
  if (!exchange.upstream_request) found.push(["asked", "false"]);
  return found;
}

function casesControl({ model, engines, current, load, tell }) {
  const build = () => model.get("build").replace(/^\d+ /, "");
  const remembered = () => model.get("memory") ?? {};
  /** The memory that this view wrote, and what its run is compared with where there is no build before. */
  let own = { memory: null, against: {} };
  /** What is shown: the last results, where they are of this build. */
  const known = () => {
    const memory = remembered();
    if (memory.build !== build()) return {};
    return withChanges(memory.last ?? {}, memory === own.memory ? own.against : memory.before ?? {});
  };
  const body = make("tbody", {});
  const summary = make("div", { class: "wht-summary", role: "status", "aria-live": "polite" });
  const text = area("Cases as text", { rows: 8, hidden: true });
  const note = make("span", { class: "wht-told", role: "status" });

  const entries = () => model.get("cases") ?? [];
  const keep = (cases) => {
    model.set("cases", cases);
    model.save_changes();
  };

  function draw() {
    const results = known();
    body.replaceChildren(...entries().map((each, place) => {
      const found = results[each.name];
      const mark = !found ? "not run" : found.told ? "✗ fail" : "✓ pass";
      const expect = area(`Expected of ${each.name}`, { rows: Math.min(5, Math.max(1, each.expect.length)), value: expectText(each.expect) });
      expect.addEventListener("change", () => {
        try {
          keep(entries().map((other, at) => (at === place ? { ...other, expect: readExpect(expect.value) } : other)));
          run();
        } catch (error) {
          tell(error.message);
          summary.textContent = error.message;
        }
      });
      const name = input(`Name of case ${place + 1}`, { value: each.name });
      name.addEventListener("change", () => {
        const wanted = name.value.trim();
        if (!wanted || entries().some((other, at) => at !== place && other.name === wanted)) {
          summary.textContent = wanted ? `two cases are named ${wanted}` : "a case has no name";
          name.value = each.name;
          return;
        }
        keep(entries().map((other, at) => (at === place ? { ...other, name: wanted } : other)));
        draw();
      });
      return make("tr", { class: !found ? "" : found.told ? "wht-red" : "wht-green" },
        make("td", {}, make("b", { class: "wht-mark", textContent: mark }), found?.change ? make("div", { class: "wht-changed", textContent: found.change }) : null),
        make("td", {}, name, button(`${each.request.method} ${each.request.path}`, () => load(each), { class: "wht-link", title: "Load into the form", "aria-label": `Load ${each.name} into the form: ${each.request.method} ${each.request.path}` })),
        make("td", {}, expect, found?.told ? make("div", { class: "wht-miss", textContent: found.told }) : null),
        make("td", {}, button("×", () => {
          keep(entries().filter((_, at) => at !== place));
          draw();
        }, { "aria-label": `Remove case ${each.name}`, title: "Remove this case" })));
    }));
    part.say(entries().length ? String(entries().length) : "");
  }

  let running = null;
  let again = false;
  async function run() {
    if (running) {
      again = true;
      return running;
    }
    running = runAll().finally(() => (running = null));
    await running;
    if (again) {
      again = false;
      await run();
    }
  }

  async function runAll() {
    const cases = entries();
    if (!cases.length) return;
    const now = build();
    const version = model.get("build");
    const engine = current().engine;
    const found = {};
    const log = [];
    summary.textContent = `running ${cases.length} cases …`;
    if (engine === "envoy" && engines.kernel.here) {
      try {
        const { told } = await engines.kernel.ask("cases", { cases, engine });
        for (const each of told) found[each.name] = { told: each.told, print: each.exchange ? fingerprint(each.exchange) : short(each.told.split("\n")[0]) };
      } catch (error) {
        summary.textContent = error.message;
        return;
      }
    } else {
      for (const each of cases) {
        try {
          const exchange = await engines.sendCase(each);
          log.push(...exchange.log);
          found[each.name] = { told: misses(exchange, each.expect).join("; "), print: fingerprint(exchange) };
        } catch (error) {
          log.push(...(error.log ?? []));
          found[each.name] = { told: error.message, print: short(error.message.split("\n")[0]) };
        }
      }
      engines.heard("cases", log, version);
    }
    remember(now, found);
    const results = known();
    const failed = Object.values(found).filter((each) => each.told).length;
    const changed = Object.values(results).filter((each) => each.change).length;
    const where = engine === "envoy" ? "real Envoy" : "the embedded proxy";
    summary.textContent = `${cases.length} case${cases.length > 1 ? "s" : ""} in ${where}: ${failed ? `${failed} failed` : "all pass"}${changed ? `, ${changed} changed` : ""}`;
    draw();
  }

  /** Keep results of a build, and those of the build before. */
  function remember(now, found) {
    const memory = remembered();
    const before = (memory.build === now ? memory.before : memory.last) ?? {};
    own = { memory: { build: now, last: found, before }, against: against(memory, now) };
    model.set("memory", own.memory);
    model.save_changes();
  }

  function add() {
    try {
      const { request, world, exchange } = current();
      const known = entries().map((each) => each.name);
      const base = `${request.method} ${request.path.split("?")[0]}`;
      let name = base;
      for (let number = 2; known.includes(name); number++) name = `${base} ${number}`;
      const expect = exchange ? expectFrom(exchange) : [["status", "200"]];
      keep([...entries(), { name, request, expect, upstream: world.upstream, clusters: world.clusters, config: lastConfig(world), weight: 1 }]);
      draw();
      run();
    } catch (error) {
      summary.textContent = error.message;
    }
  }

  const lastConfig = (world) => {
    const names = model.get("names");
    const config = world.configs?.[names.at(-1)];
    return config || null;
  };

  async function show(form) {
    try {
      const told = engines.kernel.here ? (await engines.kernel.ask("cases-text", { cases: entries(), form })).text : JSON.stringify({ cases: entries() }, null, 1);
      text.hidden = false; // not before: what is typed meanwhile would be gone
      text.value = told;
      text.focus();
      text.select();
    } catch (error) {
      note.textContent = error.message;
    }
  }

  /** Put the cases into the notebook as text; who can write cells takes the event and says where they are. */
  async function keepAsCell() {
    try {
      await reading;
      const name = model.get("names").at(-1);
      const { text: source } = await engines.kernel.ask("cases-text", { cases: entries(), form: "cell" });
      const asked = new CustomEvent("wasmhub:keep-cell", { bubbles: true, composed: true, cancelable: true, detail: { source, magic: `%%wasm_cases ${name}`, told: "" } });
      if (!part.element.dispatchEvent(asked)) {
        note.textContent = asked.detail.told;
        return;
      }
      text.hidden = false;
      text.value = source;
      text.focus();
      text.select();
      await copy(source, (told) => (note.textContent = told === "copied" ? "copied: paste it into a new cell of the notebook" : "copy this into a new cell of the notebook"));
    } catch (error) {
      note.textContent = error.message;
    }
  }

  /** The text that is being read: what is kept or saved meanwhile is what it says. */
  let reading = Promise.resolve();

  async function take() {
    try {
      const { cases } = await engines.kernel.ask("cases-read", { text: text.value });
      keep(cases);
      draw();
      note.textContent = `${cases.length} cases read`;
      await run();
    } catch (error) {
      note.textContent = error.message;
    }
  }

  const forms = choice("Cases form", [["cell", "notebook cell"], ["yaml", "YAML suite"], ["csv", "CSV"], ["pytest", "pytest file"]]);
  const kernel = engines.kernel.here;
  const part = section("Cases", false,
    make("div", { class: "wht-line" }, button("Add the request above as a case", add, { class: "wht-second" }), button("Run all cases", run, { class: "wht-second" })),
    summary,
    make("div", { class: "wht-scroll" }, make("table", { class: "wht-cases" }, make("thead", {}, make("tr", {}, ...["result", "case", "expected"].map((head) => make("th", { textContent: head })), make("td"))), body)),
    make("div", { class: "wht-line" }, kernel ? forms : null, button("Show as text", () => show(forms.value)), kernel ? button("Read this text", () => (reading = take())) : null, button("Copy", () => copy(text.value, (told) => (note.textContent = told)), { "aria-label": "Copy the cases" }), kernel ? button("Keep as a cell", keepAsCell, { title: "Write the cases into the notebook, as a cell of text" }) : null, kernel ? button("Save beside the notebook", async () => {
      try {
        await reading;
        note.textContent = (await engines.kernel.ask("cases-save", { cases: entries() })).told;
      } catch (error) {
        note.textContent = error.message;
      }
    }) : null, note),
    text);
  draw();
  return { ...part, draw, run, outdated: () => entries().length > 0 && Boolean(remembered().build) && remembered().build !== build() };
}
