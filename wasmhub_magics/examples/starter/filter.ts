import { Stream, log } from "proxy_wasm";

export function onRequestHeaders(stream: Stream): void {
  const given = stream.request.headers.get("x-user");
  const user = given === null ? "stranger" : given;
  stream.request.headers.set("x-greeting", "hello " + user);
  log.info("greeted " + user);
}
