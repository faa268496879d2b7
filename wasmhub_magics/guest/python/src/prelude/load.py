# mypy: ignore-errors
# ruff: noqa
# The start of a filter: its source is run, its callbacks are found.


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
