"""One upload in a registry: the address that takes its next bytes, and how many it has."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from ..errors import HubError
from .pieces import Piece
from .reference import Reference

if TYPE_CHECKING:
    from .registry import Registry

__all__ = ["PIECE", "Lost", "Session"]

PIECE = 8 << 20
"""Bytes of a request, of which a broken upload loses at most one; more where they go in a moment."""
LARGEST_PIECE = 8 * PIECE
MOMENT = 1.0
"""Seconds that may be lost."""
_pieces: dict[str, int] = {}
"""The bytes that went to a registry in that time when it was last pushed to."""

TAKEN = (202, 201, 204)
"""What registries answer to a piece; the specification says the first."""


class Lost(Exception):
    """A registry does not know an upload, or not so far."""

    def __init__(self, error: HubError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass
class Session:
    """An upload of ``size`` bytes, of which ``sent`` are in the registry; ``address`` takes the next ones.

    Its methods raise Lost where the registry has forgotten it, and HubError.
    """

    registry: Registry
    reference: Reference
    size: int
    address: str = ""
    sent: int = 0

    @property
    def piece(self) -> int:
        """The bytes that one request should send."""
        return _pieces.get(self.registry.host, PIECE)

    def begin(self) -> None:
        """Ask the registry for it."""
        container = self.registry._container(self.reference.repository)
        base = self.registry._url(container.upload_blob_url())
        response = self.registry.do_request(base, "POST")
        self.registry._expect(response, 202, str(self.reference))
        self.address, self.sent = urljoin(base, response.headers.get("Location", "")), 0

    def resume(self, address: str) -> bool:
        """Take one up that was begun; false where the registry does not know it."""
        if urlsplit(address).netloc != self.registry.host:
            return False
        with contextlib.suppress(HubError):
            response: Any = self.registry.do_request(address)
            first, _, last = response.headers.get("Range", "").removeprefix("bytes=").partition("-")
            if response.status_code in (200, 202, 204) and first == "0" and last.isdecimal():
                self.address = urljoin(address, response.headers.get("Location", address))
                self.sent = int(last) + 1 if int(last) else 0
                return True
        return False

    def patch(self, parts: Sequence[Piece], told: Callable[[int], object] | None) -> None:
        """Send bytes that the registry keeps; ``told`` is given how many of the whole went."""
        response = self._request("PATCH", self.address, parts, told)
        self._expect(response, TAKEN)
        self.address = urljoin(self.address, response.headers.get("Location", ""))
        self.sent += sum(map(len, parts))

    def put(self, parts: Sequence[Piece], digest: str, told: Callable[[int], object] | None) -> None:
        """Send the rest, and make all of it the blob of that digest."""
        joined = "&" if urlsplit(self.address).query else "?"
        address = f"{self.address}{joined}digest={quote(digest, safe='')}"
        self._expect(self._request("PUT", address, parts, told), (201,))

    def cancel(self) -> None:
        """Tell the registry that nothing more comes; one that does not listen forgets it some day."""
        with contextlib.suppress(HubError):
            self.registry.do_request(self.address, "DELETE")

    def _expect(self, response: Any, good: tuple[int, ...]) -> None:
        if response.status_code not in good:
            error = self.registry._failed(response, str(self.reference))
            raise Lost(error) if response.status_code in (400, 404, 416) else error

    def _request(
        self, method: str, address: str, parts: Sequence[Piece], told: Callable[[int], object] | None
    ) -> Any:
        start, count = self.sent, sum(map(len, parts))
        place = {"Content-Range": f"{start}-{start + count - 1}"} if 0 < count < self.size else {}
        began = time.monotonic()
        response = self.registry.do_request(
            address,
            method,
            data=tuple(parts),
            headers={"Content-Type": "application/octet-stream", **place},
            moved=(lambda sent: told(start + sent)) if told else None,
        )
        if count >= PIECE:
            fast = int(count / max(time.monotonic() - began, 0.001) * MOMENT) // PIECE * PIECE
            _pieces[self.registry.host] = min(max(PIECE, fast), LARGEST_PIECE)
        return response
