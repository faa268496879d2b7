/** Requests from text and to text. */

/** Requests from whatever somebody has: pasted, or in a file. */
function pasteControl({ fill, changed, keepCases }) {
  let found = [];
  const pasted = area("Paste a request", { rows: 3, placeholder: "a curl line, a HAR file, access-log lines, a raw HTTP message, a .http file" });
  const file = make("input", { type: "file", "aria-label": "Request file", accept: ".har,.json,.http,.log,.txt" });
  const note = make("div", { class: "wht-told", role: "status" });
  const picker = choice("Which request", [], { hidden: true });
  const all = button("Make cases of all", () => keepCases(found), { hidden: true });
  const take = (text) => {
    try {
      found = readRequests(text);
      picker.replaceChildren(...found.map((each, place) => make("option", { value: String(place), textContent: `${each.method} ${each.path}`.slice(0, 80) })));
      picker.hidden = all.hidden = found.length < 2;
      fill(found[0]);
      note.textContent = found.length > 1 ? `${found.length} requests read: choose one, or make cases of all` : `read: ${found[0].method} ${found[0].path}`;
      changed();
    } catch (error) {
      note.textContent = error.message;
    }
  };
  picker.addEventListener("change", () => {
    fill(found[Number(picker.value)]);
    changed();
  });
  pasted.addEventListener("paste", () => setTimeout(() => take(pasted.value)));
  file.addEventListener("change", async () => {
    if (file.files[0]) take(await file.files[0].text());
    file.value = "";
  });
  return section("Paste a request", false, pasted, make("div", { class: "wht-line" }, button("Read", () => take(pasted.value), { class: "wht-second" }), labelled("or open a file", file), picker, all), note);
}

/** The request as text; `written` makes it in one of the FORMS. */
function copyControl(written) {
  const form = choice("Copy as", Object.keys(FORMS).map((each) => [each, { curl: "curl", python: "Python", http: ".http file", pytest: "pytest" }[each]]));
  const text = area("Request as text", { rows: 4, readOnly: true });
  const note = make("span", { class: "wht-told", role: "status" });
  const refresh = () => {
    if (!part.element.open) return;
    try {
      text.value = written(form.value);
    } catch (error) {
      text.value = error.message;
    }
  };
  const part = section("Copy the request as", false, make("div", { class: "wht-line" }, form, button("Copy", () => copy(text.value, (told) => (note.textContent = told)), { "aria-label": "Copy the request" }), note), text);
  form.addEventListener("change", refresh);
  part.element.addEventListener("toggle", refresh);
  return { ...part, refresh };
}
