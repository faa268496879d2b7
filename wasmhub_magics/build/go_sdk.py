"""What Go filters import: the SDK for Proxy-Wasm from this package, the SDK itself, and modules."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ..errors import BuildError
from .language import BuildOptions
from .sources import locked

__all__ = [
    "GUEST",
    "OLD_MAIN",
    "OLD_SDK",
    "OURS",
    "SDK",
    "SDK_REQUIRED",
    "SDK_SUM",
    "module_of",
    "packages_of_sdk",
    "sdk_in",
]

GUEST = Path(__file__).parent.parent / "guest" / "go"
SDK = "github.com/proxy-wasm/proxy-wasm-go-sdk"
SDK_VERSION = "v0.0.0-20250212164326-ab4161dcf924"
"""The newest there is: the module has had no release since it moved here."""
SDK_REQUIRED = f"\nrequire {SDK} {SDK_VERSION}\n"
SDK_SUM = f"""{SDK} {SDK_VERSION} h1:wTcK6gcyTKJMeDka69AMjZYvisdI8CBXzTEfZ+2pOxI=
{SDK} {SDK_VERSION}/go.mod h1:9mBRvh8I6Td6sg3CwEY+zGFE4DKaIoieCaca1kQnDBE=
"""
OURS = {"proxywasm", "proxywasm/types"}
"""The packages of the SDK that are here as well, with panics that the log tells in one piece."""
OLD_SDK = "github.com/tetratelabs/proxy-wasm-go-sdk"
"""The SDK before it moved. It is for TinyGo: its filters name their context in main."""
OLD_MAIN = """package proxywasm

import _ "unsafe"

//go:linkname program main.main
func program()

func init() { start = program }
"""
"""What lets main run, which upstream Go never does."""


def packages_of_sdk(source: str, options: BuildOptions, sdk: str = SDK) -> set[str]:
    """What a source imports of an SDK; nothing where somebody names a version or a folder of it."""
    if sdk in (module_of(each)[0] for each in options.packages):
        return set()
    texts = [source, *(text for name, text in options.files if name.endswith(".go"))]
    return {found for text in texts for found in re.findall(f'"{re.escape(sdk)}/([^"\\s]+)"', text)}


def module_of(asked: str) -> tuple[str, str | Path]:
    """``example.com/m@v1.2.3``, or ``example.com/m=folder``: a module's path, and its version or folder."""
    parts = re.fullmatch(r"([\w.~-]+(?:/[\w.~-]+)+)(?:(=)(.+)|@([\w.+/-]+))?", asked.strip())
    if parts is None:
        raise BuildError(f"{asked!r} names no module", do="write it as github.com/tidwall/gjson@v1.18.0")
    if parts[2] and not re.match(r"v\d|latest$", parts[3]):
        folder = Path(parts[3]).expanduser().absolute()
        if not (folder / "go.mod").is_file():
            raise BuildError("there is no go.mod", where=str(folder), do="name the folder of a module")
        return parts[1], folder
    return parts[1], parts[4] or parts[3] or (SDK_VERSION if parts[1] == SDK else "latest")


def sdk_in(home: Path, name: str) -> str:
    """Our SDK in the cache, as seen from a module there: Go writes the path into what it builds."""
    with locked(home, 60, lambda: None):
        if not (home / "sdk" / name).is_dir():
            shutil.rmtree(home / "sdk", ignore_errors=True)
            shutil.copytree(GUEST, home / "sdk" / ".new")
            _write_old(home / "sdk" / ".new" / "old")
            (home / "sdk" / ".new").rename(home / "sdk" / name)
    return f"../../sdk/{name}"


def _write_old(folder: Path) -> None:
    """Our SDK under its old path, where main runs before the first context is asked for."""
    shutil.copytree(GUEST, folder)
    for path in (folder / "go.mod", *folder.rglob("*.go")):
        path.write_text(path.read_text().replace(SDK, OLD_SDK))
    (folder / "proxywasm" / "main.go").write_text(OLD_MAIN)
    (folder / "proxywasm" / "main.s").touch()  # Go takes a function without a body where there is assembly
