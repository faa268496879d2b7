"""What a publisher tells about a filter, and how it travels.

Short facts are annotations of the image. Longer ones are files of an artifact that points to the image, so
that the image itself keeps the layers that proxies demand.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import NotAFilter, RequestError
from . import notes as key
from .layout import Packed, manifest_of
from .manifest import EMPTY, Blob, Descriptor

__all__ = ["ABOUT", "About", "pack_about", "read_about"]

ABOUT = "application/vnd.wasmhub.about.v1"
"""The type of the artifact that holds the longer facts."""

_SIMPLE = {
    "title": key.TITLE,
    "description": key.DESCRIPTION,
    "version": key.VERSION,
    "licenses": key.LICENSES,
    "authors": key.AUTHORS,
    "vendor": key.VENDOR,
    "url": key.URL,
    "documentation": key.DOCUMENTATION,
    "repository": key.SOURCE,
    "revision": key.REVISION,
    "created": key.CREATED,
    "category": key.CATEGORY,
    "language": key.LANGUAGE,
    "toolchain": key.TOOLCHAIN,
    "flags": key.FLAGS,
    "source_digest": key.SOURCE_DIGEST,
    "verdict": key.VERDICT,
}
_TEXTS = {"readme": ("README.md", "text/markdown"), "example_config": ("config.example", "text/plain")}
_VALUES = {
    "config_schema": ("config.schema.json", "application/schema+json"),
    "tests": ("tests.json", "application/vnd.wasmhub.tests.v1+json"),
    "benchmark": ("benchmark.json", "application/vnd.wasmhub.benchmark.v1+json"),
}
_SOURCE = "text/x-source"


@dataclass(frozen=True)
class About:
    """What a publisher tells about a filter. Everything may be empty.

    ``licenses`` is an SPDX expression, ``readme`` Markdown, ``config_schema`` a JSON Schema of the plugin
    configuration, ``example_config`` one that works; ``tests`` are test cases with their last result and
    ``benchmark`` is a summary, both JSON values. ``source`` is the text that the module was built from and
    ``source_name`` its file name; ``source_digest`` is there even where the source is not published.
    ``verdict`` is what a proxy makes of the module's imports and exports. ``extra`` are further annotations.
    """

    title: str = ""
    description: str = ""
    version: str = ""
    licenses: str = ""
    authors: str = ""
    vendor: str = ""
    url: str = ""
    documentation: str = ""
    repository: str = ""
    revision: str = ""
    created: str = ""
    category: str = ""
    keywords: tuple[str, ...] = ()
    language: str = ""
    toolchain: str = ""
    flags: str = ""
    source_digest: str = ""
    verdict: str = ""
    readme: str = ""
    example_config: str = ""
    config_schema: Mapping[str, Any] | bool | None = None
    tests: Any = None
    benchmark: Any = None
    source: str = ""
    source_name: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.keywords, str) or not all(isinstance(each, str) for each in self.keywords):
            raise RequestError("keywords are several texts", do='pass keywords=("auth", "jwt")')
        object.__setattr__(self, "keywords", tuple(self.keywords))
        if self.source and not self.source_digest:
            digest = "sha256:" + hashlib.sha256(self.source.encode()).hexdigest()
            object.__setattr__(self, "source_digest", digest)
        schema = self.config_schema
        if schema is not None and not isinstance(schema, Mapping | bool):
            raise RequestError("a JSON Schema is an object", do='pass config_schema={"type": "object"}')

    @property
    def annotations(self) -> dict[str, str]:
        """The facts that annotations hold; a description that is missing is the README's first sentence."""
        told = {name: getattr(self, attribute) for attribute, name in _SIMPLE.items()}
        told[key.DESCRIPTION] = self.description or first_sentence(self.readme)
        told[key.KEYWORDS] = ",".join(self.keywords)
        return {name: text for name, text in told.items() if text} | dict(self.extra)

    @property
    def files(self) -> tuple[tuple[str, Blob], ...]:
        """The facts that are files: name and content. Raises RequestError where a value has no JSON form."""
        found = [
            (name, Blob(kind, getattr(self, attribute).encode()))
            for attribute, (name, kind) in _TEXTS.items()
            if getattr(self, attribute)
        ]
        for attribute, (name, kind) in _VALUES.items():
            value = getattr(self, attribute)
            if value is not None:
                found.append((name, Blob(kind, _json(value, attribute))))
        if self.source:
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", self.source_name).strip(".-") or "source.txt"
            found.append((f"source/{name}", Blob(_SOURCE, self.source.encode())))
        return tuple(found)

    @classmethod
    def parse(cls, annotations: Mapping[str, str]) -> About:
        """Read the facts that annotations hold."""
        known = {attribute: annotations.get(name, "") for attribute, name in _SIMPLE.items()}
        words = tuple(filter(None, (each.strip() for each in annotations.get(key.KEYWORDS, "").split(","))))
        ours = {*_SIMPLE.values(), key.KEYWORDS}
        extra = {name: text for name, text in annotations.items() if name not in ours}
        return cls(**known, keywords=words, extra=extra)  # type: ignore[arg-type]

    def with_files(self, files: Mapping[str, bytes]) -> About:
        """The same with the facts that are files; those that cannot be read are left out."""
        found: dict[str, Any] = {}
        for attribute, (name, _) in _TEXTS.items():
            if name in files:
                found[attribute] = files[name].decode(errors="replace")
        for attribute, (name, _) in _VALUES.items():
            try:
                value = json.loads(files[name]) if name in files else None
            except (ValueError, RecursionError):
                continue
            if value is not None and (attribute != "config_schema" or isinstance(value, dict | bool)):
                found[attribute] = value
        for name, data in files.items():
            if name.startswith("source/"):
                found |= {"source": data.decode(errors="replace"), "source_name": name.partition("/")[2]}
        return replace(self, **found)


def pack_about(about: About, subject: Descriptor, edition: int = 0) -> Packed | None:
    """The artifact that holds the longer facts about an image; None where there are none.

    ``edition`` counts those that the image had before with other facts.
    """
    files = about.files
    if not files:
        return None
    empty = Blob(EMPTY, b"{}")
    layers = [blob.descriptor.titled(name) for name, blob in files]
    blobs = (*(blob for _, blob in files), empty)
    notes = {key.TITLE: about.title} if about.title else {}
    notes |= {key.EDITION: str(edition)} if edition else {}
    manifest = manifest_of(empty, layers, notes, artifact_type=ABOUT, subject=subject)
    return Packed(blobs, manifest, subject, ABOUT, notes)


def read_about(about: About, files: Mapping[str, bytes], module_name: str) -> About:
    """Add the files of an artifact. Raises NotAFilter where the source is another than its digest says."""
    full = about.with_files(files)
    if full.source and about.source_digest:
        actual = "sha256:" + hashlib.sha256(full.source.encode()).hexdigest()
        if actual != about.source_digest:
            raise NotAFilter(
                "the source that travels with the image is not the one that it was built from",
                where=module_name,
                do="ask its publisher to push it again",
            )
    return full


def first_sentence(markdown: str) -> str:
    """The first sentence of the first paragraph that is text, at most 200 characters."""
    for block in re.split(r"\n\s*\n", markdown):
        text = " ".join(
            line.strip().lstrip("> ")
            for line in block.strip().splitlines()
            if not line.lstrip().startswith("#")
        )
        text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
        # What stands in code is as it is, and an underscore inside a word is no emphasis.
        text = re.sub(r"(`+)(.+?)\1|\*+|(?<!\w)_+|_+(?!\w)", lambda mark: mark[2] or "", text).strip()
        if text:
            sentence = re.split(r"(?<=[.!?])\s", text)[0]
            return sentence if len(sentence) <= 200 else sentence[:199] + "…"
    return ""


def _json(value: object, attribute: str) -> bytes:
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1).encode()
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"{attribute} has no JSON form: {error}", do="pass a value of dict, list, str, int, float, bool"
        ) from None
