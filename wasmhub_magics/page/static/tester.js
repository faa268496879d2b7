/**
 * The request tester's front end: one form, one answer.
 *
 * Reads and writes the traits of `Tester` (tester.py): `form` is what is typed, `answer` what came back.
 */

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const HEADERS = ["accept", "authorization", "content-type", "cookie", "host", "user-agent", "x-forwarded-for", "x-request-id"];
const SLOW_MS = 1500;

let instances = 0;

/** Make an element: properties are set, `class`, `aria-*`, `data-*`, `for` and `list` become attributes. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(class|for|list|role|aria-.*|data-.*)$/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

function render({ model, el }) {
  const id = `wht-${++instances}`;
  let waiting = null;

  // ---- the request -------------------------------------------------------------------------------------
  const method = make("select", { id: `${id}-method`, "aria-label": "Method" }, ...METHODS.map((m) => make("option", { value: m, textContent: m })));
  const path = make("input", { id: `${id}-path`, type: "text", spellcheck: false, autocomplete: "off", placeholder: "/path?query", "aria-label": "Path" });
  const send = make("button", { type: "submit", class: "wht-send", textContent: "Send", title: "Ctrl+Enter" });

  const rows = make("div", { class: "wht-rows" });
  const add = make("button", { type: "button", class: "wht-plain", textContent: "+ Add header" });
  const names = make("datalist", { id: `${id}-names` }, ...HEADERS.map((h) => make("option", { value: h })));
  const headers = section("Headers", true, rows, add, names);

  const body = make("textarea", { rows: 4, spellcheck: false, "aria-label": "Body" });
  const content = section("Body", false, body);

  const configs = make("div", {});
  const settings = section("Plugin configuration", false, configs);

  const title = make("span", { class: "wht-title" });
  const about = make("span", { class: "wht-about" });
  const form = make(
    "form",
    { class: "wht-form", noValidate: true, "aria-label": "Request" },
    make("div", { class: "wht-target" }, method, path, send),
    headers.element,
    content.element,
    settings.element,
  );

  // ---- the answer --------------------------------------------------------------------------------------
  const state = make("div", { class: "wht-state", role: "status", "aria-live": "polite" });
  const answer = make("div", { class: "wht-answer", role: "region", "aria-label": "Answer", tabIndex: -1 });

  const root = make(
    "div",
    { class: "wht", "data-lm-suppress-shortcuts": "true", "data-jp-suppress-context-menu": "true" },
    make("div", { class: "wht-head" }, title, about),
    form,
    state,
    answer,
  );
  el.append(root);

  function section(label, open, ...children) {
    const note = make("span", { class: "wht-note" });
    const element = make("details", { class: "wht-section", open }, make("summary", {}, label, note), ...children);
    return { element, note };
  }

  function addRow(name = "", value = "", focus = false) {
    const nameInput = make("input", { type: "text", value: name, list: `${id}-names`, placeholder: "name", spellcheck: false, autocomplete: "off", "aria-label": "Header name" });
    const valueInput = make("input", { type: "text", value, placeholder: "value", spellcheck: false, autocomplete: "off", "aria-label": "Header value" });
    const remove = make("button", { type: "button", class: "wht-plain", textContent: "×", title: "Remove this header", "aria-label": "Remove header" });
    const row = make("div", { class: "wht-row" }, nameInput, valueInput, remove);
    remove.addEventListener("click", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      (next?.querySelector("input") ?? add).focus();
      changed();
    });
    rows.append(row);
    if (focus) nameInput.focus();
  }

  // ---- form <-> trait ----------------------------------------------------------------------------------
  function read() {
    return {
      method: method.value,
      path: path.value,
      headers: [...rows.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value)),
      body: body.value,
      configs: Object.fromEntries([...configs.querySelectorAll("textarea")].map((area) => [area.name, area.value])),
    };
  }

  function write(values) {
    if (!METHODS.includes(values.method) && ![...method.options].some((o) => o.value === values.method)) {
      method.append(make("option", { value: values.method, textContent: values.method }));
    }
    method.value = values.method;
    path.value = values.path;
    rows.replaceChildren();
    for (const [name, value] of values.headers.length ? values.headers : [["", ""]]) addRow(name, value);
    body.value = values.body;
    configs.replaceChildren();
    const several = model.get("names").length > 1;
    for (const name of model.get("names")) {
      const area = make("textarea", { name, rows: 3, spellcheck: false, value: values.configs[name] ?? "", "aria-label": `Configuration of ${name}` });
      configs.append(...(several ? [make("div", { class: "wht-label", textContent: name })] : []), area);
    }
    if (values.body) content.element.open = true;
    if (Object.values(values.configs).some(Boolean)) settings.element.open = true;
    count();
  }

  function count() {
    const { headers: given, body: text, configs: set } = read();
    const named = given.filter(([name]) => name.trim()).length;
    headers.note.textContent = named ? String(named) : "";
    content.note.textContent = text ? `${new TextEncoder().encode(text).length} bytes` : "";
    settings.note.textContent = Object.values(set).some(Boolean) ? "set" : "";
  }

  function changed() {
    count();
    const values = read();
    if (JSON.stringify(values) !== JSON.stringify(model.get("form"))) {
      model.set("form", values);
      model.save_changes();
    }
  }

  // ---- send and show -----------------------------------------------------------------------------------
  function submit() {
    if (waiting !== null) return;
    send.disabled = true;
    root.classList.add("wht-busy");
    tell("sending …");
    waiting = setTimeout(() => {
      tell("No answer yet: the kernel is busy. If it was restarted, run this cell again.");
      // The form stays usable: whoever restarted the kernel must not face a dead button.
      send.disabled = false;
      waiting = null;
    }, SLOW_MS);
    model.send({ type: "send", form: read() });
  }

  /** Say something to everybody, or (quietly) only to those who hear the page instead of seeing the answer. */
  function tell(text, quietly = false) {
    state.textContent = text;
    state.classList.toggle("wht-quiet", quietly);
  }

  function show() {
    clearTimeout(waiting);
    waiting = null;
    send.disabled = false;
    root.classList.remove("wht-busy");
    const { html, error } = model.get("answer");
    const opened = [...answer.querySelectorAll("details[open] > summary")].map((s) => s.firstChild?.textContent);
    if (error !== undefined) {
      answer.replaceChildren(make("pre", { class: "wht-error", textContent: error }));
      tell(error, true);
    } else if (html !== undefined) {
      answer.innerHTML = html; // made and escaped by exchange_html
      for (const summary of answer.querySelectorAll("details > summary")) {
        if (opened.includes(summary.firstChild?.textContent)) summary.parentElement.open = true;
      }
      tell(`Answer: ${answer.querySelector(".wh-status")?.textContent ?? ""}`, true);
    } else {
      tell("Type a request and press Send, or Enter.");
    }
  }

  function describe() {
    title.textContent = model.get("title");
    about.textContent = model.get("about");
  }

  function formArrived() {
    const arrived = model.get("form");
    if (JSON.stringify(arrived) !== JSON.stringify(read())) write(arrived);
  }

  function rebuilt() {
    describe();
    if (model.get("answer").serial !== undefined) submit();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener("input", count);
  form.addEventListener("change", changed);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submit();
    }
    // The notebook must not take what is typed here for its own commands.
    event.stopPropagation();
  });
  add.addEventListener("click", () => addRow("", "", true));

  const listeners = { "change:form": formArrived, "change:answer": show, "change:build": rebuilt };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  describe();
  write(model.get("form"));
  show();

  return () => {
    clearTimeout(waiting);
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
  };
}

export default { render };
