// Redirect to the canonical host, which is the configuration.
import { Action, Header, Plugin, Stream } from "proxy_wasm";

let host = "";

export function onConfigure(plugin: Plugin): bool {
  host = plugin.configuration;
  return host.length > 0;
}

export function onRequestHeaders(stream: Stream): Action {
  const path = stream.request.headers.get(":path")!, authority = stream.request.headers.get(":authority");
  if (authority !== null && authority == host) return Action.Continue;
  if (path.startsWith("/.well-known/")) return Action.Continue;
  return stream.respond(301, "", [new Header("location", "https://" + host + path)]);
}
