"""What random exchanges have reached: host functions and callbacks, and what the functions answered."""

from __future__ import annotations

from collections import Counter

from wasmhub_magics.abi import CALLBACKS, HOST_FUNCTIONS, START_FUNCTIONS
from wasmhub_magics.proxy.exchange import Exchange
from wasmhub_magics.proxy.tcp import Connection

__all__ = ["Coverage"]

SHORT = {
    "proxy_on_context_create": "create",
    "proxy_on_request_headers": "req head",
    "proxy_on_request_body": "req body",
    "proxy_on_request_trailers": "req trail",
    "proxy_on_request_metadata": "req meta",
    "proxy_on_response_headers": "res head",
    "proxy_on_response_body": "res body",
    "proxy_on_response_trailers": "res trail",
    "proxy_on_response_metadata": "res meta",
    "proxy_on_new_connection": "connect",
    "proxy_on_downstream_data": "tcp down",
    "proxy_on_upstream_data": "tcp up",
    "proxy_on_downstream_connection_close": "end down",
    "proxy_on_upstream_connection_close": "end up",
    "proxy_on_http_call_response": "answer",
    "proxy_on_grpc_receive_initial_metadata": "grpc meta",
    "proxy_on_grpc_receive": "grpc msg",
    "proxy_on_grpc_receive_trailing_metadata": "grpc end",
    "proxy_on_grpc_close": "grpc gone",
    "envoy_on_resolve_dns": "dns",
    "proxy_on_queue_ready": "queue",
    "proxy_on_tick": "tick",
    "proxy_on_log": "log",
    "proxy_on_done": "done",
    "proxy_on_delete": "delete",
}
FUNCTIONS = tuple(sorted({name for module, name in HOST_FUNCTIONS if module != "wasi_unstable"}))
CALLED = tuple(
    dict.fromkeys(
        each.name
        for each in CALLBACKS
        if each.name not in (*START_FUNCTIONS, "malloc", "proxy_on_memory_allocate")
    )
)
# These leave no trace: the probe logs what they answer.
LOGGED = {"pthread": "pthread_equal", "growth": "emscripten_notify_memory_growth"}
AT_START = ("proxy_on_vm_start", "proxy_on_configure")


class Coverage:
    """Counts host calls by function and callback, and what they returned; ``elsewhere`` is not meant here."""

    def __init__(self, elsewhere: dict[str, str], never: dict[str, str]) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.callbacks: Counter[str] = Counter()
        self.results: dict[str, set[str]] = {}
        self.elsewhere, self.never = elsewhere, never

    def add(self, exchange: Exchange | Connection) -> None:
        """Count what an exchange or a connection did."""
        last = ""
        for line in exchange.log:
            words = line.message.split()
            if words[:1] == ["=="]:
                last = words[2]
            elif words and words[0] in LOGGED:
                self.calls[LOGGED[words[0]], f"proxy_on_{last}"] += 1
        for callback in exchange.trace.callbacks:
            self.callbacks[callback.name] += 1
            for call in callback.calls:
                self.calls[call.name, callback.name] += 1
                self.results.setdefault(call.name, set()).add(call.status)

    def started(self) -> None:
        """Count a start of filters."""
        self.callbacks.update(AT_START)

    @property
    def missing(self) -> tuple[str, ...]:
        """Functions and callbacks that nothing has reached, and that are not named elsewhere."""
        reached = {name for name, _ in self.calls} | set(self.callbacks)
        known = {*reached, *self.elsewhere, *self.never}
        return tuple(name for name in (*FUNCTIONS, *CALLED) if name not in known)

    def __str__(self) -> str:
        width = max(map(len, FUNCTIONS))
        lines = [f"{'':{width}} " + " ".join(f"{short:>9}" for short in SHORT.values()) + "  results"]
        lines.append(
            f"{'calls of the callback':{width}} "
            + " ".join(f"{self.callbacks[callback]:>9}" for callback in SHORT)
        )
        for name in FUNCTIONS:
            if name in self.elsewhere and name not in self.results:
                continue
            counts = " ".join(f"{self.calls[name, callback] or '.':>9}" for callback in SHORT)
            lines.append(f"{name:{width}} {counts}  {', '.join(sorted(self.results.get(name, ())))}")
        called = {name for name, _ in self.calls}
        functions = sum(name in called for name in FUNCTIONS)
        callbacks = sum(self.callbacks[name] > 0 for name in CALLED)
        possible = len(CALLED) - len(self.never)
        lines.append(
            f"reached: {functions} of {len(FUNCTIONS)} host functions, {callbacks} of {possible} callbacks, "
            f"and {len(self.never)} that Envoy never calls"
        )
        lines += [f"  never called: {name}: {reason}" for name, reason in self.never.items()]
        lines += [f"  not meant here: {name}: {reason}" for name, reason in self.elsewhere.items()]
        lines += [f"  MISSING: {name}" for name in self.missing]
        return "\n".join(lines)
