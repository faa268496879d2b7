"""Which module a proxy really serves, as its own configuration at work names it.

``/config_dump`` of Envoy's admin interface: the active listeners and the discovered extensions in it. A
module is named by the digits of its file (this package and Istio's agent put them into the name), or by the
``sha256`` of what is fetched.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from .cluster import Json
from .history import Version
from .running import Running

__all__ = ["Names", "Served", "modules", "served_by", "serves"]

Names: TypeAlias = tuple[tuple[str, ...], str]
"""The names of a Wasm filter, of its plugin and of what is around it, and the digits of its module."""

WASM = "envoy.extensions.filters.http.wasm.v3.Wasm"
IDLE = ("warming_state", "draining_state", "error_state")
DIGITS = re.compile(r"[0-9a-f]{64}")
OUR_DIGITS = re.compile(r"-([0-9a-f]{16})\.wasm$")


@dataclass(frozen=True, slots=True)
class Served:
    """What one proxy serves under a filter's name.

    ``modules`` are the hex digits by which its configuration names modules. ``digest`` and ``version`` are
    those of the last version in the history that it can be, ``why`` says why nothing is known.
    """

    proxy: str
    modules: tuple[str, ...] = ()
    digest: str = ""
    version: int = 0
    why: str = ""

    def __str__(self) -> str:
        if self.why:
            return f"not known what {self.proxy} serve{'' if ' ' in self.proxy else 's'}: {self.why}"
        if not self.modules:
            return f"{self.proxy} serves no such filter"
        if not self.version:
            return f"{self.proxy} serves another module, {', '.join(each[:12] for each in self.modules)}"
        more = " and another module" if len(self.modules) > 1 else ""
        return f"{self.proxy} serves {self.digest[:19]}, the module of version {self.version}{more}"

    def serves(self, version: Version) -> bool:
        """Whether it is this version and no other."""
        return bool(self.modules) and all(_is(version, each) for each in self.modules)

    def known(self, versions: Sequence[Version]) -> Served:
        """The same with the version that it is."""
        for version in reversed(versions):
            if any(_is(version, each) for each in self.modules):
                return replace(self, digest=version.digest, version=version.version)
        return self


def served_by(running: Running, name: str, proxy: str) -> Served:
    """What an Envoy serves under the name of a plugin. Raises DeployError where it does not answer."""
    return serves(modules(running.at_work()), name, (), proxy)


def serves(found: Iterable[Names], name: str, versions: Sequence[Version], proxy: str) -> Served:
    """What a proxy with these ``modules`` serves under a name: products put more around it, or another one.

    Modules that no filter of that name has are looked for among those of the versions.
    """
    every = tuple(found)
    word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    for fits in (
        [digits for names, digits in every if name in names],
        [digits for names, digits in every if any(word.search(each) for each in names)],
        [digits for _, digits in every if any(_is(version, digits) for version in versions)],
    ):
        if fits:
            return Served(proxy, tuple(dict.fromkeys(fits))).known(versions)
    return Served(proxy)


def modules(value: Any, around: str = "") -> Iterator[Names]:
    """Names and digits of every Wasm filter in a configuration at work; without digits where it has none."""
    if isinstance(value, dict):
        if str(value.get("@type", "")).endswith(WASM):
            plugin = value.get("config") or {}
            names = tuple(filter(None, (str(plugin.get("name", "")), around)))
            yield names, _digits((plugin.get("vm_config") or {}).get("code") or {})
        for key, inner in value.items():
            if key not in IDLE:
                yield from modules(inner, str(value.get("name") or around))
    elif isinstance(value, list):
        for inner in value:
            yield from modules(inner, around)


def _digits(code: Json) -> str:
    if "remote" in code:
        return str(code["remote"].get("sha256", "")).lower()
    local = code.get("local") or {}
    if "inline_bytes" in local:
        try:
            return hashlib.sha256(base64.b64decode(local["inline_bytes"])).hexdigest()
        except (ValueError, binascii.Error):
            return ""
    file = str(local.get("filename", ""))
    if found := OUR_DIGITS.search(file):
        return found[1]
    return str((DIGITS.findall(file) or [""])[-1])


def _is(version: Version, digits: str) -> bool:
    """Whether a module is that of a version: by its own digest, or by that of the image it comes from."""
    return bool(digits) and (
        version.digest.removeprefix("sha256:").startswith(digits) or f"@sha256:{digits}" in version.source
    )
