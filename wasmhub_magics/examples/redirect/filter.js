// Redirect to the canonical host, which is the configuration.

function onRequestHeaders(ctx) {
  const host = ctx.configuration.text(), path = ctx.request.path;
  if (ctx.request.authority !== host && !path.startsWith("/.well-known/")) {
    return ctx.respond(301, { location: `https://${host}${path}` });
  }
}
