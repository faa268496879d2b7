"""A share of the requests for a new version, as Envoy itself can be told.

One filter stands for both versions, each a discovered extension: Envoy's ``composite`` filter chooses by the
request's ``x-request-id``, which Envoy makes up at random, and notes its choice for the access log.
"""

from __future__ import annotations

import json
from typing import Any

from ..envoy import config
from .cluster import Json
from .seen import Seen

__all__ = ["HEADER", "MARK", "MATCHED", "WATCH", "access_log", "composite", "hex_pattern", "noted"]

HEADER = "x-request-id"
MARK = "wasmhub-canary"
CHOICES = "envoy.extensions.filters.http.composite.matched_actions"
TYPE = config.TYPE
MATCHED = TYPE + "envoy.extensions.common.matching.v3.ExtensionWithMatcher"
WATCH = "wasmhub.watch"
"""The key of Envoy's runtime that turns an access log on."""


def composite(name: str, stable: Json, canary: Json, percent: int) -> Json:
    """A filter ``name`` that runs one of two, each an entry as in a chain: discovered, or as it is."""
    fraction = {
        "name": "envoy.matching.matchers.runtime_fraction",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.matching.input_matchers.runtime_fraction.v3.RuntimeFraction",
            "runtime_fraction": {"runtime_key": MARK, "default_value": {"numerator": percent}},
        },
    }
    read = {
        "name": "request-id",
        "typed_config": {
            "@type": TYPE + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
            "header_name": HEADER,
        },
    }
    chosen = {"single_predicate": {"input": read, "custom_match": fraction}}
    return {
        "name": name,
        "typed_config": {
            "@type": MATCHED,
            "extension_config": {
                "name": "envoy.filters.http.composite",
                "typed_config": {"@type": TYPE + "envoy.extensions.filters.http.composite.v3.Composite"},
            },
            "xds_matcher": {
                "matcher_list": {"matchers": [{"predicate": chosen, "on_match": _run(canary)}]},
                "on_no_match": _run(stable),
            },
        },
    }


def _run(entry: Json) -> Json:
    kind = TYPE + "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction"
    way = "dynamic_config" if "config_discovery" in entry else "typed_config"
    return {"action": {"name": entry["name"], "typed_config": {"@type": kind, way: entry}}}


def _access_format() -> str:
    """The format of an access log line that ``noted`` reads."""
    return (
        f"{MARK} %RESPONSE_CODE% %COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)% %FILTER_STATE({CHOICES}:PLAIN)%\n"
    )


def access_log(path: str = "", key: str = "") -> Json:
    """An access log of that format: in a file, or in what the pod says; off until the runtime has the key."""
    kind = "file.v3.FileAccessLog" if path else "stream.v3.StdoutAccessLog"
    logger: Json = {
        "@type": f"{TYPE}envoy.extensions.access_loggers.{kind}",
        "log_format": {"text_format_source": {"inline_string": _access_format()}},
    }
    made: Json = {
        "name": f"envoy.access_loggers.{'file' if path else 'stdout'}",
        "typed_config": logger | ({"path": path} if path else {}),
    }
    if key:
        made["filter"] = {"runtime_filter": {"runtime_key": key, "percent_sampled": {"numerator": 0}}}
    return made


def noted(line: str, stable: str, canary: str) -> Seen | None:
    """The request that a line of that format notes, where it met one of the two extensions."""
    _, mark, rest = line.partition(MARK + " ")
    status, _, rest = rest.partition(" ")
    micros, _, choices = rest.partition(" ")
    if not mark or not status.isdecimal():
        return None
    try:
        met: Any = json.loads(choices)
    except ValueError:
        return None  # it met neither
    names = list(met.values()) if isinstance(met, dict) else []
    if canary not in names and stable not in names:
        return None
    took = int(micros) if micros.isdecimal() else 0
    return Seen("canary" if canary in names else "stable", int(status), took)


def hex_pattern(percent: int) -> str:
    """A regular expression of hexadecimal text of which this share of all begins so, to 1 in 4096."""
    digits = f"{round(percent * 4096 / 100):03x}"
    ways = []
    for place, digit in enumerate(digits):
        if digit != "0":
            below = "0123456789abcdef"[: int(digit, 16)]
            ways.append(f"{digits[:place]}[{below}]{'.' * (2 - place)}")
    return f"({'|'.join(ways)}).*"
