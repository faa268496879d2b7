/** Requests and answers between what a page has and what the host takes. */

const FAILURES = ["refused", "closed", "broken", "silent"];

/** A request with its pseudo-headers as fields, as the Python side has it. */
function requestOf(message) {
  const known = {};
  for (const [name, value] of message.headers) if (name[0] === ":" && !(name in known)) known[name] = value;
  const part = (name) => known[`:${name}`] ?? "";
  return { method: part("method"), path: part("path"), authority: part("authority"), scheme: part("scheme"), chunks: [], ...message, headers: message.headers.filter(([name]) => name[0] !== ":") };
}

function responseOf(message) {
  const status = message.headers.find(([name]) => name === ":status")?.[1] ?? "0";
  return { status: Number(status) || 0, ...message, headers: message.headers.filter(([name]) => name[0] !== ":") };
}

/** What answers a call: an answer, a failure by its kind, or echo. */
function clusterAnswer(spec, request) {
  if (spec?.fail) return new Writer().u8(1 + FAILURES.indexOf(spec.fail)).u64(0).whole();
  const late = Math.round((spec?.delay ?? 0) * 1e9);
  return new Writer().u8(0).u64(late).answer(spec?.echo ? echo(request) : spec).whole();
}

function echo(request) {
  const kind = request.headers.find(([name]) => name === "content-type")?.[1];
  if (!request.body) return { status: 200, headers: [["content-type", "text/plain"]], body: btoa("hello from the upstream\n") };
  return { status: 200, headers: [["content-type", kind ?? "application/octet-stream"]], body: request.body, trailers: request.trailers };
}

function propertyPath(path) {
  const parts = [...path.matchAll(/([^.[\]"]+)|\["([^"]+)"\]/g)].map((found) => found[1] ?? found[2]);
  if (!parts.length) throw new Error(`'${path}' is no path of a property`);
  return parts.join("\0");
}

/** What is typed as a property: a truth is one byte, a whole number eight; all else is text. */
function propertyValue(value) {
  if (value === "true" || value === "false") return Uint8Array.of(Number(value === "true"));
  if (/^-?\d{1,18}$/.test(value)) return new Uint8Array(new BigInt64Array([BigInt(value)]).buffer);
  return encoder.encode(value);
}
