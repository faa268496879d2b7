# mypy: ignore-errors
# ruff: noqa
# Data and queues that virtual machines share.


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
