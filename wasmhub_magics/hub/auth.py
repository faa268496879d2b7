"""Answers to a registry that asks who one is: Basic, and tokens for the scope that it names.

The rules are RFC 9110 section 11, RFC 7617 and the token specification of the distribution project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin, urlsplit

import oras.auth.base  # type: ignore[import-untyped]

from ..errors import HubError, NotARegistry, Unauthorized
from .credentials import Credential, find_credential
from .reference import is_loopback

if TYPE_CHECKING:
    import requests

__all__ = ["Challenge", "ChallengeAuth"]

_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][A-Za-z0-9-]*)(?:\s+(?=[A-Za-z0-9_-]+\s*=)|\s*$)")
_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in that a ``WWW-Authenticate`` header offers."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, header: str) -> tuple[Challenge, ...]:
        """All challenges of a header, in order."""
        starts = list(_SCHEME.finditer(header))
        ends = [*(start.start() for start in starts[1:]), len(header)][: len(starts)]
        return tuple(
            cls(
                start[1].lower(),
                {
                    name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare
                    for name, quoted, bare in _PARAMETER.findall(header[start.end() : end])
                },
            )
            for start, end in zip(starts, ends, strict=True)
        )


class Send(Protocol):
    """How a request is sent: errors of the network are ours already, nothing is authenticated."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The response, its body not yet read."""
        ...


class ChallengeAuth(oras.auth.base.AuthBackend):  # type: ignore[misc]
    """An oras backend that answers what it is asked, each time anew.

    So a token always has the scope that the registry wants just now, and one that ran out is replaced. A
    login is looked up only when a registry asks for one.
    """

    def __init__(self, host: str, credential: Credential | None, insecure: bool, send: Send) -> None:
        super().__init__()
        self.host = host
        self.insecure = insecure
        self._given = credential
        self._looked_up = credential is not None
        self._send = send
        self._header = ""

    @property
    def credential(self) -> Credential | None:
        """What was passed in, else what docker's configuration knows."""
        if not self._looked_up:
            self._given = find_credential(self.host)
            self._looked_up = True
        return self._given

    @property
    def user(self) -> str:
        """Whom it has named so far; empty where nobody asked."""
        return self._given.username if self._given else ""

    def get_auth_header(self) -> dict[str, str]:
        """The header of the last answer, which mostly holds for the next request too."""
        return {"Authorization": self._header} if self._header else {}

    def load_configs(self, container: Any, configs: Any = None) -> None:
        """Nothing: logins are looked up when they are asked for."""

    def authenticate_request(
        self,
        original: requests.Response,
        headers: dict[str, str],
        refresh: bool = False,  # noqa: ARG002 each answer is new here
    ) -> tuple[dict[str, str], bool]:
        """Headers that answer a response of status 401, and whether there is an answer at all.

        Raises Unauthorized where the token server refuses, HubError where it fails.
        """
        offered = {c.scheme: c for c in Challenge.parse(original.headers.get("WWW-Authenticate", ""))}
        header = ""
        if "bearer" in offered:
            header = self._token(offered["bearer"])
        elif "basic" in offered and self.credential:
            header = self.credential.basic
        self._header = header  # of the last answer; several threads may be asking
        return {**headers, **({"Authorization": header} if header else {})}, bool(header)

    def scrub(self, text: str) -> str:
        """The text without anything secret in it."""
        known = self._given
        secrets = (known.password, known.identity_token, known.registry_token) if known else ()
        for secret in filter(None, (*secrets, self._header.partition(" ")[2])):
            text = text.replace(secret, "***")
        return text

    def _token(self, challenge: Challenge) -> str:
        credential = self.credential
        if credential and credential.registry_token:
            return f"Bearer {credential.registry_token}"
        realm = urljoin(f"https://{self.host}/", challenge.parameters.get("realm", ""))
        if not challenge.parameters.get("realm") or urlsplit(realm).scheme not in ("http", "https"):
            raise NotARegistry(
                "the registry asks for a token and does not say where to get one",
                where=self.host,
                do="check the host and the port",
            )
        asked = {k: v for k, v in challenge.parameters.items() if k in ("service", "scope")}
        if credential:
            self._guard(realm)
        if credential and credential.identity_token:
            form = {**asked, "grant_type": "refresh_token", "client_id": "wasmhub-magics"}
            response = self._send("POST", realm, data={**form, "refresh_token": credential.identity_token})
        else:
            headers = {"Authorization": credential.basic} if credential else {}
            response = self._send("GET", realm, params=asked, headers=headers)
        return self._read_token(response, realm)

    def _read_token(self, response: requests.Response, realm: str) -> str:
        with response:
            if response.status_code in (400, 401, 403):
                return ""
            if response.status_code != 200:
                raise HubError(
                    f"the token server failed: {response.status_code} {response.reason}",
                    where=realm,
                    do="try again later",
                )
            try:
                said = response.json()
                token = said.get("token") or said.get("access_token")
            except (ValueError, AttributeError):
                token = None
        if not isinstance(token, str) or not token.isprintable() or not token.isascii():
            raise NotARegistry(
                "the token server gives no token", where=realm, do="check the host and the port"
            )
        return f"Bearer {token}"

    def _guard(self, realm: str) -> None:
        """No password goes over the open network unless the user said so."""
        parts = urlsplit(realm)
        if parts.scheme == "http" and not self.insecure and not is_loopback(parts.netloc):
            raise Unauthorized(
                "the registry wants the password sent without encryption",
                where=realm,
                do="pass insecure=True if you trust the network in between",
            )
