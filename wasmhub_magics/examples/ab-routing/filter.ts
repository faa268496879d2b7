// A/B routing by cookie: the configuration is how many percent of new visitors get variant b.
//
// Let a route match the header x-variant.
import { Plugin, Stream, getProperty, setProperty } from "proxy_wasm";

let percent: f64 = 0;

export function onConfigure(plugin: Plugin): bool {
  percent = parseInt(plugin.configuration);
  return !isNaN(percent);
}

function variantOf(cookies: string | null): string {
  const each = (cookies === null ? "" : cookies).split(";");
  for (let i = 0; i < each.length; i++) {
    const cookie = each[i].trim();
    if (cookie == "ab=a" || cookie == "ab=b") return cookie.charAt(3);
  }
  return "";
}

export function onRequestHeaders(stream: Stream): void {
  let variant = variantOf(stream.request.headers.get("cookie"));
  if (variant == "") {
    variant = Math.random() * 100 < percent ? "b" : "a";
    setProperty("ab-new", variant); // kept with the stream
  }
  stream.request.headers.set("x-variant", variant);
}

export function onResponseHeaders(stream: Stream): void {
  const variant = getProperty("ab-new");
  if (variant !== null) stream.response.headers.add("set-cookie", "ab=" + variant + "; Path=/; Max-Age=2592000");
}
