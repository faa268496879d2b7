// Rate limit by shared data: "3 3600" lets 3 requests of a key in at once, and one more every 3600 seconds.
import { Action, Header, Plugin, Stream, getShared, now, setShared } from "proxy_wasm";

let burst: i64 = 0, every: i64 = 0;

export function onConfigure(plugin: Plugin): bool {
  const words = plugin.configuration.split(" ");
  if (words.length != 2) return false;
  burst = <i64>parseInt(words[0]);
  every = <i64>parseInt(words[1]);
  return burst > 0 && every > 0;
}

export function onRequestHeaders(stream: Stream): Action {
  const client = stream.request.headers.get("x-api-key");
  const key = "rate-limit/" + (client === null ? "" : client);
  const time = <i64>(now() / 1000000000);
  while (true) {
    const stored = getShared(key);
    let left = burst, since = time;
    if (stored !== null) {
      const words = stored.text.split(" ");
      left = <i64>parseInt(words[0]);
      since = <i64>parseInt(words[1]);
    }
    const more = (time - since) / every;
    if (more > 0) {
      left = min(burst, left + more);
      since += more * every;
    }
    if (left == 0) {
      return stream.respond(429, "too many requests\n", [new Header("retry-after", (since + every - time).toString())]);
    }
    if (left == burst) since = time;
    const after = (left - 1).toString() + " " + since.toString();
    if (setShared(key, after, stored === null ? 0 : stored.cas)) return Action.Continue;
  }
}
