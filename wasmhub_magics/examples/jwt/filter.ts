// JWT check. The configuration is the secret that tokens are signed with (HS256).
import { decodeBase64Url, hmacSha256, sameBytes } from "hmac";
import { JsonObject } from "json";
import { Action, Header, Plugin, Stream, decode, encode, now } from "proxy_wasm";

let secret = new Uint8Array(0);

export function onConfigure(plugin: Plugin): bool {
  secret = encode(plugin.configuration);
  return secret.length > 0;
}

export function onRequestHeaders(stream: Stream): Action {
  const headers = stream.request.headers;
  headers.remove("x-jwt-sub"); // only we may send this
  const given = headers.get("authorization");
  if (given === null || !given.startsWith("Bearer ")) return refuse(stream, "no token\n");
  const claims = check(given.substring(7));
  if (claims === null) return refuse(stream, "wrong token\n");
  if (claims.number("exp") <= <f64>(now() / 1_000_000_000)) return refuse(stream, "expired token\n");
  const subject = claims.text("sub");
  headers.set("x-jwt-sub", subject === null ? "" : subject);
  return Action.Continue;
}

function refuse(stream: Stream, why: string): Action {
  return stream.respond(401, why, [new Header("www-authenticate", "Bearer")]);
}

/** The claims of a token that we have signed. */
function check(token: string): JsonObject | null {
  const parts = token.split(".");
  if (parts.length != 3) return null;
  const signature = decodeBase64Url(parts[2]);
  if (signature === null || !sameBytes(signature, hmacSha256(secret, encode(parts[0] + "." + parts[1])))) return null;
  const head = parsed(parts[0]);
  if (head === null) return null;
  const kind = head.text("alg");
  return kind !== null && kind == "HS256" ? parsed(parts[1]) : null;
}

function parsed(part: string): JsonObject | null {
  const bytes = decodeBase64Url(part);
  return bytes === null ? null : JsonObject.parse(decode(bytes));
}
