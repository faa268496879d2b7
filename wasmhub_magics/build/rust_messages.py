"""Cargo's messages as diagnostics of the source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from ..errors import Diagnostic
from .diagnostics import Sources

__all__ = ["messages"]

NOTES = 3
"""Notes of one error that are shown."""

_SILENT = re.compile(
    r"aborting due to|\d+ warnings? emitted|Some errors have detailed|For more information|could not compile"
)
_OBVIOUS = re.compile(
    r"`#\[(warn|deny)\(|`-[WD] |to override `-|the lint level is defined here|this error originates"
)


def messages(text: str, sources: Sources, crate: Path) -> Iterator[Diagnostic]:
    """The diagnostics among what cargo says as JSON; columns count characters, as ours do."""
    seen: set[Diagnostic] = set()
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if not isinstance(told, dict) or told.get("reason") != "compiler-message":
            continue
        own = told.get("target", {}).get("name") == "cell"
        for each in _message(told["message"], sources, crate, "" if own else _crate(told)):
            if each not in seen:
                seen.add(each)
                yield each


def _message(told: dict[str, Any], sources: Sources, crate: Path, other: str) -> Iterator[Diagnostic]:
    level = "error" if told["level"].startswith("error") else told["level"]
    if level not in ("error", "warning") or _SILENT.match(told["message"]) or (other and level != "error"):
        return
    severity: Literal["error", "warning"] = "error" if level == "error" else "warning"
    code = (told.get("code") or {}).get("code") or ""
    message = _clean(told["message"], crate)
    if message.startswith("linking with"):
        yield from _linker(told)
        return
    if other:
        yield Diagnostic(severity, f"in the crate {other}: {message}", code=code)
        return
    primary = [span for span in told["spans"] if span["is_primary"]]
    yield _placed(severity, message, primary, code, sources)
    if severity == "error":
        notes = (_note(each, sources, crate) for each in told["children"])
        helpful = [each for each in notes if each.line and not _OBVIOUS.search(each.message)]
        yield from helpful[:NOTES]


def _note(told: dict[str, Any], sources: Sources, crate: Path) -> Diagnostic:
    message = _clean(told["message"], crate)
    spans = [span for span in told["spans"] if span["is_primary"]]
    instead = [span["suggested_replacement"] for span in spans if span.get("suggested_replacement")]
    if len(instead) == 1 and instead[0].strip() and instead[0].strip() not in message:
        message += f": `{' '.join(instead[0].split())}`"
    unlabelled = [{**span, "label": None} for span in spans]
    return _placed("note", message, unlabelled, "", sources)


def _placed(
    severity: Literal["error", "warning", "note"],
    message: str,
    spans: list[dict[str, Any]],
    code: str,
    sources: Sources,
) -> Diagnostic:
    label = next((span["label"] for span in spans if span.get("label")), None)
    if label and label not in message:
        message += f": {' '.join(label.split())}"
    for span in spans:
        here: dict[str, Any] | None = span
        while here is not None:
            line = sources.line(here["file_name"], here["line_start"])
            if line is not None:
                place = (here["line_start"], here["column_start"], here["line_end"], here["column_end"])
                return Diagnostic(severity, message, *place, code, line.file)
            here = (here.get("expansion") or {}).get("span")  # a macro of elsewhere, used here
    if spans:
        name = re.sub(r"^(.*/registry/src|crates)/[^/]+/|^.*/library/", "", spans[0]["file_name"])
        message = f"{name}:{spans[0]['line_start']}:{spans[0]['column_start']}: {message}"
    return Diagnostic(severity, message, code=code)


def _linker(told: dict[str, Any]) -> Iterator[Diagnostic]:
    text = "\n".join(child["message"] for child in told["children"])
    said = re.findall(r"^.*?: error: (.*)$", text, re.M) or [told["message"].splitlines()[0]]
    for line in dict.fromkeys(re.sub(r"\S*/", "", line) for line in said):
        own = line == "duplicate symbol: malloc"
        hint = "; the library has one: export yours as proxy_on_memory_allocate" if own else ""
        yield Diagnostic("error", line + hint, code="linker")


def _crate(told: dict[str, Any]) -> str:
    name = told.get("target", {}).get("name", "")
    version = re.search(r"[#@ ](\d+\.\d+\.\d+\S*)", told.get("package_id", ""))
    return f"{name} {version[1]}" if version else str(name)


def _clean(message: str, crate: Path) -> str:
    return " ".join(message.replace(f"{crate}/", "").split())
