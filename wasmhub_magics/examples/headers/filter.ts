// Add and rewrite headers.
import { Stream } from "proxy_wasm";

export function onRequestHeaders(stream: Stream): void {
  const headers = stream.request.headers;
  headers.set("x-env", "prod"); // whatever the client says
  headers.remove("x-internal-token"); // only we may send this
  const path = headers.get(":path");
  if (path !== null && path.startsWith("/api/")) headers.set(":path", "/v1/" + path.slice(5));
}

export function onResponseHeaders(stream: Stream): void {
  const headers = stream.response.headers;
  headers.remove("x-powered-by");
  headers.set("strict-transport-security", "max-age=63072000");
  headers.set("x-content-type-options", "nosniff");
}
