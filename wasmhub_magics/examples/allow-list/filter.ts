// IP and path allow list: "/health 10.0.0.0/8 192.168.1.7".
//
// x-forwarded-for counts, so let nobody but your own load balancer reach this proxy, or leave it out.
import { Action, Plugin, Stream, getProperty } from "proxy_wasm";

class Range {
  constructor(public prefix: u32, public bits: u32) {}
}

const paths: string[] = [];
const ranges: Range[] = [];

export function onConfigure(plugin: Plugin): bool {
  const words = plugin.configuration.split(" ");
  for (let i = 0; i < words.length; i++) {
    if (words[i].startsWith("/")) {
      paths.push(words[i]);
      continue;
    }
    const parts = words[i].split("/");
    const prefix = address(parts[0]), bits = parts.length > 1 ? <u32>parseInt(parts[1]) : 32;
    if (prefix < 0 || bits > 32) return false;
    ranges.push(new Range(<u32>prefix, bits));
  }
  return true;
}

export function onRequestHeaders(stream: Stream): Action {
  const path = stream.request.headers.get(":path");
  if (path !== null && paths.includes(path.split("?")[0])) return Action.Continue;
  const client = address(clientOf(stream));
  if (client >= 0) {
    for (let i = 0; i < ranges.length; i++) {
      const range = ranges[i];
      if (range.bits == 0 || (<u32>client ^ range.prefix) >> (32 - range.bits) == 0) return Action.Continue;
    }
  }
  return stream.respond(403, "forbidden\n");
}

function clientOf(stream: Stream): string {
  const forwarded = stream.request.headers.get("x-forwarded-for");
  if (forwarded !== null) return forwarded.slice(forwarded.lastIndexOf(",") + 1).trim();
  const peer = getProperty("source.address");
  return peer === null ? "" : peer.split(":")[0];
}

/** An IPv4 address as a number; -1 where it is none. */
function address(text: string): i64 {
  const parts = text.split(".");
  if (parts.length != 4) return -1;
  let found: i64 = 0;
  for (let i = 0; i < 4; i++) {
    if (parts[i].length == 0 || parts[i].length > 3) return -1;
    for (let k = 0; k < parts[i].length; k++) {
      const code = parts[i].charCodeAt(k);
      if (code < 48 || code > 57) return -1;
    }
    const part = <i64>parseInt(parts[i]);
    if (part > 255) return -1;
    found = found << 8 | part;
  }
  return found;
}
