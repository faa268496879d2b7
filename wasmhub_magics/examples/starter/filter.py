def on_request_headers(ctx):
    user = ctx.request.headers.get("x-user", "stranger")
    ctx.request.headers["x-greeting"] = "hello " + user
    log("greeted", user)
