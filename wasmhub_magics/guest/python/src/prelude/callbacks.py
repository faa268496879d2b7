# mypy: ignore-errors
# ruff: noqa
# From the proxy's callbacks to the filter's functions.

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
