# mypy: ignore-errors
# ruff: noqa
# What a filter's source finds: `ctx` with its parts, `log`, and the callbacks that the proxy calls.
#
# MicroPython runs this once, when the runtime is made. Afterwards nothing may be kept that grows with the
# requests. Bytes from the proxy that are not UTF-8 are surrogates in a str, and become bytes again on the way back.

import builtins
import io
import json
import struct
import sys
import time
import vfs

import js
from uctypes import addressof

_log = js.proxy_log
_get = js.proxy_get_header_map_value
_add = js.proxy_add_header_map_value
_replace = js.proxy_replace_header_map_value
_remove = js.proxy_remove_header_map_value
_get_pairs = js.proxy_get_header_map_pairs
_set_pairs = js.proxy_set_header_map_pairs
_get_buffer = js.proxy_get_buffer_bytes
_set_buffer = js.proxy_set_buffer_bytes
_get_property = js.proxy_get_property
_set_property = js.proxy_set_property
_respond = js.proxy_send_local_response
_continue = js.proxy_continue_stream
_close = js.proxy_close_stream
_define_metric = js.proxy_define_metric
_increment_metric = js.proxy_increment_metric
_record_metric = js.proxy_record_metric
_get_metric = js.proxy_get_metric
_get_shared = js.proxy_get_shared_data
_set_shared = js.proxy_set_shared_data
_register_queue = js.proxy_register_shared_queue
_resolve_queue = js.proxy_resolve_shared_queue
_enqueue = js.proxy_enqueue_shared_queue
_dequeue = js.proxy_dequeue_shared_queue
_http_call = js.proxy_http_call
_foreign = js.proxy_call_foreign_function
_set_tick = js.proxy_set_tick_period_milliseconds
_effective = js.proxy_set_effective_context
_extra = js.extra
_listen = js.listen
_take = js.take
_next = js.next
_text = js.text
_raw = js.raw

_MAPS = ("request headers", "request trailers", "response headers", "response trailers")
_MAPS += ("", "", "headers of an answer", "trailers of an answer")
_STATUS = {
    1: "there is no such thing",
    2: "not allowed here, or a wrong argument",
    3: "the value cannot be serialised",
    4: "the value cannot be parsed",
    7: "it is empty",
    8: "somebody else has changed it meanwhile",
    10: "internal failure of the proxy, or a capability that the proxy withholds",
    12: "the proxy does not have this",
}


class HostError(RuntimeError):
    """The proxy refused something. `status` is its number of the Proxy-Wasm ABI."""

    def __init__(self, what, status, why=""):
        super().__init__("%s: %s (status %d)" % (what, why or _STATUS.get(status, "refused"), status))
        self.status = status


def _check(status, what):
    if status:
        raise HostError(what, status)


def _taken(size):
    # Only now is there a place for the bytes: they are written into it before anybody has seen it, and the
    # hash that it was made with is forgotten.
    data = bytes(size)
    _take(addressof(data), id(data)) if size else _take(0, 0)
    return data


def _bytes(value, what):
    if isinstance(value, str):
        return _taken(_raw(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError("%s must be bytes or str, not %s" % (what, type(value).__name__))


def _str(value, what):
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return _text(addressof(value), len(value))
    raise TypeError("%s must be str, not %s" % (what, type(value).__name__))


def _pairs(headers):
    items = headers.items() if hasattr(headers, "items") else headers
    lengths, strings = [], []
    for name, value in items:
        for part, what in ((name, "the name of a header"), (value, "the value of a header")):
            part = _bytes(part, what)
            if b"\n" in part or b"\r" in part or b"\0" in part:
                raise ValueError("a header cannot hold a line break or NUL: %r" % part)
            lengths.append(len(part))
            strings.append(part)
    strings.append(b"")
    return struct.pack("<%dI" % (len(lengths) + 1), len(lengths) // 2, *lengths) + b"\0".join(strings)
