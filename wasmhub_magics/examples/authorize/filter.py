"""Call-out authorisation: the cluster auth decides about each request."""


async def on_request_headers(ctx):
    headers = ctx.request.headers
    del headers["x-user"]  # only we may send this
    asked = {
        "authorization": headers.get("authorization", ""),
        "x-original-method": ctx.request.method,
        "x-original-path": ctx.request.path,
    }
    answer = await ctx.call("auth", "/check", headers=asked, timeout=0.5)
    if answer.status == 200:
        headers["x-user"] = answer.headers.get("x-user", "")
    elif answer.status in (401, 403):
        return ctx.respond(answer.status, body="forbidden\n")
    else:
        return ctx.respond(503, body="authorisation is out of order\n")
