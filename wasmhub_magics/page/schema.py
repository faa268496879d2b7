"""The JSON Schema of a filter's configuration, which travels in the module itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..binary import uleb
from ..errors import RequestError
from ..module import Module

__all__ = ["SECTION", "schema_of", "with_schema"]

SECTION = "wasmhub.config.schema"
"""The custom section that holds it."""


def schema_of(module: Module) -> dict[str, Any] | None:
    """The schema that a module carries; None where it carries none."""
    data = module.custom(SECTION)
    if data is None:
        return None
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def with_schema(module: Module, schema: Mapping[str, Any]) -> Module:
    """The module with this schema in place of the one it has. Raises RequestError for what is no schema."""
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        raise RequestError(
            "this is no JSON Schema of a configuration",
            do='pass a mapping such as {"type": "object", "properties": {"mode": {"type": "string"}}}',
        )
    kept = [module.data[:8]]
    for section in module.sections:
        if section.id == 0 and section.name == SECTION:
            continue
        kept.append(module.data[section.header : section.offset + section.size])
    name = SECTION.encode()
    content = uleb(len(name)) + name + json.dumps(schema).encode()
    return Module(b"".join(kept) + b"\0" + uleb(len(content)) + content)
