"""CORS: the configuration lists the origins whose pages may read responses, separated by spaces."""


def on_request_headers(ctx):
    headers = ctx.request.headers
    origin = headers.get("origin", "")
    ctx.origin = origin if origin in ctx.configuration.decode().split() else ""
    if ctx.request.method != "OPTIONS" or "access-control-request-method" not in headers:
        return
    if not ctx.origin:
        return ctx.respond(403, body="this origin is not allowed\n")
    allowed = {
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": headers.get("access-control-request-headers", "content-type"),
        "access-control-max-age": "600",
    }
    return ctx.respond(204, allowed)


def on_response_headers(ctx):  # an answer of our own comes by here, too
    headers = ctx.response.headers
    del headers["access-control-allow-origin"]
    if ctx.origin:
        headers["access-control-allow-origin"] = ctx.origin
        headers.add("vary", "origin")
