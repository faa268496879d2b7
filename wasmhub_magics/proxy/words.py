"""What the numbers of the ABI mean, and arguments of host calls as people read them."""

from __future__ import annotations

__all__ = [
    "ACTIONS",
    "BUFFERS",
    "LEVELS",
    "MAPS",
    "PAIRS",
    "STATUSES",
    "STREAMS",
    "argument",
    "pairs",
    "shown",
]

STATUSES = (
    "Ok",
    "NotFound",
    "BadArgument",
    "SerializationFailure",
    "ParseFailure",
    "BadExpression",
    "InvalidMemoryAccess",
    "Empty",
    "CasMismatch",
    "ResultMismatch",
    "InternalFailure",
    "BrokenConnection",
    "Unimplemented",
)
MAPS = (
    "request headers",
    "request trailers",
    "response headers",
    "response trailers",
    "gRPC initial metadata",
    "gRPC trailing metadata",
    "call headers",
    "call trailers",
)
BUFFERS = (
    "request body",
    "response body",
    "downstream data",
    "upstream data",
    "call body",
    "gRPC message",
    "VM configuration",
    "plugin configuration",
    "call data",
)
LEVELS = ("trace", "debug", "info", "warn", "error", "critical")
STREAMS = ("request", "response", "downstream", "upstream")
ACTIONS = {
    "headers": ("Continue", "Pause", "ContinueAndEndStream", "StopAllAndBuffer", "StopAllAndWatermark"),
    "body": ("Continue", "PauseAndBuffer", "PauseAndWatermark", "PauseNoBuffer"),
    "trailers": ("Continue", "Pause"),
}
SHOWN = 60
PAIRS = ("pairs_ptr", "headers_ptr", "trailers_ptr", "metadata_ptr")
"""Arguments that are headers: how many, the sizes of all names and values, then these, each with a NUL."""


def argument(name: str, value: int) -> str:
    """The value of a parameter in words, where it stands for something."""
    words = {"map": MAPS, "buffer": BUFFERS, "level": LEVELS, "stream": STREAMS}.get(name, ())
    if name == "grpc_status" and value == 0xFFFFFFFF:
        return "none"
    return words[value] if value < len(words) else str(value)


def pairs(data: bytes) -> str:
    """Headers as people read them; what cannot be read as such, or was cut, stays bytes."""
    if len(data) < 4:
        return shown(data)
    count = int.from_bytes(data[:4], "little")
    at = 4 + 8 * count
    texts = []
    for place in range(2 * count):
        size = int.from_bytes(data[4 + 4 * place : 8 + 4 * place], "little")
        if at + size >= len(data):
            return shown(data)
        texts.append(data[at : at + size].decode("utf-8", "backslashreplace"))
        at += size + 1
    text = ", ".join(f"{name}: {value}" for name, value in zip(texts[::2], texts[1::2], strict=True))
    return f"{{{text}}}"


def shown(data: bytes) -> str:
    """Bytes as people read them, cut where they are long."""
    words = data.decode("utf-8", "backslashreplace")
    return repr(words if len(words) <= SHOWN else words[:SHOWN] + "…")
