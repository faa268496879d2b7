"""Whether a proxy can link a module, told in words before anything runs.

The rules are those by which Envoy 1.40 takes or refuses a module (``proxy-wasm-cpp-host src/wasm.cc`` and
``src/v8/v8.cc``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from .abi import (
    CALLBACKS,
    HOST_FUNCTIONS,
    START_FUNCTIONS,
    VERSIONS,
    WASI_MODULES,
    FuncType,
    HostFunction,
    marker,
)
from .binary_types import Contents, Import

__all__ = ["Problem", "declared_version", "notes", "problem_of", "problems"]

_FOREIGN = {
    "wbg": "it was built for a browser by wasm-bindgen: build it without wasm-bindgen",
    "__wbindgen_placeholder__": "it was built for a browser by wasm-bindgen: build it without wasm-bindgen",
    "go": "it was built for a browser by Go: build with GOOS=wasip1 and -buildmode=c-shared",
    "gojs": "it was built for a browser by Go: build with GOOS=wasip1 and -buildmode=c-shared",
    "a": "it was built for JavaScript by Emscripten: build with -sSTANDALONE_WASM",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a proxy cannot load a module, and what to ``do`` about it."""

    what: str
    do: str

    def __str__(self) -> str:
        return f"{self.what}: {self.do}"


def declared_version(contents: Contents) -> str | None:
    """The ABI version that the first marker in the order of exports declares."""
    markers = {marker(version): version for version in VERSIONS}
    return next((markers[e.name] for e in contents.exports if e.kind == "func" and e.name in markers), None)


def problems(contents: Contents) -> tuple[Problem, ...]:
    """Everything that keeps a proxy from loading a module, in the order of the module."""
    abi = declared_version(contents)
    return (
        *_marker(contents, abi),
        *(problem for wanted in contents.imports for problem in _import(wanted, abi)),
        *_allocator(contents),
        *_callbacks(contents, abi),
        *_memory(contents),
    )


def problem_of(wanted: Import, abi: str | None) -> Problem | None:
    """Why a proxy cannot link an import; None where it can."""
    return next(_import(wanted, abi), None)


def notes(contents: Contents) -> tuple[str, ...]:
    """What a proxy accepts without a word although it is hardly meant: callbacks that it will never call."""
    known = {callback.name for callback in CALLBACKS}
    found = []
    for export in contents.exports:
        name = export.name
        if name in known and export.kind != "func":
            found.append(f"{name} is exported as a {export.kind}, so no proxy calls it")
        elif name.startswith("proxy_on_") and name not in known and name not in START_FUNCTIONS:
            near = get_close_matches(name, known, 1, 0.75)
            hint = f"; did you mean {near[0]}?" if near else ""
            found.append(f"{name} is no callback, so no proxy calls it{hint}")
    return tuple(found)


def _marker(contents: Contents, abi: str | None) -> Iterator[Problem]:
    if abi is not None:
        return
    other = [e.name for e in contents.exports if e.name.startswith("proxy_abi_version_")]
    do = f"export an empty function named {marker(VERSIONS[-1])}"
    if other:
        yield Problem(f"{other[0]} is no ABI version that Envoy knows ({', '.join(VERSIONS)})", do)
    elif {e.name for e in contents.exports} & {callback.name for callback in CALLBACKS}:
        yield Problem("the module does not declare its ABI version", do)
    else:
        yield Problem(
            "the module is no Proxy-Wasm filter: it declares no ABI version and has no callback",
            f"{do} and callbacks such as proxy_on_request_headers",
        )


def _import(wanted: Import, abi: str | None) -> Iterator[Problem]:
    name = f"{wanted.module}.{wanted.name}"
    if wanted.kind in ("memory", "table"):
        return  # Envoy makes one
    if wanted.kind != "func" or not isinstance(wanted.type, FuncType):
        yield Problem(
            f"the {wanted.kind} {name} is imported, but proxies offer none", "define it in the module"
        )
        return
    offered = HOST_FUNCTIONS.get((wanted.module, wanted.name))
    if offered is None:
        yield Problem(f"no proxy offers {name}, which the module imports", _advice(wanted))
    elif abi is not None and abi not in offered.versions:
        yield Problem(
            f"{name} exists in ABI {_listed(offered.versions)} only, and the module declares {abi}",
            _other_version(offered),
        )
    elif offered.type != wanted.type:
        yield Problem(
            f"{name} is imported with the type {wanted.type}, but proxies offer {offered.type}",
            _declaration(offered, wanted.type),
        )


def _advice(wanted: Import) -> str:
    if wanted.module in _FOREIGN:
        return _FOREIGN[wanted.module]
    if wanted.module.startswith("wasi:"):
        return "it was built for WASI 0.2: build for a core module, target wasm32-wasip1"
    homes = [module for module, name in HOST_FUNCTIONS if name == wanted.name]
    if homes:
        return f"import it from {' or '.join(repr(home) for home in homes)}"
    pool = {
        name for module, name in HOST_FUNCTIONS if (module in WASI_MODULES) == (wanted.module in WASI_MODULES)
    }
    near = get_close_matches(wanted.name, sorted(pool), 1, 0.6)
    if near:
        return f"did you mean {near[0]}?"
    return "define it in the module or leave the call out"


def _other_version(offered: HostFunction) -> str:
    instead = {
        "proxy_continue_request": "call proxy_continue_stream(0)",
        "proxy_continue_response": "call proxy_continue_stream(1)",
        "proxy_get_configuration": "read buffer 6 or 7 with proxy_get_buffer_bytes",
        "proxy_clear_route_cache": "call the foreign function clear_route_cache",
    }.get(offered.name)
    wanted = f"export {marker(offered.versions[-1])} in place of the marker that is there"
    return f"{instead}, or {wanted}" if instead else f"leave the call out, or {wanted}"


def _declaration(offered: HostFunction, has: FuncType) -> str:
    if offered.name in ("path_link", "path_symlink") and len(has.params) == len(offered.params) + 1:
        return (
            "WASI has one parameter more, but Envoy declares it that way: leave out the code that makes links"
        )
    return f"declare {offered.name}({', '.join(offered.params)})"


def _allocator(contents: Contents) -> Iterator[Problem]:
    functions = {e.name for e in contents.exports if e.kind == "func"}
    if not functions & {"malloc", "proxy_on_memory_allocate"}:
        yield Problem(
            "the module exports no allocator, so a proxy cannot hand values over",
            "export proxy_on_memory_allocate(size) -> address, or malloc",
        )


def _callbacks(contents: Contents, abi: str | None) -> Iterator[Problem]:
    functions = {e.name: e.type for e in contents.exports if e.kind == "func"}
    start = dict(START_FUNCTIONS)
    if "_initialize" in functions:  # then _start is never looked up, otherwise main never is
        start.pop("_start")
    else:
        start.pop("main")
        start.pop("__main_void")
    if "malloc" in functions:
        start.pop("proxy_on_memory_allocate")
    for name, wanted in start.items():
        if name in functions and functions[name] != wanted:
            yield Problem(f"{name} has the type {functions[name]}", f"export it as {wanted}")
    for callback in CALLBACKS:
        has = functions.get(callback.name)
        if has is None or (abi or VERSIONS[-1]) not in callback.versions or has == callback.type:
            continue
        text = f"the callback {callback.name} has the type {has}, but proxies call {callback.type}"
        if callback.versions != VERSIONS:
            text += f" in ABI {abi or VERSIONS[-1]}"
        result = " and return an i32" if callback.type.results else " and return nothing"
        yield Problem(text, f"let it take ({', '.join(callback.params)}){result}")


def _memory(contents: Contents) -> Iterator[Problem]:
    if not contents.imported_functions or any(wanted.kind == "memory" for wanted in contents.imports):
        return
    memories = [e.type for e in contents.exports if e.kind == "memory"]
    if not memories:
        yield Problem(
            "the module exports no memory, so host functions cannot read or write values", "export its memory"
        )


def _listed(versions: Sequence[str]) -> str:
    return " and ".join(versions)
