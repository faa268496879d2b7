// CORS: the configuration lists the origins whose pages may read responses, separated by spaces.

let origins;

function onConfigure(ctx) {
  origins = ctx.configuration.text().split(/\s+/);
}

function onRequestHeaders(ctx) {
  const headers = ctx.request.headers, origin = headers.get("origin");
  ctx.origin = origins.includes(origin) ? origin : null;
  if (ctx.request.method !== "OPTIONS" || !headers.has("access-control-request-method")) return;
  if (!ctx.origin) return ctx.respond(403, {}, "this origin is not allowed\n");
  return ctx.respond(204, {
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": headers.get("access-control-request-headers") ?? "content-type",
    "access-control-max-age": "600",
  });
}

function onResponseHeaders(ctx) { // an answer of our own comes by here, too
  ctx.response.headers.delete("access-control-allow-origin");
  if (!ctx.origin) return;
  ctx.response.headers.set("access-control-allow-origin", ctx.origin);
  ctx.response.headers.add("vary", "origin");
}
