"""HTTP values: headers, requests and responses as a client or an upstream sees them."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeAlias

from .errors import RequestError

__all__ = ["HeaderSource", "Headers", "Request", "Response", "cut_frames", "http_version"]

FRAME = 16384
HeaderSource: TypeAlias = "Headers | Mapping[str, str] | Iterable[tuple[str, str]]"


class Headers(Mapping[str, str]):
    """An ordered, immutable map from header name to value that keeps repeated names.

    Names are lower-cased, as Envoy does on every operation (``header_map_impl.cc``). As a mapping, the values
    of a repeated name come joined by ``", "``; ``getall`` and ``pairs`` give them one by one. Bytes that are
    not UTF-8 survive as surrogate escapes (``encode``, ``decode``).
    """

    __slots__ = ("pairs",)
    pairs: tuple[tuple[str, str], ...]

    def __init__(self, source: HeaderSource = ()) -> None:
        if isinstance(source, Headers):
            pairs: Iterable[tuple[str, str]] = source.pairs
        elif isinstance(source, Mapping):
            pairs = source.items()
        else:
            pairs = source
        try:
            checked = tuple((_name(name), _value(name, value)) for name, value in pairs)
        except (TypeError, ValueError) as error:
            raise RequestError(
                f"headers must be a mapping or pairs of text: {error}",
                do='write headers={"x-user": "ada"} or headers=[("x-user", "ada")]',
            ) from None
        object.__setattr__(self, "pairs", checked)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("headers are immutable; make changed ones with add(), set() or without()")

    @classmethod
    def decode(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Keep raw byte pairs as headers; bytes that are not UTF-8 become surrogate escapes."""
        headers = cls.__new__(cls)
        object.__setattr__(headers, "pairs", tuple((_text(n), _text(v)) for n, v in pairs))
        return headers

    def encode(self) -> list[tuple[bytes, bytes]]:
        """The raw byte pairs of these headers."""
        return [(_bytes(name), _bytes(value)) for name, value in self.pairs]

    def getall(self, name: str) -> tuple[str, ...]:
        """All values of a name, in order; empty where there is none."""
        name = name.lower()
        return tuple(value for key, value in self.pairs if key == name)

    def add(self, name: str, value: str) -> Headers:
        """A copy with one more entry at the end."""
        return Headers([*self.pairs, (name, value)])

    def set(self, name: str, value: str) -> Headers:
        """A copy in which the name has this one value."""
        return self.without(name).add(name, value)

    def without(self, *names: str) -> Headers:
        """A copy without these names."""
        gone = {name.lower() for name in names}
        return Headers([pair for pair in self.pairs if pair[0] not in gone])

    def __getitem__(self, name: str) -> str:
        values = self.getall(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.pairs))

    def __len__(self) -> int:
        return len(dict(self.pairs))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(key == name.lower() for key, _ in self.pairs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Headers):
            return self.pairs == other.pairs
        if isinstance(other, Mapping):
            return self.pairs == Headers(other).pairs
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'><code>{html.escape(k)}</code></td>"
            f"<td style='text-align:left'><code>{html.escape(v)}</code></td></tr>"
            for k, v in self.pairs
        )
        return f"<table><tbody>{rows}</tbody></table>"


@dataclass(frozen=True, slots=True)
class _Message:
    """What requests and responses share: a body in frames, trailers, and METADATA frames.

    ``chunks`` are the sizes in bytes of the data frames in which the body travels; a rest goes in one more
    frame, and no chunks mean one frame.
    ``metadata`` are the METADATA frames of HTTP/2 that Envoy knows, which go between headers and body.
    """

    body: bytes = b""
    trailers: Headers = field(default_factory=Headers)
    chunks: tuple[int, ...] = ()
    metadata: tuple[Headers, ...] = ()

    @property
    def frames(self) -> tuple[bytes, ...]:
        """The body cut into its data frames; empty for an empty body."""
        return _frames(self)

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 show as replacement characters."""
        return self.body.decode("utf-8", "replace")

    def replace(self, **changes: Any) -> Self:
        """A changed copy; the names are those of the constructor."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, init=False)
class Request(_Message):
    """A request as a client sends it.

    ``headers`` holds ordinary headers only: method, path, authority and scheme are fields of their own and
    become ``:method`` and so on inside a proxy. ``str`` bodies are encoded as UTF-8. ``version`` is that of
    HTTP between client and proxy, "1.1" or "2"; what a proxy speaks with the upstream is its own matter.
    """

    method: str = "GET"
    path: str = "/"
    headers: Headers = field(default_factory=Headers)
    authority: str = "localhost"
    scheme: str = "http"
    version: str = "1.1"

    def __init__(
        self,
        method: str = "GET",
        path: str = "/",
        headers: HeaderSource = (),
        body: bytes | str = b"",
        *,
        trailers: HeaderSource = (),
        chunks: Iterable[int] = (),
        authority: str = "",
        scheme: str = "http",
        version: str = "1.1",
        metadata: Iterable[HeaderSource] = (),
    ) -> None:
        headers = Headers(headers)
        if not authority:
            authority = headers.get("host", "localhost")
        if not method or any(c.isspace() for c in method):
            raise RequestError(f"{method!r} is no HTTP method", do="write GET, POST, ... first")
        if not path or any(c in path for c in " \r\n\0"):
            raise RequestError(
                f"{path!r} is no request path", do="write a path such as /items?id=1, spaces as %20"
            )
        _set(self, method=method, path=path, headers=headers.without("host"))
        _set(self, body=_body(body), trailers=Headers(trailers), chunks=_chunks(chunks))
        _set(
            self,
            authority=authority,
            scheme=scheme,
            version=http_version(version),
            metadata=_metadata(metadata),
        )
        if self.metadata and version != "2":
            raise RequestError("HTTP/1.1 carries no metadata", do='pass version="2"')

    @property
    def frames(self) -> tuple[bytes, ...]:
        """The body cut into its data frames; HTTP/2 has frames of at most 16 KiB."""
        return _frames(self) if self.version == "1.1" else cut_frames(self)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}{_size(self)}>"


@dataclass(frozen=True, slots=True, init=False)
class Response(_Message):
    """A response as an upstream sends it or a client gets it; ``str`` bodies are encoded as UTF-8."""

    status: int = 200
    headers: Headers = field(default_factory=Headers)

    def __init__(
        self,
        status: int = 200,
        headers: HeaderSource = (),
        body: bytes | str = b"",
        *,
        trailers: HeaderSource = (),
        chunks: Iterable[int] = (),
        metadata: Iterable[HeaderSource] = (),
    ) -> None:
        if not 200 <= status <= 599:
            raise RequestError(f"{status} is no final HTTP status", do="use a status from 200 to 599")
        _set(self, status=status, headers=Headers(headers))
        _set(self, body=_body(body), trailers=Headers(trailers), chunks=_chunks(chunks))
        _set(self, metadata=_metadata(metadata))

    def __repr__(self) -> str:
        return f"<Response {self.status}{_size(self)}>"


def _frames(message: _Message) -> tuple[bytes, ...]:
    frames, start = [], 0
    for size in message.chunks:
        if start < len(message.body):
            frames.append(message.body[start : start + size])
            start += size
    if start < len(message.body):
        frames.append(message.body[start:])
    return tuple(frames)


def cut_frames(message: _Message) -> tuple[bytes, ...]:
    """The body cut into data frames of HTTP/2."""
    return tuple(f[at : at + FRAME] for f in _frames(message) for at in range(0, len(f), FRAME))


def _set(target: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(target, name, value)


def _size(message: _Message) -> str:
    return f", {len(message.body)} bytes" if message.body else ""


def _chunks(chunks: Iterable[int]) -> tuple[int, ...]:
    sizes = tuple(chunks)
    if any(not isinstance(size, int) or size < 1 for size in sizes):
        raise RequestError(f"chunks are sizes in bytes, at least 1 each, not {sizes!r}")
    return sizes


def http_version(version: str) -> str:
    """The version, where a proxy here speaks it. Raises RequestError."""
    if version not in ("1.1", "2"):
        raise RequestError(f"no proxy here speaks HTTP/{version}", do='pass "1.1" or "2"')
    return version


def _metadata(frames: Iterable[HeaderSource]) -> tuple[Headers, ...]:
    metadata = tuple(map(Headers, frames))
    if not all(metadata):
        raise RequestError("a METADATA frame holds at least one name", do="leave the empty one out")
    return metadata


def _body(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a header name is text, not {name!r}")
    if not name or any(c in name for c in "\r\n\0 "):
        raise ValueError(f"{name!r} is no header name")
    return name.lower()


def _value(name: object, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the value of {name!r} is text, not {value!r}")
    if any(c in value for c in "\r\n\0"):
        raise ValueError(f"the value of {name!r} has a line break or a NUL in it")
    return value
