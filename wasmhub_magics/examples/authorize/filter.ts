// Call-out authorisation: the cluster auth decides about each request.
import { Action, CallResponse, Header, Plugin, Stream, httpCall } from "proxy_wasm";

/** Which stream waits for which call. */
const waiting = new Map<u32, Stream>();

export function onRequestHeaders(stream: Stream): Action {
  const headers = stream.request.headers, token = headers.get("authorization");
  headers.remove("x-user"); // only we may send this
  const call = httpCall("auth", [
    new Header(":method", "GET"),
    new Header(":path", "/check"),
    new Header(":authority", "auth"),
    new Header("authorization", token === null ? "" : token),
    new Header("x-original-method", headers.get(":method")!),
    new Header("x-original-path", headers.get(":path")!),
  ], "", 500);
  waiting.set(call, stream);
  return Action.Pause;
}

export function onHttpCallResponse(plugin: Plugin, answer: CallResponse): void {
  if (!waiting.has(answer.token)) return; // the stream has ended
  const stream = waiting.get(answer.token), status = answer.headers.get(":status");
  waiting.delete(answer.token);
  stream.activate();
  if (status !== null && status == "200") {
    const user = answer.headers.get("x-user");
    stream.request.headers.set("x-user", user === null ? "" : user);
    stream.resumeRequest();
  } else if (status !== null && (status == "401" || status == "403")) {
    stream.respond(<u32>parseInt(status), "forbidden\n");
  } else {
    stream.respond(503, "authorisation is out of order\n");
  }
}

export function onDelete(stream: Stream): void {
  const calls = waiting.keys();
  for (let i = 0; i < calls.length; i++) {
    if (waiting.get(calls[i]).id == stream.id) waiting.delete(calls[i]);
  }
}
