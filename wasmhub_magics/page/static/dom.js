/** Elements, and the few shapes of which the tester is made. */

let instances = 0;

/** Make an element: `class`, `aria-*`, `data-*`, `for`, `list`, `role` and `style` become attributes, all else properties. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (/^(class|for|list|role|style|aria-.*|data-.*)$/.test(name)) element.setAttribute(name, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A part that opens and closes, with a note beside its title. */
function section(title, open, ...children) {
  const note = make("span", { class: "wht-note" });
  const element = make("details", { class: "wht-section", open }, make("summary", {}, title, note), ...children);
  return { element, note, say: (text) => (note.textContent = text) };
}

const input = (label, properties = {}) => make("input", { type: "text", spellcheck: false, autocomplete: "off", "aria-label": label, ...properties });
const area = (label, properties = {}) => make("textarea", { rows: 3, spellcheck: false, "aria-label": label, ...properties });
const button = (text, onclick, properties = {}) => make("button", { type: "button", class: "wht-plain", textContent: text, onclick, ...properties });
const choice = (label, options, properties = {}) => make("select", { "aria-label": label, ...properties }, ...options.map((each) => (Array.isArray(each) ? make("option", { value: each[0], textContent: each[1] }) : make("option", { value: each, textContent: each }))));
const labelled = (text, control) => make("label", { class: "wht-field" }, make("span", { class: "wht-label", textContent: text }), control);
const check = (text, properties = {}) => {
  const box = make("input", { type: "checkbox", ...properties });
  return { box, element: make("label", { class: "wht-check" }, box, text) };
};

/** Rows that are added and removed: names and values, cases, clusters. `build` makes a row's controls. */
function rowsOf(noun, build, changed) {
  const rows = make("div", { class: "wht-rows" });
  const add = button(`+ Add ${noun}`, () => {
    append();
    rows.lastElementChild.querySelector("input, select, textarea")?.focus();
  });
  function append(value) {
    const built = build(value);
    const remove = button("×", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      (next?.querySelector("input, select, textarea") ?? add).focus();
      changed();
    }, { title: `Remove this ${noun}`, "aria-label": `Remove ${noun}` });
    const row = make("div", { class: "wht-row" }, ...built.controls, remove);
    row.read = built.read;
    rows.append(row);
  }
  return {
    element: make("div", {}, rows, add),
    rows,
    append,
    read: () => [...rows.children].map((row) => row.read()),
    write(values) {
      rows.replaceChildren();
      values.forEach(append);
    },
  };
}

/** Rows of names and values. */
function pairRows(noun, changed, list) {
  const title = noun[0].toUpperCase() + noun.slice(1);
  return rowsOf(noun, ([name, value] = ["", ""]) => {
    const controls = [input(`${title} name`, { value: name, placeholder: "name", list }), input(`${title} value`, { value, placeholder: "value" })];
    return { controls, read: () => controls.map((each) => each.value) };
  }, changed);
}

function duration(ns) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) if (ns >= size) return `${Number((ns / size).toPrecision(3))} ${unit}`;
  return `${Math.round(ns)} ns`;
}

/** How much longer or shorter something takes, in words. */
function changeText(before, now) {
  const percent = Math.round((100 * now) / before - 100);
  return percent ? `${Math.abs(percent)} % ${percent > 0 ? "more" : "less"}` : "the same";
}

async function copy(text, told) {
  try {
    await navigator.clipboard.writeText(text);
    told("copied");
  } catch {
    told("select the text and copy it: this page may not use the clipboard");
  }
}
