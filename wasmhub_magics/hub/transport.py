"""How a registry is talked to: oras, with quick and clear failures.

Other than its base class it asks ``/v2/`` first, or as soon as a registry that it knows fails; it waits a
bounded time for each answer, never repeats a failed request, and gets a token for each scope it is asked for.
"""

from __future__ import annotations

import json as json_text
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import oras.provider  # type: ignore[import-untyped]
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from .. import __version__
from ..errors import HubError, NotARegistry, RegistryUnreachable
from .auth import Challenge, ChallengeAuth
from .credentials import DOCKER_HUB, Credential
from .manifest import LARGEST_MANIFEST
from .network import network_error
from .pieces import Piece, Source
from .place import Moved
from .reference import is_loopback
from .refusals import failed, refused

__all__ = ["Transport"]

PROBE_SECONDS = 10.0
_SPOKEN: dict[tuple[str, bool, bool | str], str] = {}
"""The scheme of registries that did what they were asked, so that they are not asked first the next time."""
PIECE = 1 << 20
"""Bytes that are read from and written to a socket at once."""


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, blocksize=PIECE)


class _Body:
    """The body of a request as a file. It tells how many bytes of it went."""

    def __init__(self, parts: Sequence[Piece], told: Callable[[int], object] | None) -> None:
        self._parts = parts
        self._told = told
        self._size = sum(map(len, parts))
        self.seek(0)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(PIECE), b"")

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> None:
        self._source = Source(self._parts)
        for _ in self._source.parts(place):
            pass
        self._place = place

    def read(self, size: int) -> bytes:
        piece = self._source.take(min(size, self._size - self._place))
        self._place += len(piece)
        if self._told:
            self._told(self._place)
        return piece


class Transport(oras.provider.Registry):  # type: ignore[misc]
    """A connection to a registry, such as ``localhost:5000``, used in a ``with`` block.

    ``insecure`` means http for a host that is not this machine, ``tls_verify`` may be a file of certificates;
    ``timeout`` is in seconds and counts each silence. Nothing is sent before the first call.
    """

    def __init__(
        self,
        registry: str,
        *,
        credential: Credential | None = None,
        insecure: bool = False,
        tls_verify: bool | str = True,
        timeout: float = 30.0,
    ) -> None:
        self.host = DOCKER_HUB if registry in ("docker.io", "index.docker.io") else registry
        super().__init__(hostname=self.host)
        self.insecure = insecure
        self.timeout = timeout
        self._tls_verify = tls_verify
        self._answered: requests.Response | None = None
        self._spoken = (self.host, insecure, tls_verify)
        self._known = self._spoken in _SPOKEN
        if self._known:
            self.prefix = _SPOKEN[self._spoken]
        self.auth: ChallengeAuth = ChallengeAuth(self.host, credential, insecure, self._send)
        self.session.trust_env = not is_loopback(
            self.host
        )  # what it says of proxies is for the world outside
        self.session.auth = lambda request: request  # else requests would look into ~/.netrc
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _Adapter())
        self.session.headers["User-Agent"] = f"wasmhub-magics/{__version__}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()
        if error is None and self._answered is not None:
            _SPOKEN[self._spoken] = self.prefix

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.host}>"

    def reach(self) -> None:
        """Find out whether a registry answers, and how. Raises RegistryUnreachable and NotARegistry.

        One that is known from before is not asked again before it fails.
        """
        if not self._known:
            self._probe()

    def check_login(self) -> None:
        """Ask whether the credential is accepted.

        Raises Unauthorized where it is refused and HubError where the registry asks for none.
        """
        if self._probe().status_code == 200:
            raise HubError(
                f"{self.host} wants no login, so nothing was kept", do="push and pull without a password"
            )
        self._expect(self.do_request(f"{self.prefix}://{self.host}/v2/"), 200, self.host)

    def do_request(  # noqa: PLR0917 the signature is the base class's
        self,
        url: str,
        method: str = "GET",
        data: Sequence[Piece] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        stream: bool = False,
        moved: Any = None,
    ) -> requests.Response:
        """Send a request, and once more with the answer if the registry asks who one is.

        Raises Unauthorized where it refuses the answer, RegistryUnreachable and NotARegistry.
        """
        self.reach()
        own = urlsplit(url).netloc == self.host  # what one is to the registry is nobody else's business
        given = {**self.headers, **(headers or {})}
        known = self.auth.get_auth_header() if own else {}
        try:
            response = self._send(method, url, data=data, json=json, headers={**given, **known}, moved=moved)
        except HubError:
            self._doubt()
            raise
        if response.status_code >= 400 and response.status_code != 401 and method != "HEAD":
            self._doubt()
        if response.status_code == 401 and own:
            self._body(response)
            answer, sent = self.auth.authenticate_request(response, given)
            if sent:
                response = self._send(method, url, data=data, json=json, headers=answer, moved=moved)
        if response.status_code in (401, 403):
            raise refused(response.status_code, self.host, self.auth.credential, method, self._said(response))
        if not stream:
            self._body(response)
        return response

    def _probe(self) -> requests.Response:
        """Find out, once, whether a registry answers at all and whether it speaks https or http."""
        if self._answered is None:
            if self.insecure:
                self._answered = self._look("http")
            elif is_loopback(self.host):
                try:
                    self._answered = self._look("http")
                except NotARegistry as plain:
                    self._answered = self._look_again(plain)
            else:
                self._answered = self._look("https")
        return self._answered

    def _doubt(self) -> None:
        """Look once whether a registry that is known from before is still one, as something failed."""
        if self._known:
            self._known = False
            _SPOKEN.pop(self._spoken, None)
            self._probe()

    def _look_again(self, plain: NotARegistry) -> requests.Response:
        try:
            return self._look("https")
        except RegistryUnreachable as error:
            if "certificate" in error.what:
                raise
            raise plain from None

    def _look(self, scheme: str) -> requests.Response:
        url = f"{scheme}://{self.host}/v2/"
        response = self._send("GET", url, seconds=min(self.timeout, PROBE_SECONDS))
        body = self._body(response)
        marked = response.headers.get("Docker-Distribution-Api-Version", "").startswith("registry/2")
        kind = response.headers.get("Content-Type", "")
        status = response.status_code
        if status == 200:
            good = marked or "json" in kind or not body.strip()
        elif status == 401:
            good = marked or bool(Challenge.parse(response.headers.get("WWW-Authenticate", "")))
        else:
            good = status in (403, 429) or status >= 500
        if not good:
            raise NotARegistry(
                f"{self.host} is no registry: it answers GET /v2/ with {status} {response.reason}"
                + (f" and {kind.partition(';')[0]}" if kind else ""),
                where=url,
                do="check the host and the port",
            )
        if status not in (200, 401):
            raise self._failed(response, url)
        self.prefix = scheme
        return response

    def _send(
        self,
        method: str,
        url: str,
        *,
        data: Any = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        seconds: float | None = None,
        moved: Any = None,
    ) -> requests.Response:
        host = urlsplit(url).netloc
        seconds = seconds or self.timeout
        # a body that is read piecewise gets the timeout for each piece, bytes get it for the whole
        body = _Body(data, moved) if isinstance(data, tuple) else data
        try:
            response: requests.Response = self.session.request(
                method,
                url,
                data=body,
                json=json,
                headers=dict(headers or {}),
                params=params,
                stream=True,
                timeout=seconds,
                verify=self._tls_verify,
                # environment variables name proxies for the world outside; None takes them away again
                proxies={"http": None, "https": None} if is_loopback(host) else None,
            )
        except (requests.RequestException, HTTPError, OSError) as error:
            raise network_error(error, host, seconds) from None
        return response

    def _pieces(
        self, response: requests.Response, limit: int, moved: Moved | None = None, title: str = ""
    ) -> Iterator[bytes]:
        """The body while it arrives, or its first bytes where it is longer than the limit."""
        size = 0
        coded = "Content-Encoding" in response.headers
        try:
            with response:
                while piece := response.raw.read(PIECE, decode_content=coded):
                    size += len(piece)
                    if moved:
                        moved(title, size, limit)
                    yield piece
                    if size > limit:
                        break
        except (requests.RequestException, HTTPError, OSError) as error:
            raise network_error(error, urlsplit(response.url).netloc, self.timeout) from None

    def _body(self, response: requests.Response) -> bytes:
        """The body, bounded, and kept so that methods of the base class find it too."""
        if response._content is False:
            response._content = b"".join(self._pieces(response, LARGEST_MANIFEST))
        return response.content

    def _expect(self, response: requests.Response, status: int, where: str) -> None:
        if response.status_code != status:
            raise self._failed(response, where)

    def _failed(self, response: requests.Response, where: str) -> HubError:
        reason, wait = response.reason, response.headers.get("Retry-After", "")
        return failed(
            response.status_code, reason, self._said(response), host=self.host, where=where, wait=wait
        )

    def _said(self, response: requests.Response) -> str:
        """The registry's own words."""
        with suppress(ValueError, LookupError, TypeError, AttributeError):
            first = json_text.loads(self._body(response))["errors"][0]
            text = str(first.get("message") or first.get("code") or "")
            return self.auth.scrub(" ".join(text.split()))[:200]
        return ""

    def _url(self, address: str) -> str:
        return f"{self.prefix}://{address}"
