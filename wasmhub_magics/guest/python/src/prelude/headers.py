# mypy: ignore-errors
# ruff: noqa
# The headers and trailers of a message.


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
