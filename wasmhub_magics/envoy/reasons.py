"""Why Envoy refused a filter: its own words, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import EnvoyRejected
from ..plugin import Plugin
from ..proxy.exchange import LogLine
from .log import Entry

__all__ = ["explain", "reason"]

# Text (proxy-wasm-cpp-host src/wasm.cc, src/v8/v8.cc; Envoy source/extensions/common/wasm), meaning, advice.
KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"Missing or unknown Proxy-Wasm ABI version",
        "the module exports no ABI version that Envoy knows",
        "export proxy_abi_version_0_2_1 (or 0_2_0, 0_1_0), as a Proxy-Wasm SDK does",
    ),
    (
        r"missing malloc function",
        "the module gives Envoy no way to allocate memory in it",
        "export proxy_on_memory_allocate or malloc",
    ),
    (
        r"missing import: (?P<name>[\w.]+)",
        "the module wants {name}, which Envoy does not offer",
        "use a function of the Proxy-Wasm ABI, or build without the library that needs it",
    ),
    (
        r"import type mismatch: (?P<name>[\w.]+), want: (?P<want>.*), but host exports: (?P<have>.*)",
        "the module imports {name} as ({want}), Envoy offers it as ({have})",
        "correct the declaration, or use the SDK of the same ABI version",
    ),
    (
        r"Bad function signature for: (?P<name>\w+), want: (?P<want>.*), but .* exports: (?P<have>.*)",
        "the callback {name} has the type ({have}), Envoy calls it as ({want})",
        "correct the parameters and the result of the callback",
    ),
    (
        r"Failed to parse corrupted Wasm module",
        "the bytes are no complete WebAssembly module",
        "build it again; a download may have broken off",
    ),
    (
        r"Function: (?P<name>\w+) failed: (?P<how>.*)",
        "{name} trapped: {how}",
        "send the filter a request in the embedded proxy: it shows the place of the trap",
    ),
    (
        r"Failed to start base Wasm|Start failed",
        "proxy_on_vm_start refused to start: it returned 0",
        "look at what the filter logged, and at its VM configuration",
    ),
    (
        r"Failed to configure base Wasm plugin|Configure failed",
        "proxy_on_configure refused the configuration: it returned 0",
        "look at what the filter logged, and at its configuration",
    ),
    (
        r"[Ee]nvironment[ _]variable|environment_variables",
        "Envoy refuses the environment",
        "give each name once",
    ),
)


def explain(text: str) -> tuple[str, str] | None:
    """What a line of Envoy's log means and what to do about it; None for a line that is not known."""
    for pattern, meaning, advice in KNOWN:
        match = re.search(pattern, text)
        if match:
            words = {key: " ".join(value.split()) for key, value in match.groupdict().items()}
            return meaning.format(**words), advice
    return None


def reason(plugin: Plugin | None, entries: Iterable[Entry], lines: Iterable[LogLine] = ()) -> EnvoyRejected:
    """The error for a filter that Envoy refused, made from what its log says about it."""
    causes = [
        e.text.rstrip("\n")
        for e in entries
        if e.level in ("error", "critical") and not e.text.startswith("wasm log")
    ]
    warnings = [e.text for e in entries if e.level == "warning" and "rejected" in e.text]
    known = [(cause, known) for cause in causes if (known := explain(cause)) is not None]
    name = "the filter" if plugin is None else repr(plugin)
    logged = "".join(f"\n  log: {line}" for line in dict.fromkeys(lines) if line.message not in causes)
    if known:
        cause, (meaning, advice) = known[0]
        first = cause.splitlines()[0]
        return EnvoyRejected(
            f"Envoy refused {name}: {meaning}{logged}", where=f"Envoy says: {first}", do=advice
        )
    said = (causes or warnings or ["nothing"])[0]
    return EnvoyRejected(f"Envoy refused {name}{logged}", where=f"Envoy says: {said.strip()[:500]}")
