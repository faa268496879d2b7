// JWT check. The configuration is the secret that tokens are signed with (HS256).

let secret;

function onConfigure(ctx) {
  secret = ctx.configuration;
  return secret.length > 0;
}

function onRequestHeaders(ctx) {
  ctx.request.headers.delete("x-jwt-sub"); // only we may send this
  const [kind, token] = (ctx.request.headers.get("authorization") ?? "").split(" ", 2);
  if (kind !== "Bearer") return refuse(ctx, "no token");
  let claims;
  try {
    const [head, body, signature] = token.split(".");
    const good = hmac(secret, new TextEncoder().encode(`${head}.${body}`));
    if (JSON.parse(text(head)).alg !== "HS256" || !same(good, decoded(signature))) throw new Error("signature");
    claims = JSON.parse(text(body));
  } catch {
    return refuse(ctx, "wrong token");
  }
  if ((claims.exp ?? Infinity) <= Date.now() / 1000) return refuse(ctx, "expired token");
  ctx.request.headers.set("x-jwt-sub", String(claims.sub ?? ""));
}

const refuse = (ctx, why) => ctx.respond(401, { "www-authenticate": "Bearer" }, why + "\n");

const decoded = (part) =>
  Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
const text = (part) => new TextDecoder().decode(decoded(part));

// Compare in a time that does not tell how far two texts agree.
const same = (one, other) =>
  one.reduce((difference, byte, at) => difference | (byte ^ other[at]), one.length ^ other.length) === 0;

function hmac(key, message) {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  return sha256(block.map((byte) => byte ^ 0x5c), sha256(block.map((byte) => byte ^ 0x36), message));
}

const K = [], START = []; // the fractions of the cube and square roots of the first primes
for (let n = 2; K.length < 64; n++) {
  if ([...Array(n).keys()].some((d) => d > 1 && n % d === 0)) continue;
  if (START.length < 8) START.push((Math.sqrt(n) * 2 ** 32) | 0);
  K.push((Math.cbrt(n) * 2 ** 32) | 0);
}

function sha256(...parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const data = new Uint8Array((((size + 8) >> 6) + 1) << 6), view = new DataView(data.buffer);
  parts.reduce((at, part) => (data.set(part, at), at + part.length), 0);
  data[size] = 0x80;
  view.setUint32(data.length - 4, size * 8);
  const turn = (word, by) => (word >>> by) | (word << (32 - by)), state = [...START], w = new Int32Array(64);
  for (let at = 0; at < data.length; at += 64) {
    for (let i = 0; i < 64; i++) {
      const a = w[i - 15], b = w[i - 2];
      w[i] = i < 16 ? view.getInt32(at + 4 * i)
        : w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = (state[i] + word) | 0));
  }
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => out.setInt32(4 * i, word));
  return new Uint8Array(out.buffer);
}
