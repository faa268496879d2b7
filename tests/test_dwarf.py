"""Source lines of traps, where a module has them."""

from __future__ import annotations

import pytest

from wasmhub_magics import build
from wasmhub_magics.build import BuildOptions
from wasmhub_magics.dwarf import LineTable

SOURCE = """#include "proxy_wasm.h"
static __attribute__((noinline)) int deeper(int n) {
  if (n > 8)
    *(volatile int *)0xfffffff0 = n;
  return deeper(n + 1) + 1;
}

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  return deeper((int)count) ? PW_CONTINUE : PW_PAUSE;
}
"""


@pytest.fixture(scope="module")
def made():
    return build(SOURCE, "c", "lines", options=BuildOptions(debug=True, optimize="none", first_line=2))


def test_a_trap_tells_functions_and_lines_of_the_cell(made):
    message = made.send().log[-1].message
    frames = [line.partition(" - ")[2] for line in message.splitlines()[2:]]
    assert frames[0] == "deeper (cell.c line 5)"
    assert "deeper (cell.c line 6)" in frames
    assert frames[-1] == "proxy_on_request_headers (cell.c line 10)"


def test_without_positions_there_are_names_alone():
    message = build(SOURCE, "c", "lines", options=BuildOptions(optimize="none")).send().log[-1].message
    assert message.splitlines()[-1].endswith(" - proxy_on_request_headers")


def test_a_damaged_table_is_read_as_far_as_it_goes(made):
    lines = made.module.custom(".debug_line")
    whole = LineTable.read(lines)
    assert whole.rows
    for cut in range(0, len(lines), 7):
        assert len(LineTable.read(lines[:cut]).rows) <= len(whole.rows)
        LineTable.read(lines[:cut] + b"\xff" * 16 + lines[cut + 16 :])


def test_a_place_before_all_lines_has_none(made):
    assert LineTable.read(made.module.custom(".debug_line")).at(0) is None
    assert LineTable.read(b"").at(5) is None
