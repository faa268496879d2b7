"""Rate limit by shared data: "3 3600" lets 3 requests of a key in at once, and one more every 3600 seconds."""

import time


def on_configure(ctx):
    global burst, every
    burst, every = [int(word) for word in ctx.configuration.split()]
    return burst > 0 and every > 0


def on_request_headers(ctx):
    key = "rate-limit/" + ctx.request.headers.get("x-api-key", "")
    now = int(time.time())
    while True:
        value, version = shared.read(key)
        left, since = [int(word) for word in value.split()] if value else (burst, now)
        more = (now - since) // every
        if more > 0:
            left, since = min(burst, left + more), since + more * every
        if left == 0:
            return ctx.respond(429, {"retry-after": str(since + every - now)}, "too many requests\n")
        if left == burst:
            since = now
        if shared.cas(key, "%d %d" % (left - 1, since), version):
            return
