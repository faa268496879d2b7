"""What a registry's refusal means, in words."""

from __future__ import annotations

from ..errors import HubError, ImageNotFound, Unauthorized
from .credentials import Credential

__all__ = ["failed", "refused"]


def failed(status: int, reason: str, said: str, *, host: str, where: str, wait: str) -> HubError:
    """The error for an answer that nobody wanted; ``wait`` is its ``Retry-After``."""
    what = f"{host} answers {status} {reason}" + (f": {said}" if said else "")
    if status in (401, 403):
        return Unauthorized(what, where=where, do="log in, or ask its owner for access")
    if status == 404:
        return ImageNotFound(what, where=where, do="check the name of the repository")
    if status == 429:
        return HubError(what, where=where, do=f"wait {wait} seconds" if wait.isdecimal() else "try later")
    if status == 405:
        return HubError(what, where=where, do="push elsewhere: this registry takes no pushes")
    if status == 413:
        return HubError(what, where=where, do="make the module smaller, or try again at another registry")
    if status == 507:
        return HubError(what, where=where, do="make room there (for a served store: wasmhub hub gc)")
    do = "try again later, or look at its log" if status >= 500 else "check the reference and try again"
    return HubError(what, where=where, do=do)


def refused(status: int, host: str, known: Credential | None, method: str, said: str) -> Unauthorized:
    """The error for 401 and 403, by whether and as whom one was logged in."""
    who = known.username or "the login" if known else ""
    doing = "push to" if method not in ("GET", "HEAD") else "read from"
    detail = f" ({said})" if said else ""
    if not who:
        return Unauthorized(
            f"{host} wants a login{detail}",
            where=host,
            do=f"log in: %wasm_login {host} or wasmhub login {host}; or pass username and password",
        )
    if status == 401:
        return Unauthorized(
            f"{host} refuses the login of {who}{detail}",
            where=host,
            do="check the user name and the password",
        )
    return Unauthorized(
        f"{who} may not {doing} this repository of {host}{detail}",
        where=host,
        do="ask its owner for access, or take another repository",
    )
