// Call-out authorisation: the cluster auth decides about each request.

async function onRequestHeaders(ctx) {
  const headers = ctx.request.headers;
  headers.delete("x-user"); // only we may send this
  const asked = {
    authorization: headers.get("authorization") ?? "",
    "x-original-method": ctx.request.method,
    "x-original-path": ctx.request.path,
  };
  const answer = await ctx.call("auth", "/check", { headers: asked, timeout: 0.5 });
  if (answer.status === 200) {
    headers.set("x-user", answer.headers.get("x-user") ?? "");
  } else if (answer.status === 401 || answer.status === 403) {
    return ctx.respond(answer.status, {}, "forbidden\n");
  } else {
    return ctx.respond(503, {}, "authorisation is out of order\n");
  }
}
