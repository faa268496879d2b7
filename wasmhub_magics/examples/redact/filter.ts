// Body redaction: of 16 digits in a row the last four stay.
import { Action, Stream, getProperty, setProperty } from "proxy_wasm";

export function onResponseHeaders(stream: Stream): void {
  const kind = stream.response.headers.get("content-type");
  const readable = kind !== null && (kind.startsWith("application/json") || kind.startsWith("text/"));
  setProperty("redact", readable ? "yes" : "no"); // kept with the stream
}

export function onResponseBody(stream: Stream): Action {
  const readable = getProperty("redact");
  if (readable === null || readable != "yes") return Action.Continue;
  if (!stream.endOfStream) return Action.Pause; // until all of the body is here
  const body = stream.response.body;
  for (let at = 0, run = 0; at <= body.length; at++) {
    if (at < body.length && body[at] >= 48 && body[at] <= 57) {
      run++;
      continue;
    }
    if (run == 16) body.fill(42, at - 16, at - 4);
    run = 0;
  }
  stream.response.body = body; // as long as before, so content-length stays right
  return Action.Continue;
}
