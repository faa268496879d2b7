/** The plugin configuration: text, or a form by its JSON Schema. */

/** The plugin configurations: an editor for each, or a form where the filter carries a schema. */
function configControl(names, schemas, changed) {
  const boxes = names.map((name) => {
    const text = area(`Configuration of ${name}`, { name });
    const told = make("div", { class: "wht-told", role: "status" });
    const schema = schemas[name];
    const form = schema ? schemaForm(schema, () => {
      text.value = JSON.stringify(form.read(), null, 2);
      look();
      text.dispatchEvent(new Event("change", { bubbles: true }));
    }) : null;
    const asText = schema ? check("edit as text") : null;
    const look = () => {
      const value = text.value.trim();
      told.textContent = "";
      if (/^[[{]/.test(value) || (schema && value)) {
        try {
          const parsed = JSON.parse(value);
          const wrong = schema ? schemaProblems(schema, parsed) : [];
          told.textContent = wrong.length ? `✗ ${wrong.join("; ")}` : "✓ this is JSON";
        } catch (error) {
          told.textContent = `✗ not JSON: ${error.message}`;
        }
      }
    };
    const flip = () => {
      text.hidden = Boolean(form) && !asText.box.checked;
      if (form) form.element.hidden = asText.box.checked;
    };
    asText?.box.addEventListener("change", () => {
      if (!asText.box.checked) form.write(parsed(text.value));
      flip();
    });
    text.addEventListener("input", look);
    const write = (value) => {
      text.value = value;
      form?.write(parsed(value));
      flip();
      look();
    };
    return { name, text, write, element: make("div", {}, names.length > 1 ? make("div", { class: "wht-label", textContent: name }) : null, asText?.element, form?.element, text, told) };
  });
  const parsed = (value) => {
    try {
      return JSON.parse(value);
    } catch {
      return {};
    }
  };
  const part = section("Plugin configuration", false, ...boxes.map((box) => box.element));
  return {
    ...part,
    read: () => Object.fromEntries(boxes.map((box) => [box.name, box.text.value])),
    write(values) {
      for (const box of boxes) box.write(values[box.name] ?? "");
      if (Object.values(values).some(Boolean) || boxes.some((box) => schemas[box.name])) part.element.open = true;
    },
    changed,
  };
}

/** A form for a JSON Schema: texts, numbers, choices, yes or no, lists, and objects in them. */
function schemaForm(schema, changed) {
  const fields = Object.entries(schema.properties ?? {}).map(([name, kind]) => {
    const title = `${kind.title ?? name}${(schema.required ?? []).includes(name) ? " *" : ""}`;
    let control;
    let read;
    let write;
    if (kind.type === "object" && kind.properties) {
      const inner = schemaForm(kind, changed);
      return { name, element: make("fieldset", {}, make("legend", { textContent: title }), inner.element), read: () => (Object.keys(inner.read()).length ? inner.read() : undefined), write: (value) => inner.write(value ?? {}) };
    }
    if (kind.enum) {
      control = choice(title, [["", "—"], ...kind.enum.map((each) => [JSON.stringify(each), String(each)])]);
      read = () => (control.value ? JSON.parse(control.value) : undefined);
      write = (value) => (control.value = value === undefined ? "" : JSON.stringify(value));
    } else if (kind.type === "boolean") {
      control = make("input", { type: "checkbox", "aria-label": title });
      read = () => control.checked || (control.dataset.given ? false : undefined);
      write = (value) => {
        control.checked = Boolean(value);
        if (value !== undefined) control.dataset.given = "1";
      };
      control.addEventListener("change", () => (control.dataset.given = "1"));
    } else if (kind.type === "number" || kind.type === "integer") {
      control = input(title, { type: "number", min: kind.minimum ?? "", max: kind.maximum ?? "", step: kind.type === "integer" ? "1" : "any" });
      read = () => (control.value === "" ? undefined : Number(control.value));
      write = (value) => (control.value = value ?? "");
    } else if (kind.type === "array" || kind.type === "object") {
      control = area(title, { rows: 2, placeholder: kind.type === "array" && kind.items?.type === "string" ? "one a line" : "JSON" });
      const plain = kind.type === "array" && kind.items?.type === "string";
      read = () => {
        if (!control.value.trim()) return undefined;
        if (plain) return control.value.split("\n").filter((line) => line.trim());
        try {
          return JSON.parse(control.value);
        } catch {
          return control.value;
        }
      };
      write = (value) => (control.value = value === undefined ? "" : plain && Array.isArray(value) ? value.join("\n") : JSON.stringify(value));
    } else {
      control = input(title, { placeholder: kind.default === undefined ? "" : String(kind.default) });
      read = () => control.value || undefined;
      write = (value) => (control.value = value ?? "");
    }
    control.addEventListener("input", changed);
    const element = labelled(title, control);
    if (kind.description) element.append(make("span", { class: "wht-hint", textContent: kind.description }));
    return { name, element, read, write };
  });
  return {
    element: make("div", { class: "wht-schema" }, ...fields.map((field) => field.element)),
    read: () => Object.fromEntries(fields.map((field) => [field.name, field.read()]).filter(([, value]) => value !== undefined)),
    write: (value) => fields.forEach((field) => field.write(value?.[field.name])),
  };
}

/** What of a value is not as its schema says, in words: type, required, enum, bounds, pattern, items. */
function schemaProblems(schema, value, where = "") {
  const at = where || "the configuration";
  const kinds = { object: (v) => v !== null && typeof v === "object" && !Array.isArray(v), array: Array.isArray, string: (v) => typeof v === "string", number: (v) => typeof v === "number", integer: Number.isInteger, boolean: (v) => typeof v === "boolean", null: (v) => v === null };
  const wanted = [schema.type ?? []].flat();
  if (wanted.length && !wanted.some((kind) => kinds[kind]?.(value))) return [`${at} is no ${wanted.join(" or ")}`];
  const found = [];
  if (schema.enum && !schema.enum.some((each) => JSON.stringify(each) === JSON.stringify(value))) found.push(`${at} is none of ${schema.enum.join(", ")}`);
  if (schema.minimum !== undefined && value < schema.minimum) found.push(`${at} is below ${schema.minimum}`);
  if (schema.maximum !== undefined && value > schema.maximum) found.push(`${at} is above ${schema.maximum}`);
  if (schema.pattern && typeof value === "string" && !new RegExp(schema.pattern).test(value)) found.push(`${at} does not match ${schema.pattern}`);
  if (kinds.object(value)) {
    for (const name of schema.required ?? []) if (!(name in value)) found.push(`${name} is missing`);
    for (const [name, each] of Object.entries(value)) {
      if (schema.properties?.[name]) found.push(...schemaProblems(schema.properties[name], each, where ? `${where}.${name}` : name));
      else if (schema.additionalProperties === false) found.push(`${name} is unknown`);
    }
  }
  if (Array.isArray(value) && schema.items) value.forEach((each, place) => found.push(...schemaProblems(schema.items, each, `${where}[${place}]`)));
  return found;
}
