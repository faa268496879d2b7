"""What a module is and wants, told without running a request: the report of ``inspect``."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .abi import CALLBACKS, START_FUNCTIONS, marker
from .binary import custom_pairs, function_names
from .errors import ProxyError
from .module import Module
from .plugin import Plugin
from .profile import Profile, profiles

__all__ = ["Inspection", "Item", "LoadCost", "inspect"]

NETWORK = ("proxy_on_new_connection", "proxy_on_downstream_data", "proxy_on_upstream_data")
STREAM = ("proxy_on_request_", "proxy_on_response_")


@dataclass(frozen=True, slots=True)
class Item:
    """One import or export; ``verdicts`` say by release why it does not work there, empty where it does."""

    name: str
    kind: str
    type: str
    about: str
    verdicts: tuple[str, ...]

    @property
    def works(self) -> bool:
        """Whether it works in every release that was asked about."""
        return not any(self.verdicts)


@dataclass(frozen=True, slots=True)
class LoadCost:
    """What it cost here to load the module, measured once: seconds to compile and to start, and bytes.

    ``code_bytes`` is the compiled code, ``memory_bytes`` the linear memory after the start. ``failed`` tells
    why it did not start.
    """

    compile_seconds: float
    code_bytes: int
    start_seconds: float = 0.0
    memory_bytes: int = 0
    failed: str = ""


@dataclass(frozen=True)
class Inspection:
    """A module taken apart: type, ABI, imports and exports with verdicts, sizes, producers, names, cost."""

    name: str
    digest: str
    size: int
    kind: str
    abi: str | None
    profiles: tuple[Profile, ...]
    imports: tuple[Item, ...]
    exports: tuple[Item, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    sections: tuple[tuple[str, int], ...]
    producers: tuple[tuple[str, str], ...]
    names: str
    debug_info: str
    cost: LoadCost | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Releases that are not known: their verdicts are those of the newest known one before them."""
        return tuple(
            f"{profile.title} is not known here: its verdicts are a guess from the release before it"
            for profile in self.profiles
            if not profile.exact
        )

    @property
    def loads(self) -> dict[str, bool]:
        """Whether each release can load it."""
        refused = bool(self.problems)
        return {
            profile.version: not refused and not any(item.verdicts[number] for item in self.imports)
            for number, profile in enumerate(self.profiles)
        }

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.name}: {self.kind}, {self.size:,} bytes, {self.digest}"
        yield "loads in: " + ", ".join(
            f"Envoy {version} {'yes' if good else 'NO'}" for version, good in self.loads.items()
        )
        yield from (f"warning: {warning}" for warning in self.warnings)
        yield from (f"problem: {problem}" for problem in self.problems)
        yield from (f"note: {note}" for note in self.notes)
        for title, items in (("imports", self.imports), ("exports", self.exports)):
            yield f"{len(items)} {title}:"
            for item in items:
                about = f"  ({item.about})" if item.about else ""
                yield f"  {'ok' if item.works else 'NO':<3}{item.name} {item.type}{about}"
                yield from (f"       {verdict}" for verdict in dict.fromkeys(item.verdicts) if verdict)
        yield "sections: " + ", ".join(f"{name} {size:,}" for name, size in self.sections)
        if self.producers:
            yield "producers: " + ", ".join(f"{name} {version}".strip() for name, version in self.producers)
        yield f"function names: {self.names}; source positions: {self.debug_info}"
        yield from (f"to load: {cost}" for cost in self._cost())
        yield from (f"{profile.title} lacks: {profile.lacks}" for profile in self.profiles if profile.lacks)

    def _cost(self) -> Iterator[str]:
        cost = self.cost
        if cost is None:
            return
        text = f"{cost.compile_seconds * 1000:.1f} ms to compile, {cost.code_bytes:,} bytes of code"
        if cost.failed:
            yield f"{text}; it does not start: {cost.failed}"
        else:
            start = f"{cost.start_seconds * 1000:.1f} ms to start"
            yield f"{text}, {start}, {cost.memory_bytes:,} bytes of memory"

    def _repr_html_(self) -> str:
        loads = " ".join(
            f"<span style='color:{'#1f7a3f' if good else '#b3261e'}'><b>{'✓' if good else '✗'}</b> "
            f"Envoy {html.escape(version)}</span>"
            for version, good in self.loads.items()
        )
        told = [*self.warnings, *self.problems, *self.notes]
        extra = [f"function names: {self.names}", f"source positions: {self.debug_info}"]
        extra += [f"{name} {version}".strip() for name, version in self.producers]
        extra += [f"to load: {cost}" for cost in self._cost()]
        extra += [f"{profile.title} lacks: {profile.lacks}" for profile in self.profiles if profile.lacks]
        sections = (
            (name, f"{size:,} bytes", f"{100 * size / self.size:.1f} %") for name, size in self.sections
        )
        return (
            f"<div><b>{html.escape(self.name)}</b> {html.escape(self.kind)}, {self.size:,} bytes, "
            f"<code>{self.digest[:19]}</code><div>{loads}</div>"
            + "".join(f"<div>⚠ {html.escape(text)}</div>" for text in told)
            + self._table("imports", self.imports)
            + self._table("exports", self.exports)
            + _details(f"{len(self.sections)} sections", _rows(sections))
            + "".join(f"<div>{html.escape(text)}</div>" for text in extra)
            + "</div>"
        )

    def _table(self, title: str, items: tuple[Item, ...]) -> str:
        head = "".join(f"<th>{html.escape(profile.version)}</th>" for profile in self.profiles)
        rows = [f"<tr><th style='text-align:left'>name</th><th></th><th></th>{head}</tr>"]
        for item in items:
            marks = "".join(
                f"<td title='{html.escape(verdict, quote=True)}'>{'✗' if verdict else '✓'}</td>"
                for verdict in item.verdicts
            )
            cells = "".join(
                f"<td style='text-align:left'>{html.escape(text)}</td>" for text in (item.type, item.about)
            )
            name = f"<td style='text-align:left'><code>{html.escape(item.name)}</code></td>"
            rows.append(f"<tr>{name}{cells}{marks}</tr>")
        bad = sum(not item.works for item in items)
        return _details(f"{len(items)} {title}" + (f", {bad} not everywhere" if bad else ""), "".join(rows))


def _rows(rows: Iterable[Iterable[str]]) -> str:
    return "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )


def _details(title: str, rows: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary><table>{rows}</table></details>"


def inspect(plugin: Plugin, versions: Iterable[str] = (), *, measure: bool = True) -> Inspection:
    """Take a plugin's module apart and hold it against releases of Envoy, all known ones where none is named.

    With ``measure`` it is compiled and started once, to tell what that costs here; a module that cannot start
    is reported and not refused. Raises MalformedModule where the bytes are no module.
    """
    module = plugin.module
    hosts = profiles(versions)
    imports = tuple(
        Item(
            f"{wanted.module}.{wanted.name}",
            wanted.kind,
            str(wanted.type),
            "",
            tuple(host.of_import(wanted, module.abi) for host in hosts),
        )
        for wanted in module.imports
    )
    exports = tuple(
        Item(
            export.name,
            export.kind,
            str(export.type),
            _about(export.name),
            tuple(host.of_export(export) for host in hosts),
        )
        for export in module.exports
    )
    found = module.problems
    return Inspection(
        name=plugin.name,
        digest=module.digest,
        size=module.size,
        kind=_kind(module),
        abi=module.abi,
        profiles=hosts,
        imports=imports,
        exports=exports,
        problems=tuple(str(problem) for problem in found),
        notes=module.notes,
        sections=tuple((section.name, section.size) for section in module.sections),
        producers=custom_pairs(module.custom("producers") or b""),
        names=_names(module),
        debug_info="present" if module.custom(".debug_line") is not None else "none",
        cost=_measured(plugin) if measure and not found else None,
    )


def _kind(module: Module) -> str:
    names = {export.name for export in module.exports if export.kind == "func"}
    if module.abi is None:
        return "a WASI program, no Proxy-Wasm filter" if "_start" in names else "no Proxy-Wasm filter"
    sides = []
    if any(name.startswith(STREAM) for name in names):
        sides.append("HTTP")
    if names & set(NETWORK):
        sides.append("TCP")
    return f"Proxy-Wasm filter for {' and '.join(sides) or 'the root context alone'}, ABI {module.abi}"


def _about(name: str) -> str:
    if name.startswith("proxy_abi_version_"):
        return (
            "declares the ABI" if name in {marker(v) for v in ("0.1.0", "0.2.0", "0.2.1")} else "unknown ABI"
        )
    if name in START_FUNCTIONS:
        return "allocator" if name in ("malloc", "proxy_on_memory_allocate") else "start"
    return "callback" if name in {callback.name for callback in CALLBACKS} else ""


def _names(module: Module) -> str:
    named = len(function_names(module.custom("name") or b""))
    own = len(module.contents.bodies)
    return f"{named:,} of {own + module.contents.imported_functions:,}" if named else "stripped"


def _measured(plugin: Plugin) -> LoadCost:
    import wasmtime

    from .proxy.engine import engine, owner
    from .proxy.proxy import Proxy

    def compiled() -> tuple[float, int]:
        started = time.perf_counter()
        made = wasmtime.Module(engine(fuel=False), plugin.module.data)
        return time.perf_counter() - started, len(made.serialize())

    try:
        seconds, code = owner.run(compiled)
    except wasmtime.WasmtimeError as error:
        return LoadCost(0.0, 0, failed=" ".join(str(error).split()))
    try:
        Proxy(plugin).close()  # what it compiles is kept: the second start measures the start alone
        started = time.perf_counter()
        with Proxy(plugin) as proxy:
            taken = time.perf_counter() - started
            return LoadCost(seconds, code, taken, proxy.memory[0])
    except ProxyError as error:
        return LoadCost(seconds, code, failed=error.what)
