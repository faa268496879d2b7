"""Request id: keep a well-formed x-correlation-id, else make one; the client learns it, too."""

import random


def on_request_headers(ctx):
    ctx.correlation = ctx.request.headers.get("x-correlation-id", "")
    if not well_formed(ctx.correlation):
        ctx.correlation = "".join(["%08x" % random.getrandbits(32) for _ in range(4)])
        ctx.request.headers["x-correlation-id"] = ctx.correlation


def on_response_headers(ctx):
    ctx.response.headers["x-correlation-id"] = ctx.correlation


def well_formed(text):
    return 8 <= len(text) <= 64 and all([each == "-" or each.isdigit() or each.isalpha() for each in text])
