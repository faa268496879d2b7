// Request id: keep a well-formed x-correlation-id, else make one; the client learns it, too.

function onRequestHeaders(ctx) {
  ctx.correlation = ctx.request.headers.get("x-correlation-id") ?? "";
  if (/^[A-Za-z0-9-]{8,64}$/.test(ctx.correlation)) return;
  const word = () => Math.floor(Math.random() * 2 ** 32).toString(16).padStart(8, "0");
  ctx.correlation = word() + word() + word() + word();
  ctx.request.headers.set("x-correlation-id", ctx.correlation);
}

function onResponseHeaders(ctx) {
  ctx.response.headers.set("x-correlation-id", ctx.correlation);
}
