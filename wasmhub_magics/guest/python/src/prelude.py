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


class Headers:
    """A header map. Names are case-insensitive, values are str; a name may have several entries."""

    def __init__(self, kind):
        self._map = kind

    def _refusal(self, status, name, value=""):
        if not isinstance(name, str):
            return TypeError("the name of a header must be str, not %s" % type(name).__name__)
        if status == 100:
            if not name:
                return ValueError("a header needs a name")
            return ValueError("a header cannot hold a line break or NUL: %r" % ((name, value),))
        where = _MAPS[self._map]
        why = "they are at hand in on_%s only" % where.replace(" ", "_") if status == 2 else ""
        if status == 2 and self._map > 3:
            why = "they can be read only, in the function that the call named with then="
        return HostError("the %s cannot be used here" % where, status, why)

    def get(self, name, default=None):
        value = _get(self._map, name)
        if value is None:
            return default
        if isinstance(value, int):
            raise self._refusal(value, name)
        return value

    def __getitem__(self, name):
        value = _get(self._map, name)
        if value is None:
            raise KeyError(name)
        if isinstance(value, int):
            raise self._refusal(value, name)
        return value

    def __setitem__(self, name, value):
        if not isinstance(value, str):
            value = _str(value, "the value of a header")
        status = _replace(self._map, name, value)
        if status:
            raise self._refusal(status, name, value)

    def add(self, name, value):
        if not isinstance(value, str):
            value = _str(value, "the value of a header")
        status = _add(self._map, name, value)
        if status:
            raise self._refusal(status, name, value)

    def __delitem__(self, name):
        status = _remove(self._map, name)
        if status:
            raise self._refusal(status, name)

    def pop(self, name, default=None):
        value = self.get(name)
        if value is None:
            return default
        del self[name]
        return value

    def setdefault(self, name, value):
        found = self.get(name)
        if found is not None:
            return found
        self[name] = value
        return value

    def update(self, headers):
        for name, value in headers.items() if hasattr(headers, "items") else headers:
            self[name] = value

    def __contains__(self, name):
        return self.get(name) is not None

    def items(self):
        size = _get_pairs(self._map)
        if size < 0:
            raise self._refusal(-size, "")
        found = []
        while True:
            name = _next()
            if name is None:
                return found
            found.append((name, _next()))

    def keys(self):
        found = []
        for name, _ in self.items():
            if name not in found:
                found.append(name)
        return found

    def values(self):
        return [value for _, value in self.items()]

    def get_bytes(self, name, default=None):
        value = self.get(name)
        return default if value is None else _bytes(value, name)

    def getall(self, name):
        name = name.lower()
        return [value for key, value in self.items() if key == name]

    def replace(self, headers):
        """Put these in the place of all there are; of the pseudo headers, of those only that are given."""
        items = list(headers.items() if hasattr(headers, "items") else headers)
        given = [name for name, _ in items]
        items = [pair for pair in self.items() if pair[0].startswith(":") and pair[0] not in given] + items
        data = _pairs(items)
        status = _set_pairs(self._map, addressof(data), len(data))
        if status:
            raise self._refusal(status, "")

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self.items())

    def __repr__(self):
        return "<Headers %r>" % (self.items(),)


def _pseudo(name):
    def read(self):
        return self.headers.get(name)

    def write(self, value):
        self.headers[name] = value

    return property(read, write)


def _fixed(part):
    """A part that assignment fills anew, so that it cannot be lost."""

    def fill(_self, headers):
        part.replace(headers)

    return property(lambda _self: part, fill)


class _Message:
    # There is one of each kind for all streams: the proxy knows which stream it has called about.
    def __setattr__(self, name, _value):
        raise AttributeError("there is no %s to set; keep what you need in attributes of ctx" % name)

    def _write(self, start, size, data):
        data = _bytes(data, "a body")
        status = _set_buffer(self._buffer, start, size, addressof(data) if data else 0, len(data))
        if status:
            side = ("request", "response")[self._buffer]
            why = "it can in on_%s_body only" % side if status == 2 else ""
            raise HostError("the %s body cannot be changed here" % side, status, why)

    @property
    def body(self):
        size = _get_buffer(self._buffer, 0, 0x7FFFFFFF)
        if size <= 0:
            return b""
        return _taken(size)

    @body.setter
    def body(self, data):
        self._write(0, 0x7FFFFFFF, data)

    def append_body(self, data):
        self._write(0x7FFFFFFF, 0, data)

    def prepend_body(self, data):
        self._write(0, 0, data)


class Request(_Message):
    _buffer = 0
    headers = _fixed(Headers(0))
    trailers = _fixed(Headers(1))
    method = _pseudo(":method")
    path = _pseudo(":path")
    authority = _pseudo(":authority")
    scheme = _pseudo(":scheme")


class Response(_Message):
    _buffer = 1
    headers = _fixed(Headers(2))
    trailers = _fixed(Headers(3))

    @property
    def status(self):
        value = self.headers.get(":status")
        return None if value is None else int(value)

    @status.setter
    def status(self, value):
        self.headers[":status"] = str(int(value))


class _Received(Headers):
    # While an answer can be read, a map that is not there is an empty one.
    def get(self, name, default=None):
        value = _get(self._map, name)
        if value is None or (value == 2 and _answering):
            return default
        if isinstance(value, int):
            raise self._refusal(value, name)
        return value

    def __getitem__(self, name):
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value


_answering = False


class Answer(_Message):
    """What a cluster answered to a call. `status` is None where the answer broke off."""

    _buffer = 4
    headers = property(lambda _self, _headers=_Received(6): _headers)
    trailers = property(lambda _self, _trailers=_Received(7): _trailers)

    @property
    def status(self):
        value = _get(6, ":status")
        return int(value) if isinstance(value, str) else None

    @property
    def body(self):
        size = _get_buffer(4, 0, 0x7FFFFFFF)
        return _taken(size) if size > 0 else b""


class _Kept:
    # Headers of an answer that outlive the moment in which the proxy has them.
    def __init__(self, items):
        self._items = items

    def getall(self, name):
        name = name.lower()
        return [value for key, value in self._items if key == name]

    def get(self, name, default=None):
        found = self.getall(name)
        return found[0] if found else default

    def __getitem__(self, name):
        found = self.getall(name)
        if not found:
            raise KeyError(name)
        return found[0]

    def __contains__(self, name):
        return bool(self.getall(name))

    def items(self):
        return list(self._items)

    def keys(self):
        return [name for name, _ in self._items]

    def values(self):
        return [value for _, value in self._items]

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self._items)

    def __repr__(self):
        return "<Headers %r>" % (self._items,)


class _KeptAnswer:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = _Kept(answer.headers.items() if self.status is not None else [])
        self.trailers = _Kept(answer.trailers.items() if self.status is not None else [])
        self.body = answer.body


class Call:
    """A call on its way: `await` it in an async callback to get its answer."""

    def __init__(self, context):
        self._context = context
        self._answer = None
        self._task = None

    def __iter__(self):
        if self._answer is None:
            yield self
        return self._answer

    __await__ = __iter__

    def __repr__(self):
        return "<Call, %s>" % ("answered" if self._answer else "not answered yet")


class _Task:
    # A callback that waits.
    def __init__(self, name, stream, actions, coroutine):
        self.name = name
        self.stream = stream
        self.actions = actions
        self.coroutine = coroutine

    def step(self):
        """Run until it waits (None) or ends (its action)."""
        while True:
            try:
                call = self.coroutine.send(None)
            except StopIteration as end:
                return _action(self.name, end.value, self.actions) if self.actions else 0
            if not isinstance(call, Call):
                raise TypeError("a filter can await calls of ctx.call only, not %r" % (call,))
            if call._answer is None:
                call._task = self
                return None

    def go_on(self):
        if self.step() == 0 and self.actions and self.stream.id in _streams and not self.stream._answered:
            if self.name.startswith("request"):
                self.stream.resume_request()
            else:
                self.stream.resume_response()


class Log:
    """`log("text")`, and `log.warn("text")` for another level; several values are joined by spaces."""

    def __call__(self, *values):
        self._write(2, values)

    def _write(self, level, values):
        _log(
            level,
            values[0]
            if len(values) == 1 and isinstance(values[0], str)
            else " ".join([str(v) for v in values]),
        )

    def trace(self, *values):
        self._write(0, values)

    def debug(self, *values):
        self._write(1, values)

    def info(self, *values):
        self._write(2, values)

    def warn(self, *values):
        self._write(3, values)

    def error(self, *values):
        self._write(4, values)

    def critical(self, *values):
        self._write(5, values)

    warning = warn


_INTEGERS = (
    "request.time request.duration request.size request.total_size request.headers_bytes "
    "response.code response.flags response.grpc_status response.size response.total_size response.headers_bytes "
    "response.backend_latency source.port destination.port upstream.port upstream.num_endpoints "
    "upstream.request_attempt_count upstream.cx_pool_ready_duration connection.id connection_id "
    "xds.listener_direction"
).split()


class _Context:
    """What streams and the plugin itself have in common."""

    CONTINUE = 0
    PAUSE = 1
    BUFFER = 16
    WATERMARK = 17
    NO_BUFFER = 18
    log = Log()

    def property(self, *path, raw=False):
        if len(path) == 1:
            path = path[0].split(".")
        size = _get_property("\0".join(path))
        if size < 0:
            if size in (-1, -3):  # absent, or present without a value
                return None
            raise HostError("the property " + ".".join(path), -size)
        data = _taken(size)
        if raw:
            return data
        name = ".".join(path)
        if size == 8 and name in _INTEGERS:
            return struct.unpack("<q", data)[0]
        if size == 1 and name == "connection.mtls":
            return data == b"\1"
        try:
            return data.decode()
        except UnicodeError:
            return data

    def set_property(self, name, value):
        data = _bytes(value, "the value of a property")
        _check(_set_property(name, addressof(data) if data else 0, len(data)), "the property " + name)

    def call(
        self,
        cluster,
        path="/",
        method="GET",
        headers=None,
        body=b"",
        timeout=5.0,
        then=None,
        authority=None,
        trailers=None,
    ):
        """Ask a cluster. `await` it for the answer; or with `then`, which is called as `then(ctx, answer)`, return it."""
        pairs = [(":method", method), (":path", path), (":authority", authority or cluster)]
        pairs = _pairs(
            pairs + list((headers.items() if hasattr(headers, "items") else headers) if headers else ())
        )
        ends = _pairs(trailers) if trailers else b""
        data = _bytes(body, "a body")
        token = _http_call(
            *(cluster, addressof(pairs), len(pairs), addressof(data) if data else 0, len(data)),
            *(addressof(ends) if ends else 0, len(ends), max(1, int(timeout * 1000)) if timeout else 0),
        )
        if token < 0:
            why = "there is no such cluster, or the call is incomplete" if token == -2 else ""
            raise HostError("the cluster %s cannot be called" % cluster, -token, why)
        if then is not None:
            _calls[token] = (self, then)
            return self.PAUSE
        call = Call(self)
        _calls[token] = (self, call)
        return call

    def foreign(self, name, data=b""):
        """Call a function that the proxy has beyond the ABI; gives its bytes."""
        data = _bytes(data, "the argument")
        size = _foreign(name, addressof(data) if data else 0, len(data))
        if size < 0:
            raise HostError("the foreign function " + name, -size)
        return _taken(size)

    def tick(self, seconds):
        """Let `on_tick` run every so many seconds; 0 stops it."""
        _check(_set_tick(max(1, int(seconds * 1000)) if seconds else 0), "the timer cannot be set")

    def __repr__(self):
        return "<%s %d>" % (type(self).__name__, self.id)


class Plugin(_Context):
    """The plugin: what on_vm_start and on_configure get, and what a stream calls its root."""

    configuration = b""
    config = {}

    def __init__(self, number):
        self.id = number
        self.root = self

    @property
    def vm_configuration(self):
        size = _get_buffer(6, 0, 0x7FFFFFFF)
        return _taken(size) if size > 0 else b""


class Stream(_Context):
    """One request and its response. Attributes that a filter sets live as long as the stream."""

    request = Request()
    response = Response()
    end_of_stream = False
    _answered = False

    def __init__(self, number, root):
        self.id = number
        self.root = root

    @property
    def configuration(self):
        return self.root.configuration

    @property
    def config(self):
        return self.root.config

    @property
    def vm_configuration(self):
        return self.root.vm_configuration

    def respond(self, status, headers=None, body=b"", details="", grpc_status=-1):
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise ValueError("a response needs a status from 200 to 599, not %r" % (status,))
        pairs = _pairs(headers or ())
        data = _bytes(body, "a body")
        place = addressof(data) if data else 0
        result = _respond(status, details, place, len(data), addressof(pairs), len(pairs), grpc_status)
        _check(result, "the response cannot be sent")
        self._answered = True
        return self.PAUSE

    def resume_request(self):
        _check(_continue(0), "the request cannot be resumed")

    def resume_response(self):
        _check(_continue(1), "the response cannot be resumed")

    def close(self):
        """Reset the stream: the client gets no answer."""
        _check(_close(0), "the stream cannot be closed")


class _Metric:
    def __init__(self, name):
        self.name = name
        self._number = 0

    def _id(self):
        if not self._number:
            number = _define_metric(self._kind, self.name)
            if number < 0:
                raise HostError("the metric %s cannot be defined" % self.name, -number)
            self._number = number
        return self._number

    def _change(self, function, value):
        status = function(self._id(), value & 0xFFFFFFFF, (value >> 32) & 0xFFFFFFFF)
        _check(status, "the metric %s cannot be changed by %d" % (self.name, value))

    @property
    def value(self):
        size = _get_metric(self._id())
        if size < 0:
            raise HostError("the metric " + self.name, -size)
        return struct.unpack("<Q", _taken(size))[0]

    def __repr__(self):
        return "<%s %s>" % (type(self).__name__, self.name)


class Counter(_Metric):
    """A number that only grows."""

    _kind = 0

    def add(self, by=1):
        if by < 1:
            raise ValueError("a counter only grows, so it cannot change by %d" % by)
        self._change(_increment_metric, by)


class Gauge(_Metric):
    """A number that goes up and down."""

    _kind = 1

    def add(self, by=1):
        self._change(_increment_metric, by)

    def set(self, value):
        self._change(_record_metric, value)


class Histogram(_Metric):
    """Values whose distribution the proxy keeps."""

    _kind = 2

    def record(self, value):
        self._change(_record_metric, value)


_metrics = {}


def _metric(kind):
    def make(name):
        found = _metrics.get((kind, name))
        if found is None:
            found = _metrics[kind, name] = kind(name)
        return found

    return make


class Shared:
    """Values that all virtual machines of one `vm_id` share. Keys are str, values are bytes."""

    def read(self, key):
        """The value, and the number of its last change; (None, 0) where there is none."""
        size = _get_shared(key)
        if size == -1:
            return None, 0
        if size < 0:
            raise HostError("the shared data " + key, -size)
        version = _extra()
        return _taken(size), version

    def cas(self, key, value, version):
        """Write where nobody has written since `read` gave this number; False where somebody has."""
        data = _bytes(value, "a value")
        status = _set_shared(key, addressof(data) if data else 0, len(data), version)
        if status != 8:
            _check(status, "the shared data " + key)
        return status == 0

    def update(self, key, function):
        """Write what the function makes of the value (None where there is none), whoever writes meanwhile."""
        while True:
            value, version = self.read(key)
            value = function(value)
            if self.cas(key, value, version):
                return value

    def get(self, key, default=None):
        value = self.read(key)[0]
        return default if value is None else value

    def __getitem__(self, key):
        value = self.read(key)[0]
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key, value):
        self.cas(key, value, 0)

    def __contains__(self, key):
        return self.read(key)[0] is not None


class Queue:
    """Messages from filters to filters, first in, first out."""

    def __init__(self, name, token):
        self.name = name
        self._token = token

    def put(self, data):
        data = _bytes(data, "a message")
        _check(_enqueue(self._token, addressof(data) if data else 0, len(data)), "the queue " + self.name)

    def get(self):
        """The oldest message, or None."""
        size = _dequeue(self._token)
        if size == -7:
            return None
        if size < 0:
            raise HostError("the queue " + self.name, -size)
        return _taken(size)

    def __repr__(self):
        return "<Queue %s>" % self.name


_queues = {}


def queue(name, vm_id=None):
    """The queue of that name: one's own, which `on_queue` hears of, or with `vm_id` that of another filter."""
    found = _queues.get((name, vm_id))
    if found is None:
        token = _register_queue(name) if vm_id is None else _resolve_queue(vm_id, name)
        if token < 0:
            raise HostError("the queue " + name, -token, "nobody has made it" if token == -1 else "")
        found = _queues[name, vm_id] = Queue(name, token)
    return found


_roots = {}
_parents = {}
_calls = {}
_answer = Answer()
_streams = {}
_namespace = {}


_spare = []  # memory to tell of a MemoryError with


def _failed(error, result):
    """Log an error with its traceback as one line, without the lines of this file."""
    if isinstance(error, MemoryError):
        _spare.clear()
    out = io.StringIO()
    sys.print_exception(error, out)
    lines = [line for line in out.getvalue().rstrip().split("\n") if not line.startswith('  File "<stdin>"')]
    if isinstance(error, SystemExit):
        lines[-1] += ": a filter cannot exit; return, or call ctx.respond"
    _log(4, "\n".join(lines[1:] if len(lines) == 2 else lines))
    return result


def _stream(number):
    root = _roots[_parents[number]] if number in _parents else _first
    stream = _streams[number] = Stream(number, root)
    return stream


def _on_answer(_root, token, _headers, _size, _trailers):
    global _answering
    entry = _calls.pop(token, None)
    if entry is None:
        return 0
    context, then = entry
    try:
        if isinstance(context, Stream):
            if context.id not in _streams:
                return 0  # it has ended
            _check(_effective(context.id), "the stream cannot be reached")
        _answering = True
        if isinstance(then, Call):
            then._answer = _KeptAnswer(_answer)
            if then._task is not None:
                then._task.go_on()
        else:
            then(context, _answer)
        return 0
    except BaseException as error:
        return _failed(error, -1)
    finally:
        _answering = False


def _telling(function):
    def call(root, token=0):
        try:
            plugin = _roots[root]
            if token:
                plugin.queue = None
                for found in _queues.values():
                    if found._token == token:
                        plugin.queue = found
            result = function(plugin)
            if type(result) is _Coroutine:
                _Task("tick", plugin, None, result).step()
            return 0
        except BaseException as error:
            return _failed(error, -1)

    return call


def _nothing():
    yield


_Coroutine = type(_nothing())


def _action(name, result, actions):
    if result is None:
        return 0
    if isinstance(result, Call):
        raise TypeError(
            "on_%s must wait for the call: write async def and await, or name a function: then=" % name
        )
    if isinstance(result, bool) or result not in actions:
        allowed = "None, ctx.CONTINUE or ctx.PAUSE"
        if not name.endswith("trailers"):
            allowed = "None, ctx.CONTINUE, ctx.PAUSE, ctx.BUFFER or ctx.WATERMARK"
        raise TypeError("on_%s must return %s, not %r" % (name, allowed, result))
    return actions[result]


def _listener(name, function, actions):
    def call(number, _count, end):
        try:
            stream = _streams.get(number) or _stream(number)
            stream.end_of_stream = end == 1
            result = function(stream)
            if result is None:
                return 0
            if type(result) is _Coroutine:
                action = _Task(name, stream, actions, result).step()
                return 1 if action is None else action
            return _action(name, result, actions)
        except BaseException as error:
            return _failed(error, -1)

    def call_trailers(number, count):
        return call(number, count, 1)

    return call_trailers if name.endswith("trailers") else call


def _ending(function):
    def call(number):
        if number in _roots:
            return 1
        try:
            function(_streams.get(number) or _stream(number))
            return 1
        except BaseException as error:
            return _failed(error, -1)

    return call


_HEADERS = {0: 0, 1: 1, 16: 3, 17: 4}
_BODY = {0: 0, 1: 1, 16: 1, 17: 2, 18: 3}
_TRAILERS = {0: 0, 1: 1}


class _Files:
    # What was built in besides the source, as a file system: modules to import, and data to open.
    def __init__(self, files):
        self._files = files

    def mount(self, _readonly, _make):
        pass

    def umount(self):
        pass

    def chdir(self, _path):
        pass

    def getcwd(self):
        return "/"

    def stat(self, path):
        path = path.strip("/")
        if path in self._files:
            return (0x8000, 0, 0, 0, 0, 0, len(self._files[path]), 0, 0, 0)
        if not path or any([each.startswith(path + "/") for each in self._files]):
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(2)

    def ilistdir(self, path):
        path = path.strip("/")
        start = path + "/" if path else ""
        found = []
        for each in self._files:
            if each.startswith(start):
                name, _, rest = each[len(start) :].partition("/")
                entry = (name, 0x4000 if rest else 0x8000, 0)
                if entry not in found:
                    found.append(entry)
        return iter(found)

    def open(self, path, mode):
        text = self._files.get(path.strip("/"))
        if text is None:
            raise OSError(2)
        if "w" in mode or "a" in mode or "+" in mode:
            raise OSError(30)
        return io.BytesIO(text.encode()) if "b" in mode else io.StringIO(text)


def _load(name, source):
    """Run the filter's source and listen to the callbacks that it defines."""
    try:
        _spare.extend(range(2048))
        _namespace["__name__"] = name
        if "\0" in source:
            source, extras = source.split("\0", 1)
            extras = json.loads(extras)
            _namespace.update(extras["defines"])
            if extras["files"]:
                vfs.umount("/")
                vfs.mount(_Files(extras["files"]), "/")
                sys.path[:] = [""]
        exec(compile(source, name, "exec"), _namespace)
        streams = False
        for direction in ("request", "response"):
            for part, actions in (("headers", _HEADERS), ("body", _BODY), ("trailers", _TRAILERS)):
                callback = direction + "_" + part
                function = _namespace.get("on_" + callback)
                if function is not None:
                    _listen("proxy_on_" + callback, _listener(callback, function, actions))
                    streams = True
        for callback in ("log", "done"):
            function = _namespace.get("on_" + callback)
            if function is not None:
                _listen("proxy_on_" + callback, _ending(function))
                streams = True
        for callback, name in (("tick", "tick"), ("queue", "queue_ready")):
            function = _namespace.get("on_" + callback)
            if function is not None:
                _listen("proxy_on_" + name, _telling(function))
        function = _namespace.get("on_delete")
        if streams or function is not None:  # also what a stream keeps must go with it
            _listen("proxy_on_delete", _deleter(function))
        return 1
    except BaseException as error:
        return _failed(error, 0)


def _deleter(function):
    ending = function and _ending(function)

    def call(number):
        global _first
        if number in _roots:
            del _roots[number]
            if _roots:
                _first = _roots[min(_roots)]
            return 0
        result = ending(number) if ending else 0
        _streams.pop(number, None)
        _parents.pop(number, None)
        return result

    return call


def _on_context_create(number, parent):
    global _first
    if parent:
        _parents[number] = parent
    elif number not in _roots:
        _first = _roots[number] = Plugin(number)
        if len(_roots) > 1:
            _first = _roots[min(_roots)]
    return 0


def _ask(name, root):
    """Call a filter's own start function; False refuses."""
    function = _namespace.get(name)
    if function is None:
        return 1
    result = function(root)
    if result is None or result:
        return 1
    _log(4, name + " refused: it returned %r" % (result,))
    return 0


def _on_vm_start(number, _size):
    try:
        return _ask("on_vm_start", _roots[number])
    except BaseException as error:
        return _failed(error, 0)


def _on_configure(number, _size):
    try:
        root = _roots[number]
        size = _get_buffer(7, 0, 0x7FFFFFFF)
        root.configuration = _taken(size) if size > 0 else b""
        root.config = _parsed(root.configuration)
        return _ask("on_configure", root)
    except BaseException as error:
        return _failed(error, 0)


def _parsed(configuration):
    if not configuration.strip():
        return {}
    try:
        return json.loads(configuration)
    except ValueError:
        return _str(configuration, "")


class _Annotations:
    """Stands for the modules that sources import for annotations only, and for everything in them."""

    def __getattr__(self, _name):
        return self

    def __getitem__(self, _key):
        return self

    def __or__(self, _other):
        return self

    def __call__(self, *values, **_options):
        return values[-1] if values else self  # as cast() and decorators do


sys.modules["typing"] = sys.modules["__future__"] = _Annotations()


class _NoLoop:
    """Stands for asyncio, whose event loop cannot run: the proxy has its own."""

    def __getattr__(self, name):
        raise AttributeError(
            "asyncio.%s cannot be used in a filter: await ctx.call(...) in an async callback" % name
        )


sys.modules["asyncio"] = _NoLoop()


class _Base64:
    """The module base64: the library's own lacks the alphabet of URLs, and takes bytes only."""

    def b64encode(self, data):
        import binascii

        return binascii.b2a_base64(_bytes(data, "the data")).rstrip(b"\n")

    def b64decode(self, text):
        import binascii

        try:
            return binascii.a2b_base64(_bytes(text, "the text"))
        except Exception as error:
            raise ValueError("this is no base64: %s" % error)

    def urlsafe_b64encode(self, data):
        return self.b64encode(data).replace(b"+", b"-").replace(b"/", b"_")

    def urlsafe_b64decode(self, text):
        return self.b64decode(_bytes(text, "the text").replace(b"-", b"+").replace(b"_", b"/"))

    standard_b64encode = b64encode
    standard_b64decode = b64decode


sys.modules["base64"] = _Base64()


def _no_sleep(*_):
    raise RuntimeError("a filter cannot sleep: the proxy would stand still")


for _name in ("sleep", "sleep_ms", "sleep_us"):
    setattr(time, _name, _no_sleep)

builtins.log = Log()
builtins.HostError = HostError
builtins.counter = _metric(Counter)
builtins.gauge = _metric(Gauge)
builtins.histogram = _metric(Histogram)
builtins.shared = Shared()
builtins.queue = queue
_listen("load", _load)
_listen("proxy_on_context_create", _on_context_create)
_listen("proxy_on_vm_start", _on_vm_start)
_listen("proxy_on_configure", _on_configure)
_listen("proxy_on_http_call_response", _on_answer)
