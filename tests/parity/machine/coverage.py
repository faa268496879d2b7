"""What random exchanges have reached: host functions in callbacks."""

from __future__ import annotations

from collections import Counter

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
    "proxy_on_log": "log",
    "proxy_on_done": "done",
    "proxy_on_delete": "delete",
}


class Coverage:
    """Counts host calls by function and callback, and what they returned."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.results: dict[str, set[str]] = {}

    def add(self, exchange: Exchange) -> None:
        for callback in exchange.trace.callbacks:
            for call in callback.calls:
                self.calls[call.name, callback.name] += 1
                self.results.setdefault(call.name, set()).add(call.status)

    def __str__(self) -> str:
        names = sorted({name for name, _ in self.calls})
        width = max(map(len, names), default=0)
        lines = [f"{'':{width}} " + " ".join(f"{short:>9}" for short in SHORT.values()) + "  results"]
        for name in names:
            counts = " ".join(f"{self.calls[name, callback] or '.':>9}" for callback in SHORT)
            lines.append(f"{name:{width}} {counts}  {', '.join(sorted(self.results[name]))}")
        return "\n".join(lines)
