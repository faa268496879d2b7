// Add and rewrite headers.

function onRequestHeaders(ctx) {
  ctx.request.headers.set("x-env", "prod"); // whatever the client says
  ctx.request.headers.delete("x-internal-token"); // only we may send this
  if (ctx.request.path.startsWith("/api/")) ctx.request.path = "/v1/" + ctx.request.path.slice(5);
}

function onResponseHeaders(ctx) {
  ctx.response.headers.delete("x-powered-by");
  ctx.response.headers.set("strict-transport-security", "max-age=63072000");
  ctx.response.headers.set("x-content-type-options", "nosniff");
}
