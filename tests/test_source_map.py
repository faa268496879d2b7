"""Source lines of traps out of a source map in the module itself."""

from __future__ import annotations

import base64
import json

import pytest

from wasmhub_magics.binary import uleb
from wasmhub_magics.source_map import encoded, lines_of

# Places 100, 104 and 110 of the module: lines 1 and 3 of cell.ts, line 1 of lib.ts.
MAP = {"version": 3, "sources": ["cell.ts", "lib.ts"], "names": [], "mappings": "oGAAA,IAEC,MCFA,E;AAAA"}


def section(address: bytes) -> bytes:
    return uleb(len(address)) + address


def inline(text: str) -> bytes:
    return section(b"data:application/json;base64," + base64.b64encode(text.encode()))


def test_a_place_has_the_line_of_the_last_segment_before_it():
    table = lines_of(section(encoded(json.dumps({**MAP, "sourcesContent": ["..."]}).encode())), 90)
    assert [table.at(place) for place in (9, 10, 13, 14, 19, 20, 21)] == [
        None,
        *[("cell.ts", 1)] * 2,
        *[("cell.ts", 3)] * 2,
        *[("lib.ts", 1)] * 2,
    ]
    assert table.at(22) is None  # the compiler's own code


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\xff\xff\xff\xff\x0f",
        section(b"cell.wasm.map"),
        section(b"data:application/json;base64,!"),
        inline("[]"),
        inline("{}"),
        inline("[" * 100_000),
        inline(json.dumps(MAP | {"sources": 5})),
        inline(json.dumps(MAP | {"sources": []})),
        inline(json.dumps(MAP | {"mappings": "AAA?"})),
        inline(json.dumps(MAP | {"mappings": "ADAA"})),
        inline(json.dumps(MAP | {"mappings": "g" * 100_000})),
    ],
)
def test_a_damaged_map_and_one_elsewhere_have_no_lines(damaged):
    assert lines_of(damaged, 0).rows == []
