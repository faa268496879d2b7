"""Redirect to the canonical host, which is the configuration."""


def on_request_headers(ctx):
    host, path = ctx.configuration.decode(), ctx.request.path
    if ctx.request.authority != host and not path.startswith("/.well-known/"):
        return ctx.respond(301, {"location": "https://" + host + path})
