"""METADATA frames, Envoy's extension of HTTP/2: names and values that belong to a stream."""

from __future__ import annotations

import struct
from typing import Any

from ..http import Headers

__all__ = ["metadata_frames", "metadata_in"]

KIND, WHOLE = 0x4D, 0x4


def metadata_frames(stream: int, metadata: tuple[Headers, ...]) -> bytes:
    """The frames, each whole in itself."""
    from hpack import Encoder

    frames = []
    for each in metadata:
        block = Encoder().encode(each.encode(), huffman=False)
        frames += [struct.pack(">I", len(block))[1:], bytes([KIND, WHOLE]), struct.pack(">I", stream), block]
    return b"".join(frames)


def metadata_in(event: Any) -> Headers | None:
    """What a frame holds that h2 does not know; None where it is no METADATA frame."""
    from hpack import Decoder

    if event.frame.type != KIND:
        return None
    return Headers.decode(
        (
            name if isinstance(name, bytes) else name.encode(),
            value if isinstance(value, bytes) else value.encode(),
        )
        for name, value in Decoder().decode(event.frame.body, raw=True)
    )
