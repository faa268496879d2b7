"""What random exchanges have reached: host functions and callbacks, and what the functions answered."""

from __future__ import annotations

from collections import Counter

from wasmhub_magics.abi import CALLBACKS, HOST_FUNCTIONS, START_FUNCTIONS
from wasmhub_magics.proxy.exchange import Exchange

__all__ = ["Coverage"]

SHORT = {
    "proxy_on_context_create": "create",
    "proxy_on_request_headers": "req head",
    "proxy_on_request_body": "req body",
    "proxy_on_request_trailers": "req trail",
    "proxy_on_response_headers": "res head",
    "proxy_on_response_body": "res body",
    "proxy_on_response_trailers": "res trail",
    "proxy_on_http_call_response": "answer",
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
AT_START = ("proxy_on_vm_start", "proxy_on_configure")


class Coverage:
    """Counts host calls by function and callback, and what they returned; ``elsewhere`` is not meant here."""

    def __init__(self, elsewhere: dict[str, str]) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.callbacks: Counter[str] = Counter()
        self.results: dict[str, set[str]] = {}
        self.elsewhere = elsewhere

    def add(self, exchange: Exchange) -> None:
        """Count what an exchange did."""
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
        return tuple(n for n in (*FUNCTIONS, *CALLED) if n not in reached and n not in self.elsewhere)

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
        functions = sum(any(self.calls[name, callback] for callback in self.callbacks) for name in FUNCTIONS)
        callbacks = sum(self.callbacks[name] > 0 for name in CALLED)
        lines.append(
            f"reached: {functions} of {len(FUNCTIONS)} host functions, {callbacks} of {len(CALLED)} callbacks"
        )
        lines += [f"  not meant here: {name}: {reason}" for name, reason in self.elsewhere.items()]
        lines += [f"  MISSING: {name}" for name in self.missing]
        return "\n".join(lines)
