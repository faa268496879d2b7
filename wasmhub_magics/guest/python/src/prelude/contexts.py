# mypy: ignore-errors
# ruff: noqa
# A stream and a plugin: what callbacks are called with.

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
