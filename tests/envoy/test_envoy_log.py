"""Taking Envoy's log apart."""

from wasmhub_magics.envoy.log import Entry, EnvoyLog, filter_lines
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy.exchange import LogLine

MODULE = object.__new__(Module)


def entry(log, level, component, thread, text):
    return f"{log.mark}<{level}|{component}|{thread}|{text}>{log.mark}\n".encode()


def test_entries_come_whole_however_the_bytes_are_cut():
    log = EnvoyLog()
    data = (
        entry(log, "info", "wasm", 7, "one\ntwo|three") + b"a crash\n" + entry(log, "error", "main", 7, "é")
    )
    for byte in data:
        log.feed(bytes([byte]))
    assert list(log.entries) == [
        Entry(1, "info", "wasm", 7, "one\ntwo|three"),
        Entry(2, "error", "main", 7, "é"),
    ]
    assert list(log.stray) == ["a crash"]
    assert [e.number for e in log.since(1)] == [2]


def test_an_entry_that_never_ends_does_not_fill_the_memory():
    log = EnvoyLog()
    log.feed(f"{log.mark}<info|wasm|7|".encode())
    for _ in range(64):
        log.feed(b"x" * (1 << 16))
    log.feed(f"end>{log.mark}\n".encode() + entry(log, "info", "wasm", 7, "next"))
    first, second = log.entries
    assert len(first.text) < 1 << 21
    assert first.text.endswith("end")
    assert second.text == "next"


def test_bytes_that_are_no_entry_do_not_fill_the_memory():
    log = EnvoyLog()
    for _ in range(64):
        log.feed(b"x" * (1 << 16))
    assert len(log._rest) < 1 << 21


def test_lines_are_told_by_the_names_that_envoy_writes_before_them():
    one = Plugin(MODULE, name="one: filter", root_id="root")
    two = Plugin(MODULE, name="two")
    texts = [
        "wasm log one: filter root vm: hello: you",
        "wasm log root vm: from the root",
        "wasm log two: second",
        "wasm log: from a root without a name",
        "Function: proxy_on_tick failed",
    ]
    entries = [Entry(n, "warning", "wasm", 5, text) for n, text in enumerate(texts)]
    assert filter_lines(entries, [(one, "vm"), (two, "")]) == (
        LogLine("warn", "hello: you", "one: filter"),
        LogLine("warn", "from the root", "one: filter"),
        LogLine("warn", "second", "two"),
        LogLine("warn", "from a root without a name", "two"),
        LogLine("error", "Function: proxy_on_tick failed"),
    )
    assert filter_lines(entries, [(one, "vm")], without=5) == ()
