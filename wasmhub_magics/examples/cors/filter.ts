// CORS: the configuration lists the origins whose pages may read responses, separated by spaces.
import { Action, Header, Plugin, Stream, getProperty, setProperty } from "proxy_wasm";

let origins: string[] = [];

export function onConfigure(plugin: Plugin): void {
  origins = plugin.configuration.split(" ");
}

export function onRequestHeaders(stream: Stream): Action {
  const headers = stream.request.headers, origin = headers.get("origin"), method = headers.get(":method");
  if (origin !== null && origins.includes(origin)) setProperty("cors-origin", origin); // kept with the stream
  if (method === null || method != "OPTIONS" || !headers.has("access-control-request-method")) return Action.Continue;
  if (origin === null || !origins.includes(origin)) return stream.respond(403, "this origin is not allowed\n");
  const wanted = headers.get("access-control-request-headers");
  return stream.respond(204, "", [
    new Header("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"),
    new Header("access-control-allow-headers", wanted === null ? "content-type" : wanted),
    new Header("access-control-max-age", "600"),
  ]);
}

/** An answer of our own comes by here, too. */
export function onResponseHeaders(stream: Stream): void {
  const headers = stream.response.headers, origin = getProperty("cors-origin");
  headers.remove("access-control-allow-origin");
  if (origin === null) return;
  headers.set("access-control-allow-origin", origin);
  headers.add("vary", "origin");
}
