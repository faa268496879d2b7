# mypy: ignore-errors
# ruff: noqa
# Call-outs: what is sent, what is answered, and what waits for it.


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
