"""A module from a plain web server: bare, or in gzip, tar or both."""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import HubError, ImageNotFound, NotAFilter, RegistryUnreachable, RequestError, Unauthorized
from ..module import Module
from .archive import unboxed
from .consumers import Consumer
from .content import core_module
from .image import Image
from .manifest import LARGEST_BLOB
from .network import network_error
from .place import Moved
from .reference import Reference, is_loopback

__all__ = ["download", "is_url"]

PIECE = 1 << 18


def is_url(text: object) -> bool:
    """Whether a text names a file on a web server rather than an image."""
    return isinstance(text, str) and text.strip().lower().startswith(("http://", "https://"))


def download(
    url: str,
    *,
    sha256: str = "",
    username: str | None = None,
    password: str | None = None,
    tls_verify: bool | str = True,
    timeout: float = 30.0,
    moved: Moved | None = None,
) -> tuple[Module, Image]:
    """Fetch a module; ``sha256`` is what its digest must be (of the module, as Istio and Envoy compare it).

    http is spoken where the address says so. Raises HubError where it cannot be had and NotAFilter where it
    is no module or another one.
    """
    address = url.strip()
    parts = urlsplit(address)
    if not parts.hostname or parts.username or parts.password:
        raise RequestError(
            "the address names no host" if not parts.hostname else "an address holds no login",
            where=f"{parts.scheme}://{parts.hostname or ''}",
            do="write http(s)://HOST/FILE.wasm, and pass username and password if it wants them",
        )
    wanted = sha256.removeprefix("sha256:").lower()
    if wanted and not re.fullmatch(r"[0-9a-f]{64}", wanted):
        raise RequestError(f"{sha256!r} is no sha256", do="write 64 digits of 0-9 and a-f")
    login = (username, password) if username and password else None
    data = core_module(unboxed(_get(address, login, tls_verify, timeout, moved), address), address)
    digest = hashlib.sha256(data).hexdigest()
    if wanted and digest != wanted:
        raise NotAFilter(
            f"the module is not the one that was wanted: its sha256 is {digest}",
            where=address,
            do="check the address and the digest; do not run it",
        )
    name = unquote(posixpath.basename(parts.path)).split(".")[0]
    repository = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "filter"
    remark = () if wanted else (f"not pinned: pass sha256={digest[:12]}… to get this very module again",)
    module = Module(data)
    return module, Image(
        Reference(repository, url=address),
        "",
        f"sha256:{digest}",
        len(data),
        "file",
        {},
        "",
        module.abi or "",
        address,
        (
            Consumer("Istio, Envoy Gateway, Higress", True, "fetch modules over HTTP too"),
            Consumer("Envoy", data[:4] == b"\0asm", "fetches it from a cluster, pinned by its sha256"),
        ),
        (),
        remark,
    )


def _get(
    url: str,
    login: tuple[str, str] | None,
    tls_verify: bool | str,
    timeout: float,
    moved: Moved | None,
) -> bytes:
    import requests
    from urllib3.exceptions import HTTPError

    host = urlsplit(url).netloc
    local: Any = {"http": None, "https": None}
    try:
        with requests.Session() as session:
            session.auth = login or (lambda request: request)  # else requests looks into ~/.netrc
            with session.get(
                url,
                stream=True,
                timeout=timeout,
                verify=tls_verify,
                headers={"Accept-Encoding": "identity"},
                proxies=local if is_loopback(host) else None,
            ) as response:
                _check(response.status_code, response.reason, url)
                length = int(response.headers.get("Content-Length") or 0)
                data = bytearray()
                for piece in response.iter_content(PIECE):
                    data += piece
                    if moved:
                        moved(posixpath.basename(url), len(data), length)
                    if len(data) > LARGEST_BLOB:
                        raise NotAFilter(
                            f"it has more than {LARGEST_BLOB:,} bytes, which no filter has",
                            where=url,
                            do="check the address",
                        )
    except (requests.RequestException, HTTPError, OSError) as error:
        raise network_error(error, host, timeout) from None
    if len(data) < length:
        raise RegistryUnreachable(
            f"{host} broke off after {len(data):,} of {length:,} bytes", where=url, do="try again"
        )
    return bytes(data)


def _check(status: int, reason: str, url: str) -> None:
    if status == 200:
        return
    what = f"the server answers {status} {reason}"
    if status in (401, 403):
        raise Unauthorized(what, where=url, do="pass username and password")
    if status in (404, 410):
        raise ImageNotFound(what, where=url, do="check the address")
    raise HubError(what, where=url, do="try again later")
