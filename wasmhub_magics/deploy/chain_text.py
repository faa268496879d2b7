"""Filter chains in a file of listeners, changed where they stand: every other byte remains, comments too.

The file is a discovery response (``resources`` of ``envoy.config.listener.v3.Listener``) in YAML or JSON. A
filter is written as JSON on one line, which is YAML as well.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import yaml

from ..errors import DeployError
from .cluster import Json

__all__ = ["filters", "put", "take"]

LISTENER = "envoy.config.listener.v3.Listener"
MANAGER = "HttpConnectionManager"
CHAINS = ("http_filters", "httpFilters")
NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class _Places(yaml.SafeLoader):
    """Nodes with the places where they stand; an alias stands where it is written."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node: yaml.Node | None = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            node = copy.copy(node)
            assert node is not None
            node.start_mark, node.end_mark = event.start_mark, event.end_mark
        return node


def filters(text: str, only: Collection[str] = ()) -> tuple[tuple[str, ...], ...]:
    """The names of the filters of each HTTP connection manager, in listeners of these names or in all.

    Raises DeployError where it is no discovery response or has no such manager.
    """
    return tuple(tuple(str(e.get("name", "")) for e in chain) for chain in _chains(_read(text), only))


def put(text: str, entry: Json, only: Collection[str] = ()) -> str:
    """The text with this filter in each chain: in the place of the one of its name, or before the last.

    The last filter ends a chain; it is the router. Raises DeployError as ``filters`` does, and where the text
    is written in a way that cannot be changed in place.
    """
    return _changed(text, str(entry["name"]), entry, only)


def take(text: str, name: str) -> str:
    """The text without the filter of this name, in whatever listener."""
    return _changed(text, name, None, ())


def _changed(text: str, name: str, entry: Json | None, only: Collection[str]) -> str:
    wanted = _read(text)
    for chain in _chains(wanted, only):
        names = [each.get("name") for each in chain]
        place = slice(names.index(name), names.index(name) + 1) if name in names else slice(-1, -1)
        chain[place] = [] if entry is None else [entry]
    try:
        made = _edited(text, name, entry, only)
        if made is not None and _read(made) == wanted:
            return made
    except (DeployError, ValueError):
        pass
    raise DeployError(
        f"the filter {name} cannot be written into the listeners in place",
        do="write http_filters out in the file, with the router last",
    )


def _edited(text: str, name: str, entry: Json | None, only: Collection[str]) -> str | None:
    written = "" if entry is None else _one_line(entry)
    root = _Places(_plain(text)).get_single_node()
    places = {node.start_mark.index: node for node in _sequences(root, only)}
    for _, chain in sorted(places.items(), reverse=True):
        items = chain.value
        mine = next((i for i, item in enumerate(items) if _scalar(item, "name") == name), None)
        if mine is None:
            if entry is not None:
                text = _inserted(text, chain, _start(text, chain, items[-1]), written)
        elif entry is not None and items[mine].flow_style:
            text = text[: items[mine].start_mark.index] + written + text[items[mine].end_mark.index :]
        elif mine + 1 < len(items):
            start = _start(text, chain, items[mine])
            text = _without(text, chain, items[mine], items[mine + 1])
            if entry is not None:  # somebody has written it anew, in lines
                text = _inserted(text, chain, start, written)
        else:
            return None
    return text


def _inserted(text: str, chain: Any, start: int, written: str) -> str:
    """The text with one more element before the one there, on a line of its own where that has one."""
    line = text.rfind("\n", 0, start) + 1
    own = not text[line:start].strip()
    lead = text[line:start] if own else " " * (start - line)
    end = "\r\n" if "\r\n" in text else "\n"
    if chain.flow_style:
        return text[:start] + written + (f",{end}{lead}" if own else ", ") + text[start:]
    return f"{text[:start]}- {written}{end}{lead}{text[start:]}"


def _without(text: str, chain: Any, item: Any, following: Any) -> str:
    """The text without an element, up to the next one or to a comment before that."""
    start, stop = _start(text, chain, item), _start(text, chain, following)
    if not chain.flow_style:
        lead = " " * (start - text.rfind("\n", 0, start) - 1)
        rest = re.compile(rf"[ \t]*\r?\n{lead}(?=\S)")
        if item.flow_style and (found := rest.match(text, item.end_mark.index)):
            stop = found.end()
    return text[:start] + text[stop:]


def _start(text: str, chain: Any, item: Any) -> int:
    """Where an element begins: at its ``-``, in the column in which the list begins, where it has one."""
    if chain.flow_style:
        return int(item.start_mark.index)
    column = chain.start_mark.column
    line = item.start_mark.index
    while line > chain.start_mark.index:
        line = text.rfind("\n", 0, line) + 1
        if line + column < item.start_mark.index and text[line + column] == "-":
            return int(line + column)
        line -= 1
    return int(chain.start_mark.index)


def _one_line(entry: Json) -> str:
    text = json.dumps(entry, ensure_ascii=False)
    return NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(text: str) -> str:
    """JSON may be indented by tabs and YAML not; inside of JSON's strings there are none."""
    return text.replace("\t", " ")


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(_plain(text))
    except yaml.YAMLError as error:
        raise DeployError(
            f"the file of listeners cannot be read: {' '.join(str(error).split())}",
            do="mend it: a discovery response in YAML or JSON",
        ) from None


def _chains(value: Any, only: Collection[str]) -> list[list[Json]]:
    """The lists of filters, each once."""
    found: dict[int, list[Json]] = {}
    resources = value.get("resources") if isinstance(value, dict) else None
    if not isinstance(resources, list):
        raise DeployError(
            "the file of listeners has no resources",
            do="pass the file that lds_config names, in YAML or JSON",
        )
    for each in resources:
        listener = _unwrapped(each)
        if only and listener.get("name") not in only:
            continue
        for manager in _managers(listener):
            for key in CHAINS:
                if manager.get(key):
                    found[id(manager[key])] = manager[key]
    if not found:
        raise DeployError(
            f"no listener {' or '.join(only)} there has HTTP filters"
            if only
            else "no listener there has HTTP filters",
            do="pass a file whose listeners have an HttpConnectionManager with http_filters",
        )
    return list(found.values())


def _unwrapped(resource: Any) -> Json:
    """The listener in a resource, which may be wrapped in a ``service.discovery.v3.Resource``."""
    inner = resource.get("resource") if isinstance(resource, dict) else None
    found = inner if isinstance(inner, dict) else resource
    return found if isinstance(found, dict) else {}


def _managers(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if str(value.get("@type", "")).endswith(MANAGER):
            yield value
        for inner in value.values():
            yield from _managers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _managers(inner)


def _sequences(root: Any, only: Collection[str]) -> Iterator[Any]:
    """The nodes of the same lists."""
    for resource in _value(root, "resources").value:
        listener = _value(resource, "resource") or resource
        if only and _scalar(listener, "name") not in only:
            continue
        yield from _sequences_in(listener)


def _sequences_in(node: Any) -> Iterator[Any]:
    if isinstance(node, yaml.MappingNode):
        if _scalar(node, "@type").endswith(MANAGER):
            yield from (found for key in CHAINS if (found := _value(node, key)) is not None and found.value)
        for _, inner in node.value:
            yield from _sequences_in(inner)
    elif isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _sequences_in(inner)


def _value(node: Any, key: str) -> Any:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _scalar(node: Any, key: str) -> str:
    found = _value(node, key)
    return str(found.value) if isinstance(found, yaml.ScalarNode) else ""
