"""Add and rewrite headers."""


def on_request_headers(ctx):
    ctx.request.headers["x-env"] = "prod"  # whatever the client says
    del ctx.request.headers["x-internal-token"]  # only we may send this
    if ctx.request.path.startswith("/api/"):
        ctx.request.path = "/v1/" + ctx.request.path[5:]


def on_response_headers(ctx):
    del ctx.response.headers["x-powered-by"]
    ctx.response.headers["strict-transport-security"] = "max-age=63072000"
    ctx.response.headers["x-content-type-options"] = "nosniff"
