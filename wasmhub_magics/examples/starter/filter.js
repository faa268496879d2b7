function onRequestHeaders(ctx) {
  const user = ctx.request.headers.get("x-user") ?? "stranger";
  ctx.request.headers.set("x-greeting", "hello " + user);
  log("greeted", user);
}
