"""What went wrong on the way to a registry, in words."""

from __future__ import annotations

import os
import socket

import requests
from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import TimeoutError as SilenceError

from ..errors import HubError, NotARegistry, RegistryUnreachable

__all__ = ["network_error"]


def network_error(error: Exception, host: str, seconds: float) -> HubError:
    """The error of ours for one of requests or urllib3; ``seconds`` is how long it was waited for."""
    reason = _reason(error)
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE" in str(error).upper():
            return RegistryUnreachable(
                f"the certificate of {host} is not trusted",
                where=f"https://{host}",
                do="pass tls_verify= the file of the authority that signed it",
            )
        return RegistryUnreachable(
            f"{host} does not speak https",
            where=f"https://{host}",
            do="check the port; if the registry speaks plain http, pass insecure=True",
        )
    cause = reason.__cause__ if isinstance(reason, NewConnectionError) else reason
    if isinstance(error, requests.exceptions.ProxyError):
        what, do = f"the proxy on the way to {host} does not work", "check HTTPS_PROXY and NO_PROXY"
    elif isinstance(cause, socket.gaierror):
        what, do = f"there is no host {host}", "check the name of the registry and your network"
    elif isinstance(cause, ConnectionRefusedError):
        what, do = f"nobody listens at {host}", "start the registry, or check the host and the port"
    elif isinstance(reason, NewConnectionError):
        why = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else "no connection"
        what, do = f"{host} cannot be reached: {why}", "check the host and your network"
    elif isinstance(reason, requests.Timeout | SilenceError | TimeoutError):
        what, do = (
            f"{host} does not answer within {seconds:g} seconds",
            "check that it is up, or pass a longer timeout",
        )
    elif type(reason).__name__ in ("BadStatusLine", "UnknownProtocol"):
        return NotARegistry(
            f"{host} is no registry: it does not speak http",
            where=host,
            do="check the host and the port",
        )
    else:
        what, do = f"{host} broke off the connection", "try again; if it stays so, look at its log"
    return RegistryUnreachable(what, where=host, do=do)


def _reason(error: BaseException) -> BaseException:
    """What an error of requests or urllib3 was made from."""
    seen = error
    for _ in range(6):
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((each for each in seen.args if isinstance(each, BaseException)), None)
        if inner is None:
            return seen
        seen = inner
    return seen
