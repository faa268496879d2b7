/** The parts of the form: each is {element, read, write, note}; `changed` is called when somebody changes it. */

const HEADERS = ["accept", "accept-encoding", "accept-language", "authorization", "cache-control", "content-type", "cookie", "host", "if-none-match", "origin", "referer", "te", "traceparent", "user-agent", "x-api-key", "x-b3-traceid", "x-envoy-upstream-rq-timeout-ms", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-request-id", "x-user"];

/** The body: text, JSON that is checked, a file, or hex; and the sizes of its frames. */
function bodyControl(changed) {
  const kind = choice("Body kind", [["text", "text"], ["json", "JSON"], ["file", "file"], ["hex", "hex"]]);
  const text = area("Body", { rows: 4 });
  const file = make("input", { type: "file", "aria-label": "Body file", hidden: true });
  const told = make("div", { class: "wht-told", role: "status" });
  const chunks = input("Frame sizes", { placeholder: "sizes of its frames, such as 3,5" });
  const trailers = pairRows("trailer", changed);
  let content = "";
  const show = () => {
    file.hidden = kind.value !== "file";
    text.hidden = kind.value === "file";
    told.textContent = "";
    try {
      const bytes = read().bytes;
      if (kind.value === "json" && text.value.trim()) {
        JSON.parse(text.value);
        told.textContent = "✓ this is JSON";
      }
      if (kind.value === "file") told.textContent = content ? `${unbase64(content).length.toLocaleString("en-US")} bytes chosen` : "choose a file";
      part.say(bytes.length ? `${bytes.length.toLocaleString("en-US")} bytes` : "");
    } catch (error) {
      told.textContent = `✗ ${error.message}`;
    }
  };
  const read = () => {
    let bytes = new TextEncoder().encode(text.value);
    if (kind.value === "file") bytes = unbase64(content);
    if (kind.value === "hex") {
      const digits = text.value.replace(/\s+/g, "");
      if (!/^([0-9a-fA-F]{2})*$/.test(digits)) throw new Mistake("the body is not hex", "write pairs of digits, such as 00 ff");
      bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    }
    const sizes = chunks.value.split(",").map((each) => each.trim()).filter(Boolean);
    if (sizes.some((each) => !/^[1-9]\d*$/.test(each))) throw new Mistake(`chunks are sizes in bytes, at least 1 each, not ${chunks.value}`, "write numbers with commas, such as 3,5");
    return { bytes, chunks: sizes.map(Number), trailers: trailers.read().filter(([name]) => name.trim()) };
  };
  kind.addEventListener("change", show);
  text.addEventListener("input", show);
  file.addEventListener("change", async () => {
    content = file.files[0] ? base64(new Uint8Array(await file.files[0].arrayBuffer())) : "";
    show();
    changed();
  });
  const part = section("Body", false, make("div", { class: "wht-line" }, labelled("kind", kind), labelled("frames", chunks)), text, file, told, make("div", { class: "wht-label", textContent: "Trailers" }), trailers.element);
  return {
    ...part,
    read,
    state: () => ({ kind: kind.value, text: kind.value === "file" ? content : text.value, chunks: chunks.value, trailers: trailers.read() }),
    write(value) {
      kind.value = value.kind ?? "text";
      if (kind.value === "file") content = value.text ?? "";
      else text.value = value.text ?? "";
      chunks.value = value.chunks ?? "";
      trailers.write(value.trailers ?? []);
      if (value.text) part.element.open = true;
      show();
    },
  };
}

/** An answer that is typed in: status, delay, headers, body. */
function answerFields(noun, changed) {
  const status = input(`${noun} status`, { type: "number", min: 200, max: 599, value: 200 });
  const delay = input(`${noun} delay`, { type: "number", min: 0, step: "any", value: "", placeholder: "seconds" });
  const headers = pairRows(`${noun.toLowerCase()} header`, changed);
  const body = area(`${noun} body`, { rows: 2 });
  const element = make("div", {}, make("div", { class: "wht-line" }, labelled("status", status), labelled("delay", delay)), headers.element, body);
  return {
    element,
    read: () => ({ status: Number(status.value) || 200, delay: Number(delay.value) || 0, headers: headers.read().filter(([name]) => name.trim()), body: textBase64(body.value), text: body.value }),
    write(value) {
      status.value = value.status ?? 200;
      delay.value = value.delay || "";
      headers.write(value.headers ?? []);
      body.value = value.text ?? "";
    },
  };
}

/** Who answers what passes the filter: echo, a fixed answer, or something of the notebook's. */
function upstreamControl(changed, variables, kernel) {
  const kind = choice("Upstream", [["echo", "echo: the request's own body"], ["answer", "a fixed answer"], ...(kernel ? [["python", "Python: a function or Response of the notebook"]] : [])]);
  const fields = answerFields("Upstream", changed);
  const list = make("datalist", { id: `wht-variables-${++instances}` }, ...variables.map((name) => make("option", { value: name })));
  const python = input("Upstream variable", { placeholder: "name of a variable", list: list.id });
  const show = () => {
    fields.element.hidden = kind.value !== "answer";
    python.hidden = kind.value !== "python";
    part.say(kind.value === "echo" ? "" : kind.value === "answer" ? String(fields.read().status) : python.value);
  };
  kind.addEventListener("change", show);
  const part = section("Upstream", false, kind, fields.element, python, list);
  part.element.addEventListener("input", show);
  const state = () => ({ kind: kind.value, python: python.value, ...fields.read() });
  return {
    ...part,
    state,
    read() {
      if (kind.value === "echo") return { echo: true };
      if (kind.value === "python") return { python: python.value.trim() };
      const { text, ...answer } = fields.read();
      return answer;
    },
    write(value) {
      kind.value = value.kind ?? "echo";
      if (!kind.value) kind.value = "echo";
      python.value = value.python ?? "";
      fields.write(value);
      show();
    },
  };
}

/** What each cluster answers that the filter calls. */
function clustersControl(changed) {
  const rows = rowsOf("cluster", (value = {}) => {
    const name = input("Cluster name", { value: value.name ?? "", placeholder: "cluster" });
    const kind = choice("Cluster answers", [["answer", "answers"], ["echo", "echoes"], ["refused", "refuses"], ["closed", "closes"], ["broken", "breaks off"], ["silent", "is silent"], ["live", "is a real server"]], { value: value.kind ?? "answer" });
    kind.value = value.kind ?? "answer";
    const status = input("Cluster status", { type: "number", min: 200, max: 599, value: value.status ?? 200 });
    const delay = input("Cluster delay", { type: "number", min: 0, step: "any", value: value.delay || "", placeholder: "delay, s" });
    const body = input("Cluster body", { value: value.text ?? "", placeholder: "body" });
    const show = () => {
      for (const each of [status, delay]) each.hidden = kind.value !== "answer";
      body.hidden = !["answer", "live"].includes(kind.value);
      body.placeholder = kind.value === "live" ? "http://HOST:PORT" : "body";
    };
    kind.addEventListener("change", show);
    show();
    return { controls: [name, kind, status, delay, body], read: () => ({ name: name.value.trim(), kind: kind.value, status: Number(status.value) || 200, delay: Number(delay.value) || 0, text: body.value }) };
  }, changed);
  const part = section("Clusters the filter calls", false, rows.element);
  return {
    ...part,
    state: () => rows.read(),
    read() {
      const found = {};
      for (const each of rows.read()) {
        if (!each.name) continue;
        found[each.name] = each.kind === "answer" ? { status: each.status, delay: each.delay, headers: [], body: textBase64(each.text) } : each.kind === "live" ? { live: each.text } : each.kind === "echo" ? { echo: true } : { fail: each.kind };
      }
      part.say(Object.keys(found).join(", "));
      return found;
    },
    write(values) {
      rows.write(values ?? []);
      if (values?.length) part.element.open = true;
      this.read();
    },
  };
}

const PROPERTIES = ["source.address", "source.port", "connection.mtls", "connection.tls_version", "connection.requested_server_name", "connection.subject_peer_certificate", "connection.uri_san_peer_certificate", "xds.route_name", "xds.cluster_name", "xds.listener_direction", "metadata.filter_metadata", "request.id"];

/** What the filter finds when it asks for properties of the client and the connection. */
function propertiesControl(changed) {
  const list = make("datalist", { id: `wht-properties-${++instances}` }, ...PROPERTIES.map((name) => make("option", { value: name })));
  const rows = pairRows("property", changed, list.id);
  const part = section("Client and connection properties", false, make("div", { class: "wht-hint", textContent: "What get_property finds, by its path with dots. true and false are one byte, whole numbers eight; all else is text. In the embedded proxy only." }), rows.element, list);
  return {
    ...part,
    state: () => rows.read(),
    read() {
      const found = Object.fromEntries(rows.read().filter(([name]) => name.trim()).map(([name, value]) => [name.trim(), value]));
      part.say(Object.keys(found).length ? String(Object.keys(found).length) : "");
      return found;
    },
    write(values) {
      rows.write(values ?? []);
      if (values?.length) part.element.open = true;
      this.read();
    },
  };
}
