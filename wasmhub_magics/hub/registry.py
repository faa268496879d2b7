"""A registry over http or https: oras, with quick and clear failures.

Other than its base class it asks ``/v2/`` first, waits a bounded time for each answer, never repeats a failed
request, gets a token for each scope it is asked for, and checks the digest of all that it reads.
"""

from __future__ import annotations

import io
import json as json_text
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import oras.container  # type: ignore[import-untyped]
import oras.provider  # type: ignore[import-untyped]
import requests
from urllib3.exceptions import HTTPError

from .. import __version__
from ..errors import HubError, ImageNotFound, NotAFilter, NotARegistry, RegistryUnreachable, Unauthorized
from .auth import Challenge, ChallengeAuth
from .credentials import DOCKER_HUB, Credential
from .layout import Packed
from .manifest import ACCEPTED, LARGEST_BLOB, LARGEST_MANIFEST, Blob, Descriptor
from .network import network_error
from .reference import Reference, is_loopback

__all__ = ["Registry"]

PROBE_SECONDS = 10.0


class Registry(oras.provider.Registry):  # type: ignore[misc]
    """A registry, such as ``localhost:5000``; a ``Place`` that is used in a ``with`` block.

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
        self.auth: ChallengeAuth = ChallengeAuth(self.host, credential, insecure, self._send)
        self.session.auth = lambda request: request  # else requests would look into ~/.netrc
        self.session.headers["User-Agent"] = f"wasmhub-magics/{__version__}"

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()

    def __repr__(self) -> str:
        return f"<Registry {self.host}>"

    def location(self, reference: Reference) -> str:
        """The name that skopeo knows an image of this registry by."""
        tag = "" if reference.tag and reference.digest else f"{reference.tag and ':'}{reference.tag}"
        name = f"{reference.registry}/{reference.repository}{tag}"
        return f"docker://{name}" + (f"@{reference.digest}" if reference.digest else "")

    def manifest(self, reference: Reference) -> Blob:
        """The manifest of an image. Raises ImageNotFound, NotAFilter and other HubErrors."""
        container = self._container(reference)
        response = self.do_request(
            self._url(container.manifest_url(reference.version)),
            headers={"Accept": ", ".join(ACCEPTED), "Accept-Encoding": "identity"},
            stream=True,
        )
        if response.status_code == 404:
            response.close()
            raise self._not_found(reference)
        self._expect(response, 200, str(reference))
        data = self._read(response, LARGEST_MANIFEST)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
        known = reference.digest or response.headers.get("Docker-Content-Digest", "")
        if known.startswith("sha256:"):
            self._check_length(response, data)
            Descriptor(kind, known, len(data)).check(data, str(reference))
        return Blob(kind, data)

    def child(self, reference: Reference, descriptor: Descriptor) -> Blob:
        """A manifest that an index names."""
        return self.manifest(Reference(reference.repository, "", descriptor.digest, reference.registry))

    def blob(self, reference: Reference, descriptor: Descriptor) -> bytes:
        """The bytes of a blob, whose digest was checked. Raises NotAFilter and other HubErrors."""
        where = str(reference)
        if descriptor.size > LARGEST_BLOB:
            raise NotAFilter(
                f"a layer has {descriptor.size:,} bytes, more than a filter may have",
                where=where,
                do=f"keep layers below {LARGEST_BLOB:,} bytes, as Istio demands",
            )
        response = self.do_request(
            self._url(self._container(reference).get_blob_url(descriptor.digest)),
            headers={"Accept-Encoding": "identity"},
            stream=True,
        )
        if response.status_code == 404:
            response.close()
            raise NotAFilter(
                f"the image is damaged: the registry has no {descriptor.digest[:19]}",
                where=where,
                do="push the image again",
            )
        self._expect(response, 200, where)
        data = self._read(response, descriptor.size)
        self._check_length(response, data)
        return descriptor.check(data, where)

    def write(self, reference: Reference, packed: Packed) -> None:
        """Put an image into the registry; blobs that are there already are not sent again."""
        container = self._container(reference)
        for blob in packed.blobs:
            if not self.blob_exists(blob.descriptor.to_dict(), container):
                self._upload(container, blob, str(reference))
        manifest = packed.manifest
        response = self.do_request(
            self._url(container.manifest_url(reference.tag or reference.digest)),
            "PUT",
            data=manifest.data,
            headers={"Content-Type": manifest.media_type},
        )
        self._expect(response, 201, str(reference))

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
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        stream: bool = False,
    ) -> requests.Response:
        """Send a request, and once more with the answer if the registry asks who one is.

        Raises Unauthorized where it refuses the answer, RegistryUnreachable and NotARegistry.
        """
        self._probe()
        own = urlsplit(url).netloc == self.host  # what one is to the registry is nobody else's business
        given = {**self.headers, **(headers or {})}
        known = self.auth.get_auth_header() if own else {}
        response = self._send(method, url, data=data, json=json, headers={**given, **known})
        if response.status_code == 401 and own:
            self._body(response)
            answer, sent = self.auth.authenticate_request(response, given)
            if sent:
                response = self._send(method, url, data=data, json=json, headers=answer)
        if response.status_code in (401, 403):
            raise self._refused(response, method)
        if not stream:
            self._body(response)
        return response

    def _upload(self, container: Any, blob: Blob, where: str) -> None:
        response = self.do_request(self._url(container.upload_blob_url()), "POST")
        self._expect(response, 202, where)
        base = self._url(container.upload_blob_url())
        session = urljoin(base, response.headers.get("Location", ""))
        joined = "&" if urlsplit(session).query else "?"
        response = self.do_request(
            f"{session}{joined}digest={quote(blob.digest, safe='')}",
            "PUT",
            data=blob.data,
            headers={"Content-Type": "application/octet-stream"},
        )
        self._expect(response, 201, where)

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
    ) -> requests.Response:
        host = urlsplit(url).netloc
        seconds = seconds or self.timeout
        # a body that is read piecewise gets the timeout for each piece, bytes get it for the whole
        body = io.BytesIO(data) if isinstance(data, bytes) else data
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

    def _read(self, response: requests.Response, limit: int) -> bytes:
        """The body, or its first bytes where it is longer than the limit."""
        data = bytearray()
        try:
            with response:
                for piece in response.iter_content(1 << 16):
                    data += piece
                    if len(data) > limit:
                        break
        except (requests.RequestException, HTTPError, OSError) as error:
            raise network_error(error, urlsplit(response.url).netloc, self.timeout) from None
        return bytes(data)

    def _body(self, response: requests.Response) -> bytes:
        """The body, bounded, and kept so that methods of the base class find it too."""
        if response._content is False:
            response._content = self._read(response, LARGEST_MANIFEST)
        return response.content

    def _check_length(self, response: requests.Response, data: bytes) -> None:
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and len(data) < int(length):
            raise RegistryUnreachable(
                f"{self.host} broke off after {len(data):,} of {int(length):,} bytes",
                where=self.host,
                do="try again",
            )

    def _expect(self, response: requests.Response, status: int, where: str) -> None:
        if response.status_code != status:
            raise self._failed(response, where)

    def _failed(self, response: requests.Response, where: str) -> HubError:
        status, said = response.status_code, self._said(response)
        what = f"{self.host} answers {status} {response.reason}" + (f": {said}" if said else "")
        if status in (401, 403):
            return Unauthorized(what, where=where, do="log in, or ask its owner for access")
        if status == 404:
            return ImageNotFound(what, where=where, do="check the name of the repository")
        if status == 429:
            wait = response.headers.get("Retry-After", "")
            return HubError(what, where=where, do=f"wait {wait} seconds" if wait.isdecimal() else "try later")
        if status == 405:
            return HubError(what, where=where, do="push elsewhere: this registry takes no pushes")
        do = "try again later, or look at its log" if status >= 500 else "check the reference and try again"
        return HubError(what, where=where, do=do)

    def _refused(self, response: requests.Response, method: str) -> Unauthorized:
        said = self._said(response)
        known = self.auth.credential
        who = known.username or "the login" if known else ""
        doing = "push to" if method not in ("GET", "HEAD") else "read from"
        detail = f" ({said})" if said else ""
        if not who:
            return Unauthorized(
                f"{self.host} wants a login{detail}",
                where=self.host,
                do="pass username and password, or log in with docker, podman or skopeo",
            )
        if response.status_code == 401:
            return Unauthorized(
                f"{self.host} refuses the login of {who}{detail}",
                where=self.host,
                do="check the user name and the password",
            )
        return Unauthorized(
            f"{who} may not {doing} this repository of {self.host}{detail}",
            where=self.host,
            do="ask its owner for access, or take another repository",
        )

    def _said(self, response: requests.Response) -> str:
        """The registry's own words."""
        with suppress(ValueError, LookupError, TypeError, AttributeError):
            first = json_text.loads(self._body(response))["errors"][0]
            text = str(first.get("message") or first.get("code") or "")
            return self.auth.scrub(" ".join(text.split()))[:200]
        return ""

    def _not_found(self, reference: Reference) -> ImageNotFound:
        tags: list[str] = []
        with suppress(HubError, ValueError, AttributeError):
            tags = sorted(self.get_tags(self._container(reference), N=10))
        do = f"take one of its tags: {', '.join(tags)}" if tags else "check the name, or push it first"
        return ImageNotFound(f"{self.host} has no image {reference}", where=self.host, do=do)

    def _container(self, reference: Reference) -> Any:
        """The name in the form of oras, which gives the addresses; their scheme is known from then on."""
        self._probe()
        namespace, _, repository = reference.repository.rpartition("/")
        if self.host == DOCKER_HUB and not namespace:
            namespace = "library"
        container = oras.container.Container(repository, registry=self.host)
        container.registry, container.namespace, container.repository = self.host, namespace, repository
        return container

    def _url(self, address: str) -> str:
        return f"{self.prefix}://{address}"
