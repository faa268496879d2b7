"""A/B routing by cookie: the configuration is how many percent of new visitors get variant b.

Let a route match the header x-variant.
"""

import random


def on_request_headers(ctx):
    ctx.new = True
    variant = "b" if random.randrange(100) < int(ctx.configuration) else "a"
    for cookie in ctx.request.headers.get("cookie", "").split(";"):
        if cookie.strip() in ("ab=a", "ab=b"):
            variant = cookie.strip()[3:]
            ctx.new = False
    ctx.variant = ctx.request.headers["x-variant"] = variant


def on_response_headers(ctx):
    if ctx.new:
        ctx.response.headers.add("set-cookie", "ab=%s; Path=/; Max-Age=2592000" % ctx.variant)
