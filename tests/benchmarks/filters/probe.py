# Reads four header values and adds five headers: what probe.c does, in Python.
def on_request_headers(ctx):
    headers = ctx.request.headers
    for _ in range(4):
        headers.add("x-path", ctx.request.headers[":path"])
    headers.add("hello", "world")
