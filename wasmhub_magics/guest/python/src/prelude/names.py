# mypy: ignore-errors
# ruff: noqa
# What a source finds without importing it; the last part.


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
