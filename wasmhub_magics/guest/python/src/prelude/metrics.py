# mypy: ignore-errors
# ruff: noqa
# Counters, gauges and histograms.


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
