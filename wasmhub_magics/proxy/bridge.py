"""The bridge: a tiny module that reaches a filter's memory and the host's."""

from __future__ import annotations

__all__ = ["BRIDGE", "FUNCTIONS"]

FUNCTIONS = (
    "copy_in", "copy_16", "copy_16_twice", "copy_out", "give", "load32", "store32", "store64", "pages",
)  # fmt: skip
"""Its exports, in the order in which the host module takes them."""


INSTRUCTIONS = {
    8: ("i64.store", "i64.load"),
    4: ("i32.store", "i32.load"),
    2: ("i32.store16", "i32.load16_u"),
}


def _ends(target: str, source: str, width: int) -> str:
    """Copy the first bytes and the last ones, some of which may be the same, of a text that has as many."""
    store, load = INSTRUCTIONS[width]
    last = f"(i32.sub (i32.add (local.get {{}}) (local.get $n)) (i32.const {width}))"
    return (
        f"({store} ${target} (local.get $t) ({load} ${source} (local.get $s)))"
        f" ({store} ${target} {last.format('$t')} ({load} ${source} {last.format('$s')}))"
    )


def _copy(name: str, target: str, source: str) -> str:
    """A copy that handles short texts, nearly all there are, without a call into the runtime."""
    move = f"(v128.store ${target} (local.get $t) (v128.load ${source} (local.get $s)))"
    tail = (
        f"(v128.store ${target} (i32.sub (i32.add (local.get $t) (local.get $n)) (i32.const 16))"
        f" (v128.load ${source} (i32.sub (i32.add (local.get $s) (local.get $n)) (i32.const 16))))"
    )

    def ends(width: int) -> str:
        copied = _ends(target, source, width)
        return f"(if (i32.ge_u (local.get $n) (i32.const {width})) (then {copied} (return)))"

    return f"""
  (func ${name} (export "{name}") (param $t i32) (param $s i32) (param $n i32) (local $end i32)
    (if (i32.le_u (local.get $n) (i32.const 16)) (then
      {ends(8)}
      {ends(4)}
      {ends(2)}
      (if (local.get $n) (then (i32.store8 ${target} (local.get $t) (i32.load8_u ${source} (local.get $s)))))
      (return)))
    (if (i32.gt_u (local.get $n) (i32.const 96)) (then
      (memory.copy ${target} ${source} (local.get $t) (local.get $s) (local.get $n))
      (return)))
    {tail}
    (local.set $end (i32.sub (i32.add (local.get $t) (local.get $n)) (i32.const 16)))
    (loop $more
      {move}
      (local.set $t (i32.add (local.get $t) (i32.const 16)))
      (local.set $s (i32.add (local.get $s) (i32.const 16)))
      (br_if $more (i32.lt_u (local.get $t) (local.get $end)))))"""


BRIDGE = f"""(module
  (import "filter" "memory" (memory $filter 0))
  (import "host" "memory" (memory $host 0))
  {_copy("copy_in", "host", "filter")}
  {_copy("copy_out", "filter", "host")}
  (func (export "copy_16") (param $t i32) (param $s i32)
    (v128.store $host (local.get $t) (v128.load $filter (local.get $s))))
  (func (export "copy_16_twice") (param $t i32) (param $s i32) (param $s2 i32)
    (v128.store $host (local.get $t) (v128.load $filter (local.get $s)))
    (v128.store $host offset=16 (local.get $t) (v128.load $filter (local.get $s2))))
  (func (export "give") (param $t i32) (param $s i32) (param $n i32) (param $ret i64)
    (if (i32.le_u (i32.sub (local.get $n) (i32.const 8)) (i32.const 8))
      (then {_ends("filter", "host", 8)})
      (else (call $copy_out (local.get $t) (local.get $s) (local.get $n))))
    (i32.store $filter (i32.wrap_i64 (local.get $ret)) (local.get $t))
    (i32.store $filter (i32.wrap_i64 (i64.shr_u (local.get $ret) (i64.const 32))) (local.get $n)))
  (func (export "load32") (param i32) (result i32) (i32.load $filter (local.get 0)))
  (func (export "store32") (param i32 i32) (i32.store $filter (local.get 0) (local.get 1)))
  (func (export "store64") (param i32 i64) (i64.store $filter (local.get 0) (local.get 1)))
  (func (export "pages") (result i32) (memory.size $filter)))"""
"""Its text. No function checks a range: the host does, before it calls one."""
