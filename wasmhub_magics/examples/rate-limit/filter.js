// Rate limit by shared data: "3 3600" lets 3 requests of a key in at once, and one more every 3600 seconds.

let burst, every;

function onConfigure(ctx) {
  [burst, every] = ctx.configuration.text().split(" ").map(Number);
  return burst > 0 && every > 0;
}

function onRequestHeaders(ctx) {
  const key = "rate-limit/" + (ctx.request.headers.get("x-api-key") ?? "");
  const now = Math.floor(Date.now() / 1000);
  for (;;) {
    const [value, version] = shared.read(key);
    let [left, since] = value ? value.text().split(" ").map(Number) : [burst, now];
    const more = Math.floor((now - since) / every);
    if (more > 0) [left, since] = [Math.min(burst, left + more), since + more * every];
    if (left === 0) return ctx.respond(429, { "retry-after": String(since + every - now) }, "too many requests\n");
    if (left === burst) since = now;
    if (shared.cas(key, `${left - 1} ${since}`, version)) return;
  }
}
