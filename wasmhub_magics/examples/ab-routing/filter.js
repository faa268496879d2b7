// A/B routing by cookie: the configuration is how many percent of new visitors get variant b.
//
// Let a route match the header x-variant.

function onRequestHeaders(ctx) {
  const known = /(?:^|; *)ab=([ab])(?:;|$)/.exec(ctx.request.headers.get("cookie") ?? "");
  ctx.isNew = !known;
  ctx.variant = known ? known[1] : Math.random() * 100 < Number(ctx.configuration.text()) ? "b" : "a";
  ctx.request.headers.set("x-variant", ctx.variant);
}

function onResponseHeaders(ctx) {
  if (ctx.isNew) ctx.response.headers.add("set-cookie", `ab=${ctx.variant}; Path=/; Max-Age=2592000`);
}
