# mypy: ignore-errors
# ruff: noqa
# A request and a response, as a filter sees them.


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
