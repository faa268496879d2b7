"""JWT check. The configuration is the secret that tokens are signed with (HS256)."""

import base64
import hashlib
import hmac
import json
import time


def on_configure(ctx):
    return len(ctx.configuration) > 0


def on_request_headers(ctx):
    del ctx.request.headers["x-jwt-sub"]  # only we may send this
    kind, _, token = ctx.request.headers.get("authorization", "").partition(" ")
    if kind != "Bearer":
        return refuse(ctx, "no token")
    try:
        signed, signature = token.rsplit(".", 1)
        head, claims = [json.loads(decoded(part)) for part in signed.split(".")]
        good = hmac.new(ctx.configuration, signed.encode(), hashlib.sha256).digest()
        if head["alg"] != "HS256" or not same(good, decoded(signature)):
            return refuse(ctx, "wrong token")
    except (ValueError, KeyError, TypeError):
        return refuse(ctx, "wrong token")
    if claims.get("exp", 1 << 62) <= time.time():
        return refuse(ctx, "expired token")
    ctx.request.headers["x-jwt-sub"] = str(claims.get("sub", ""))


def refuse(ctx, why):
    return ctx.respond(401, {"www-authenticate": "Bearer"}, why + "\n")


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def same(one, other):
    """Compare in a time that does not tell how far two texts agree."""
    difference = len(one) ^ len(other)
    for a, b in zip(one, other):
        difference |= a ^ b
    return difference == 0
