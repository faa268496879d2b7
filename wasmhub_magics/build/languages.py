"""The languages there are."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path

from ..errors import BuildError, ToolchainMissing
from .language import Language, Toolchain

__all__ = ["find_language", "language_of", "languages", "toolchains"]

_HOMES = {
    "python": ("python", "Python"),
    "c": ("c", "C"),
    "cpp": ("cpp", "Cpp"),
    "javascript": ("javascript", "JavaScript"),
    "zig": ("zig", "Zig"),
    "assemblyscript": ("assemblyscript", "AssemblyScript"),
    "rust": ("rust", "Rust"),
    "go": ("go", "Go"),
    "wat": ("wat", "Wat"),
    "wasm": ("ready", "Ready"),
}
_SUFFIXES = {".cpp": "cpp", ".cxx": "cpp"}
"""Further suffixes of sources, besides the one that a language has itself."""
_ABSENT = ("dotnet", ".net", "csharp", "c#", "cs", "fsharp")


def _absent() -> BuildError:
    """Why a language that people ask for cannot be had."""
    return BuildError(
        ".NET makes no filter today: since .NET 9 its compiler makes components for WASI 0.2, and proxies "
        "take core modules only",
        do="write it in another language; its state is told at https://github.com/dotnet/runtime/issues/65895",
    )


@cache
def _language(name: str) -> Language:
    home, kind = _HOMES[name]
    made: Language = getattr(import_module(f".{home}", __package__), kind)()
    return made


def languages() -> dict[str, Language]:
    """Every language by its name; the first is the default."""
    return {name: _language(name) for name in _HOMES}


def find_language(name: str) -> Language:
    """The language of that name or alias. Raises BuildError where there is none."""
    wanted = name.lower()
    if wanted in _HOMES:
        return _language(wanted)
    aliases = {alias: each for each in languages().values() for alias in each.aliases}
    if wanted in aliases:
        return aliases[wanted]
    if wanted in _ABSENT:
        raise _absent()
    near = get_close_matches(wanted, [*_HOMES, *aliases], 1, 0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BuildError(f"there is no language {name!r}", do=f"{hint}there are {', '.join(_HOMES)}")


def language_of(path: str | Path) -> str:
    """The name of the language that a source file's suffix tells. Raises BuildError where it tells none."""
    suffix = Path(path).suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    for each in languages().values():
        if suffix == each.suffix:
            return each.name
    if suffix in (".cs", ".fs"):
        raise _absent()
    known = ", ".join(f"{each.suffix} ({each.title})" for each in languages().values())
    raise BuildError(
        f"the suffix {suffix or '(none)'} tells no language",
        where=str(path),
        do=f"name the language, or use {known}",
    )


def toolchains() -> list[tuple[str, Toolchain | ToolchainMissing]]:
    """Every language's name with its compiler, or with what is missing."""
    found: list[tuple[str, Toolchain | ToolchainMissing]] = []
    for each in languages().values():
        try:
            found.append((each.name, each.detect()))
        except ToolchainMissing as missing:
            found.append((each.name, missing))
    return found
