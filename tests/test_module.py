"""What a module says about itself, and whether a proxy can link it."""

from __future__ import annotations

import contextlib
import pickle
import random

import pytest
import wasmtime

from wasmhub_magics.abi import CALLBACKS, HOST_FUNCTIONS
from wasmhub_magics.binary import uleb
from wasmhub_magics.binary_types import MemoryType, TableType
from wasmhub_magics.errors import LinkError, MalformedModule, ModuleError
from wasmhub_magics.module import FuncType, Module

MARKER = '(func (export "proxy_abi_version_0_2_1"))'
ALLOCATOR = (
    '(memory (export "memory") 1) '
    '(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))'
)

RICH = """
(module $rich
  (type $pair (func (param i32 i64) (result f32 f64)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (tag $oops (param i32))
  (memory (export "memory") 2 9)
  (table (export "table") 2 7 funcref)
  (table 1 externref)
  (global (export "counter") (mut i64) (i64.const -5))
  (global f64 (f64.const 1.5))
  (global v128 (v128.const i32x4 1 2 3 4))
  (global funcref (ref.func $run))
  (elem (i32.const 0) $run $log)
  (data (i32.const 16) "first")
  (data $later "passive")
  (data (i32.const 40) "second")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func $run (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local i64 f32)
    (memory.init $later (i32.const 100) (i32.const 0) (i32.const 7))
    (data.drop $later)
    (i32.const 0))
  (@custom "note" "what it is")
)
"""


def module(*fields: str) -> Module:
    return Module(wasmtime.wat2wasm(f"(module {' '.join(fields)})"))


def filter_module(*fields: str) -> Module:
    imports = [field for field in fields if field.startswith("(import")]
    others = [field for field in fields if not field.startswith("(import")]
    return module(*imports, MARKER, ALLOCATOR, *others)


def refusal(of: Module) -> str:
    with pytest.raises(LinkError) as caught:
        of.check()
    return str(caught.value)


@pytest.fixture
def rich() -> Module:
    return Module(wasmtime.wat2wasm(RICH))


# --- reading --------------------------------------------------------------------------------------


def test_imports_and_exports_carry_their_types(rich: Module) -> None:
    assert [(i.module, i.name, i.kind, i.type) for i in rich.imports] == [
        ("env", "proxy_log", "func", FuncType(("i32", "i32", "i32"), ("i32",))),
        ("wasi_snapshot_preview1", "fd_write", "func", FuncType(("i32",) * 4, ("i32",))),
    ]
    exports = {e.name: e.type for e in rich.exports}
    assert exports["memory"] == MemoryType(2, 9)
    assert exports["table"] == TableType("funcref", 2, 7)
    assert str(exports["counter"]) == "mut i64"
    assert str(exports["proxy_on_request_headers"]) == "(i32, i32, i32) -> i32"


def test_the_first_marker_in_the_order_of_exports_is_the_abi_version() -> None:
    assert module('(func (export "proxy_abi_version_0_2_0"))', MARKER).abi == "0.2.0"
    assert module('(func (export "proxy_abi_version_0_1_0"))').abi == "0.1.0"
    assert module('(func (export "proxy_abi_version_0_3_0"))').abi is None
    assert module('(global (export "proxy_abi_version_0_2_1") i32 (i32.const 0))').abi is None


def test_the_digest_is_that_of_the_bytes_and_modules_of_equal_bytes_are_equal(rich: Module) -> None:
    import hashlib

    assert rich.digest == "sha256:" + hashlib.sha256(rich.data).hexdigest()
    assert Module(bytearray(rich.data)) == rich
    assert len({Module(rich.data), rich}) == 1
    assert pickle.loads(pickle.dumps(rich)) == rich


def test_functions_are_named_by_the_name_section_then_by_export_and_import(rich: Module) -> None:
    assert rich.function_name(0) == "log"
    assert rich.function_name(4) == "run"
    assert rich.function_name(99) == "function 99"
    stripped = module('(import "env" "proxy_done" (func (result i32)))', '(func (export "twice"))', "(func)")
    assert [stripped.function_name(i) for i in range(3)] == ["env.proxy_done", "twice", "function 2"]


def test_custom_sections_are_found_by_name(rich: Module) -> None:
    assert rich.custom("note") == b"what it is"
    assert rich.custom("absent") is None
    assert "note" in [section.name for section in rich.sections]


def test_a_damaged_name_section_costs_the_names_only() -> None:
    plain = module("(func $f)")
    name = next(s for s in plain.sections if s.name == "name")
    broken = Module(plain.data[: name.offset] + b"\xff" * name.size)
    assert broken.function_name(0) == "function 0"


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path) -> None:
    with pytest.raises(ModuleError, match="No such file"):
        Module.read(tmp_path / "absent.wasm")


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the module is empty"),
        (b"\0as", "ends inside its header"),
        (b"\0asm\1\0", "ends inside its header"),
        (b"(module)", "not WebAssembly but text"),
        (b"\x7fELF\2\1\1\0", "not WebAssembly but something else"),
        (b"\0asm\x0d\0\1\0", "this is a component, Envoy takes core modules"),
        (b"\0asm\2\0\0\0", "unknown version 2"),
        (b"\0asm\1\0\0\0\x01\x05\x01", "5 bytes should follow, but 1 are left"),
        (b"\0asm\1\0\0\0\x63\0", "99 is no kind of section"),
        (b"\0asm\1\0\0\0\x01\x05\xff\xff\xff\xff\x0f", "items should follow in 0 bytes"),
        (b"\0asm\1\0\0\0\x01\x80\x80\x80\x80\x80\x01", "a number is too long"),
        (b"\0asm\1\0\0\0\x03\x02\x01\x00", "there is no function type 0"),
        (b"\0asm\1\0\0\0\x05\x03\x01\x00\x01\x05\x03\x01\x00\x01", "comes twice or too late"),
    ],
)
def test_bytes_that_are_no_module_are_told_with_the_offset(data: bytes, says: str) -> None:
    with pytest.raises(MalformedModule) as caught:
        Module(data).check()
    assert says in str(caught.value)
    assert "byte" in caught.value.where


def test_a_module_cut_inside_a_section_is_malformed(rich: Module) -> None:
    ends = {section.offset + section.size for section in rich.sections} | {8}
    for cut in range(len(rich.data)):
        if cut not in ends:
            with pytest.raises(MalformedModule):
                Module(rich.data[:cut]).check()


def test_a_module_without_the_bodies_that_it_announces_is_malformed(rich: Module) -> None:
    code = next(section for section in rich.sections if section.name == "code")
    with pytest.raises(MalformedModule, match="3 functions are announced, 0 are there"):
        Module(rich.data[: code.header]).check()


def test_no_flipped_bit_brings_anything_but_a_verdict(rich: Module) -> None:
    engine = wasmtime.Engine()
    accepted = 0
    for at in range(8, len(rich.data)):
        for bit in range(8):
            data = bytearray(rich.data)
            data[at] ^= 1 << bit
            damaged = Module(data)
            try:
                assert isinstance(damaged.problems, tuple)
                damaged.hollow()
                damaged.function_name(0)
            except MalformedModule:
                with pytest.raises(wasmtime.WasmtimeError):
                    wasmtime.Module.validate(engine, data)
            else:
                accepted += 1
            assert repr(damaged).startswith("<Module")
            assert damaged._repr_html_().startswith("<div>")
    assert accepted > 100


def test_random_bytes_after_a_good_header_bring_nothing_but_a_verdict() -> None:
    source = random.Random(7)
    for _ in range(3000):
        body = b"".join(
            bytes([source.randrange(14)]) + uleb(len(part)) + part
            for part in (source.randbytes(source.randrange(12)) for _ in range(3))
        )
        with contextlib.suppress(MalformedModule, LinkError):
            Module(b"\0asm\1\0\0\0" + body).check()


def test_lying_counts_cost_no_more_than_the_size_of_the_module() -> None:
    from tracemalloc import get_traced_memory, start, stop

    huge = b"\xff\xff\xff\xff\x0f"
    start()
    for number in (1, 2, 3, 4, 5, 6, 7, 10, 11, 13):
        for body in (huge, huge + b"\0" * 1000, b"\x01" + huge, b"\x01\x60" + huge):
            with pytest.raises(MalformedModule):
                Module(b"\0asm\1\0\0\0" + bytes([number]) + uleb(len(body)) + body).check()
    _, peak = get_traced_memory()
    stop()
    assert peak < 2_000_000


# --- linking --------------------------------------------------------------------------------------


def test_a_complete_filter_has_no_problem(rich: Module) -> None:
    rich.check()
    assert rich.problems == ()


def test_a_missing_marker_is_named_with_its_remedy() -> None:
    text = refusal(module(ALLOCATOR, '(func (export "proxy_on_tick") (param i32))'))
    assert "does not declare its ABI version" in text
    assert "proxy_abi_version_0_2_1" in text


def test_a_module_that_is_no_filter_at_all_is_told_so() -> None:
    assert "is no Proxy-Wasm filter" in refusal(module(ALLOCATOR))


def test_a_marker_of_an_unknown_version_is_named() -> None:
    text = refusal(module(ALLOCATOR, '(func (export "proxy_abi_version_0_3_0"))'))
    assert "proxy_abi_version_0_3_0 is no ABI version that Envoy knows" in text


def test_a_missing_allocator_is_named() -> None:
    assert "exports no allocator" in refusal(module(MARKER))


def test_malloc_is_as_good_an_allocator() -> None:
    module(MARKER, '(func (export "malloc") (param i32) (result i32) (i32.const 8))').check()


def test_an_unknown_import_is_named_with_the_nearest_known_one() -> None:
    text = refusal(filter_module('(import "env" "proxy_get_header_map_valu" (func (result i32)))'))
    assert "no proxy offers env.proxy_get_header_map_valu" in text
    assert "did you mean proxy_get_header_map_value?" in text


def test_an_import_from_the_wrong_module_is_sent_to_the_right_one() -> None:
    text = refusal(filter_module('(import "env" "fd_write" (func (result i32)))'))
    assert "import it from 'wasi_snapshot_preview1'" in text


def test_an_import_from_a_browser_toolchain_is_recognised() -> None:
    text = refusal(filter_module('(import "wbg" "__wbindgen_throw" (func (param i32 i32)))'))
    assert "built for a browser by wasm-bindgen" in text


def test_an_import_of_another_abi_version_is_named_with_the_version_and_what_to_call_instead() -> None:
    text = refusal(filter_module('(import "env" "proxy_continue_request" (func (result i32)))'))
    assert "exists in ABI 0.1.0 only, and the module declares 0.2.1" in text
    assert "proxy_continue_stream(0)" in text
    late = module(
        '(import "env" "proxy_get_log_level" (func (param i32) (result i32)))',
        '(func (export "proxy_abi_version_0_2_0"))',
        ALLOCATOR,
    )
    assert "exists in ABI 0.2.1 only, and the module declares 0.2.0" in refusal(late)


def test_a_wrong_import_type_is_told_with_both_types() -> None:
    text = refusal(filter_module('(import "env" "proxy_log" (func (param i32)))'))
    assert "imported with the type (i32) -> ()" in text
    assert "proxies offer (i32, i32, i32) -> i32" in text
    assert "proxy_log(level, msg_ptr, msg_len)" in text


def test_the_wasi_function_whose_type_envoy_declares_differently_is_explained() -> None:
    seven = "(func (param i32 i32 i32 i32 i32 i32 i32) (result i32))"
    real = f'(import "wasi_snapshot_preview1" "path_link" {seven})'
    assert "Envoy declares it that way" in refusal(filter_module(real))


def test_an_imported_global_is_refused_and_an_imported_memory_is_not() -> None:
    assert "the global env.g is imported" in refusal(filter_module('(import "env" "g" (global i32))'))
    allocator = '(func (export "malloc") (param i32) (result i32) (i32.const 8))'
    module('(import "env" "memory" (memory 1))', MARKER, allocator).check()


def test_a_wrong_callback_type_is_told_with_its_parameters() -> None:
    wrong = '(func (export "proxy_on_request_headers") (param i32 i32) (result i32) (i32.const 0))'
    text = refusal(filter_module(wrong))
    assert "proxies call (i32, i32, i32) -> i32 in ABI 0.2.1" in text
    assert "(context, count, end_of_stream)" in text
    module('(func (export "proxy_abi_version_0_1_0"))', ALLOCATOR, wrong).check()


def test_a_wrong_start_function_is_refused() -> None:
    assert "_initialize has the type" in refusal(filter_module('(func (export "_initialize") (param i32))'))


def test_host_functions_without_an_exported_memory_are_refused() -> None:
    text = refusal(
        module(
            '(import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))',
            MARKER,
            '(func (export "malloc") (param i32) (result i32) (i32.const 8))',
        )
    )
    assert "exports no memory" in text


def test_all_problems_are_listed_at_once() -> None:
    text = refusal(
        module(
            '(import "env" "nothing" (func))',
            '(import "env" "proxy_log" (func))',
            '(memory (export "memory") 1)',
            '(func (export "proxy_on_log"))',
        )
    )
    assert "for 5 reasons" in text
    assert [line.strip()[:2] for line in text.splitlines()[1:]] == ["1.", "2.", "3.", "4.", "5."]


def test_a_misspelt_callback_is_noted_but_not_refused() -> None:
    misspelt = filter_module('(func (export "proxy_on_request_header"))')
    misspelt.check()
    (note,) = misspelt.notes
    assert note.startswith("proxy_on_request_header is no callback, so no proxy calls it")
    assert note.endswith("did you mean proxy_on_request_headers?")


def test_every_abi_version_links_a_module_that_uses_all_of_it() -> None:
    for version in ("0.1.0", "0.2.0", "0.2.1"):
        everything(version).check()


def everything(version: str) -> Module:
    """A module that imports every function of an ABI version and exports every callback."""
    from wasmhub_magics.abi import marker

    def wat(type_: FuncType) -> str:
        return f"(param {' '.join(type_.params)}) (result {' '.join(type_.results)})"

    imports = [
        f'(import "{f.module}" "{f.name}" (func {wat(f.type)}))'
        for f in HOST_FUNCTIONS.values()
        if version in f.versions
    ]
    callbacks = [
        f'(func (export "{c.name}") {wat(c.type)} {"(i32.const 1)" if c.type.results else ""})'
        for c in CALLBACKS
        if version in c.versions
    ]
    return module(*imports, f'(func (export "{marker(version)}"))', ALLOCATOR, *callbacks)


# --- hollow ---------------------------------------------------------------------------------------


def test_a_hollow_module_with_its_data_written_back_has_the_same_memory() -> None:
    whole = Module(wasmtime.wat2wasm(HOLLOW))
    hollow = whole.hollow()
    assert hollow is not None
    data, taken = hollow
    assert taken == ((16, b"first"), (18, b"over"), (65530, b"end"))
    assert b"first" not in data
    assert b"passive" in data
    assert memory_after(Module(data), taken) == memory_after(whole, ())


HOLLOW = """
(module (memory (export "memory") 1)
  (data (i32.const 16) "first")
  (data $later "passive")
  (data (i32.const 18) "over")
  (data (i32.const 3) "")
  (data (i32.const 65530) "end")
  (func (export "run") (memory.init $later (i32.const 100) (i32.const 0) (i32.const 7)) (data.drop $later))
  (@custom "note" "after"))
"""


def memory_after(of: Module, writes: tuple[tuple[int, bytes], ...]) -> bytes:
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, of.data), [])
    memory = instance.exports(store)["memory"]
    for address, data in writes:
        memory.write(store, data, address)
    instance.exports(store)["run"](store)
    return bytes(memory.read(store))


def test_modules_that_differ_in_their_data_only_are_hollow_alike() -> None:
    one, two = (
        module(ALLOCATOR, MARKER, f'(data (i32.const 8) "{text}")').hollow() for text in ("a", "b" * 300)
    )
    assert one is not None
    assert two is not None
    assert one[0] == two[0]


def test_the_data_count_and_other_sections_stay_as_they_are() -> None:
    whole = Module(wasmtime.wat2wasm(HOLLOW))
    hollow = whole.hollow()
    assert hollow is not None
    rest = Module(hollow[0])
    assert rest.contents.data_count == 5
    assert [s.name for s in rest.sections] == [s.name for s in whole.sections]
    assert rest.custom("note") == b"after"
    wasmtime.Module.validate(wasmtime.Engine(), rest.data)


def test_an_address_beyond_two_gigabytes_is_unsigned() -> None:
    hollow = module("(memory 1)", '(data (i32.const -16) "x")').hollow()
    assert hollow is not None
    assert hollow[1] == ((0xFFFFFFF0, b"x"),)


@pytest.mark.parametrize(
    "fields",
    [
        ['(memory 1) (data (i32.const 0) "x") (func $go) (start $go)'],
        ["(memory 1)"],
        ['(memory 1) (data "passive")'],
        ['(memory 1) (data (i32.const 0) "")'],
        ['(import "env" "g" (global i32)) (memory 1) (data (i32.const 0) "x") (data (global.get 0) "y")'],
        ['(memory 1) (memory 1) (data (i32.const 0) "x") (data (memory 1) (i32.const 0) "y")'],
        ['(memory i64 1) (data (i64.const 0) "x")'],
    ],
)
def test_a_module_that_would_not_be_the_same_is_not_hollowed(fields: list[str]) -> None:
    assert module(*fields).hollow() is None


# --- showing --------------------------------------------------------------------------------------


def test_the_page_of_a_module_lists_what_it_has_and_escapes_names() -> None:
    page = module(MARKER, '(func (export "<script>"))')._repr_html_()
    assert "ABI 0.2.1" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "2 exports" in page


def test_the_representation_of_any_bytes_is_a_line() -> None:
    assert repr(Module(b"junk")).startswith("<Module 4 bytes, malformed, sha256:")
    assert "not WebAssembly" in Module(b"junk<b>")._repr_html_()
    with pytest.raises(TypeError, match="made of bytes"):
        Module("text")  # type: ignore[arg-type]
