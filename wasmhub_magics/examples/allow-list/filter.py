"""IP and path allow list: "/health 10.0.0.0/8 192.168.1.7".

x-forwarded-for counts, so let nobody but your own load balancer reach this proxy, or leave it out.
"""

paths = []
ranges = []


def on_configure(ctx):
    for word in ctx.configuration.decode().split():
        if word.startswith("/"):
            paths.append(word)
        else:
            address, _, bits = word.partition("/")
            shift = 32 - int(bits or 32)
            ranges.append((number(address) >> shift, shift))


def on_request_headers(ctx):
    if ctx.request.path.partition("?")[0] in paths:
        return
    client = ctx.request.headers.get("x-forwarded-for", "").split(",")[-1].strip()
    try:
        address = number(client or ctx.property("source.address").split(":")[0])
    except ValueError:
        address = -1
    if not any([address >> shift == prefix for prefix, shift in ranges]):
        return ctx.respond(403, body="forbidden\n")


def number(address):
    parts = [int(part) for part in address.split(".")]
    if len(parts) != 4 or not all([0 <= part <= 255 for part in parts]):
        raise ValueError(address)
    return parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3]
