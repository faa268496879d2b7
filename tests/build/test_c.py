"""C: its compiler's messages in cell lines, its options, its header at work."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from wasmhub_magics.abi import CALLBACKS, HOST_FUNCTIONS
from wasmhub_magics.build import BuildOptions, build_module
from wasmhub_magics.build.c import C
from wasmhub_magics.build.clang import find_ziglang
from wasmhub_magics.build.language import Toolchain
from wasmhub_magics.errors import BuildError, CompileError, LinkError
from wasmhub_magics.module import Module

CELL = BuildOptions(first_line=2)
INCLUDE = '#include "proxy_wasm.h"\n'
HEADER = Path(__file__).parents[2] / "wasmhub_magics" / "guest" / "c" / "proxy_wasm.h"


def build(source: str, options: BuildOptions = CELL) -> Module:
    return build_module(INCLUDE + source, "c", options=options).module


def failure(source: str, options: BuildOptions = CELL) -> CompileError:
    with pytest.raises(CompileError) as caught:
        build_module(INCLUDE + source, "c", options=options)
    return caught.value


# --- messages -------------------------------------------------------------------------------------


def test_a_syntax_error_has_its_cell_line_and_a_mark_under_its_place() -> None:
    error = failure("bool proxy_on_done(uint32_t context) {\n  return nope;\n}\n")
    assert error.rendered.splitlines() == [
        "cell:4:10: error: use of undeclared identifier 'nope'",
        "   4 |   return nope;",
        "     |          ^^^^",
    ]
    (found,) = error.diagnostics
    assert (found.line, found.column, found.end_line, found.end_column) == (4, 10, 4, 14)
    assert str(error).startswith("the C source has an error\n")


def test_columns_count_characters_also_after_accents_and_emoji() -> None:
    (found,) = failure('void f(void) { const char *é = "é😀"; é = "😀" + nope; }').diagnostics
    assert (found.line, found.column, found.end_column) == (3, 48, 52)


def test_messages_hold_no_path_of_this_machine_and_are_the_same_each_time() -> None:
    source = '#include "mine.h"\nint f(void) { return g() + "x" + PI; }\n#include <nope.h>\n'
    options = BuildOptions(files=(("mine.h", "#define PI here\nint 5;\n"),), origin="a.c")
    texts = {failure(source, options).rendered for _ in range(2)}
    assert len(texts) == 1
    (text,) = texts
    assert "/" not in text
    assert "mine.h:2:5: error: expected identifier" in text
    assert "a.c:3:" in text


def test_a_callback_of_the_wrong_type_is_shown_the_right_one() -> None:
    error = failure("pw_action proxy_on_request_headers(int context, int count) { return PW_CONTINUE; }")
    assert "conflicting types for 'proxy_on_request_headers'" in error.rendered
    assert (
        "proxy_wasm.h declares pw_action "
        "proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream)" in error.rendered
    )


def test_a_misspelt_callback_is_a_warning_at_its_line() -> None:
    built = build_module(
        INCLUDE + "pw_action proxy_on_request_header(uint32_t context) { return PW_CONTINUE; }\n"
        "int helper(void) { return 1; }",
        "c",
    )
    (warning,) = built.diagnostics
    assert (warning.severity, warning.line) == ("warning", 2)
    assert "did you mean proxy_on_request_headers?" in warning.message


def test_warnings_of_a_good_build_are_kept() -> None:
    built = build_module(INCLUDE + "static int unused;", "c")
    assert [(d.code, d.line) for d in built.diagnostics] == [("-Wunused-variable", 2)]


def test_a_function_without_a_body_is_an_error_at_its_line() -> None:
    error = failure("int proxy_lag(int);\nbool proxy_on_done(uint32_t c) { return proxy_lag(1); }")
    (found,) = error.diagnostics
    assert (found.line, found.column) == (3, 5)
    assert "proxy_lag is declared but not defined; did you mean proxy_log?" in found.message


def test_an_import_that_no_proxy_offers_is_refused_in_words() -> None:
    with pytest.raises(LinkError, match=r"no proxy offers env\.proxy_nothing"):
        build("PW_IMPORT(proxy_nothing) int nothing(void);\nvoid proxy_on_log(uint32_t c) { nothing(); }")


@pytest.mark.parametrize("flag", ["--bar", "-Wl,--bar"])
def test_an_unknown_flag_is_told_by_its_name(flag: str) -> None:
    error = failure("", BuildOptions(flags=(flag,)))
    assert "unknown argument: " in error.rendered
    assert "--bar" in error.rendered
    assert "/" not in error.rendered


# --- options --------------------------------------------------------------------------------------


def test_names_can_be_defined_and_files_included() -> None:
    options = BuildOptions(
        defines=(("ANSWER", "42"),), files=(("lib/answer.h", "static int answer(void) { return ANSWER; }"),)
    )
    build('#include "lib/answer.h"\nbool proxy_on_done(uint32_t c) { return answer() == 42; }', options)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.h", "cell.c", "", "a\\b.h"])
def test_a_file_cannot_be_written_outside_or_over_the_source(name: str) -> None:
    with pytest.raises(BuildError, match="cannot be the name of a source file"):
        build("", BuildOptions(files=((name, ""),)))


def test_debug_keeps_source_lines_and_names_are_kept_always() -> None:
    source = 'void proxy_on_log(uint32_t c) { pw_log_info("%u", c); }'
    plain, debug = build(source), build(source, BuildOptions(debug=True))
    assert plain.custom(".debug_line") is None
    assert debug.custom(".debug_line") is not None
    assert b"cell.c" in (debug.custom(".debug_line_str") or b"") + (debug.custom(".debug_str") or b"")
    assert str(HEADER.parent).encode() not in debug.data
    assert "proxy_on_log" in plain.function_name(
        next(e.index for e in plain.exports if e.name == "proxy_on_log")
    )


def test_the_same_source_gives_the_same_bytes() -> None:
    source = 'void proxy_on_log(uint32_t c) { pw_log_info("%u %s", c, __FILE__); }'
    one, two = (
        build_module(INCLUDE + source, "c", options=BuildOptions(debug=True), force=True).module
        for _ in range(2)
    )
    assert one.digest == two.digest


@pytest.mark.parametrize("level", ["speed", "size", "none"])
def test_every_optimisation_level_builds_and_runs(level: str, guest) -> None:
    host = guest(build(EVERYTHING, BuildOptions(optimize=level)))
    host.headers = [(b":path", b"/a"), (b"x-n", b"-12")]
    host.buffers[7] = b"hello config"
    assert host("proxy_on_configure", 1, 12) == 1
    assert host("proxy_on_request_headers", 2, 2, 1) == 0
    assert host.log == [(2, "configured hello config"), (2, "/a has 1 char after / and -12")]
    assert host.headers[-1] == (b"x-copy", b"/a")


EVERYTHING = """
bool proxy_on_configure(uint32_t context, uint32_t size) {
  PW_AUTO pw_text text = pw_get_configuration();
  pw_log_info("configured %.*s", (int)text.size, text.data);
  return text.size == size;
}
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
  PW_AUTO pw_text path = pw_get_header(PW_REQUEST_HEADERS, ":path");
  PW_AUTO pw_text number = pw_get_header(PW_REQUEST_HEADERS, "x-n");
  int64_t value = 0;
  if (!pw_to_int(number, &value)) return PW_PAUSE;
  pw_set_header_text(PW_REQUEST_HEADERS, "x-copy", path);
  pw_log_info("%.*s has %zu char after / and %lld", (int)path.size, path.data, path.size - 1, value);
  return PW_CONTINUE;
}
"""


# --- header ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.2.1"])
def test_the_header_declares_every_host_function_with_the_type_of_the_abi(version: str) -> None:
    functions = [
        f
        for f in HOST_FUNCTIONS.values()
        if version in f.versions and f.name.startswith(("proxy_", "envoy_"))
    ]
    source = f"#define PW_ABI_{version.replace('.', '_')} 1\n" + INCLUDE
    source += "void *all[] = {" + ", ".join(f"(void *){f.name}" for f in functions) + "};\n"
    source += "PW_EXPORT(keep) void *keep(void); void *keep(void) { return all; }\n"
    module = build_module(source, "c").module
    assert module.abi == version
    assert {(i.module, i.name): i.type for i in module.imports} == {
        (f.module, f.name): f.type for f in functions
    }


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.2.1"])
def test_a_filter_that_defines_every_callback_as_the_header_does_links(version: str) -> None:
    import re

    text = HEADER.read_text()
    prototypes = re.findall(r"^PW_CALLBACK\((\w+), (\w+), ([^;]*)\);", text, re.M)
    wanted = {c.name: len(c.params) for c in CALLBACKS if version in c.versions}
    source = f"#define PW_ABI_{version.replace('.', '_')} 1\n" + INCLUDE
    for result, name, parameters in prototypes:
        if wanted.get(name) == parameters.count(",") + 1:
            source += f"{result} {name}({parameters}) {{ {'' if result == 'void' else 'return 0;'} }}\n"
    module = build_module(source, "c").module
    assert {e.name for e in module.exports} >= set(wanted)
    module.check()


def test_the_allocator_reuses_what_is_freed_and_never_grows_over_a_million_requests(guest) -> None:
    host = guest(
        build(
            """
            static uint32_t seed = 1;
            static uint32_t next(void) { return seed = seed * 1664525u + 1013904223u; }
            PW_EXPORT(churn) uint32_t churn(uint32_t rounds);
            uint32_t churn(uint32_t rounds) {
              static unsigned char *held[64];
              static uint32_t sizes[64];
              for (uint32_t i = 0; i < rounds; i++) {
                uint32_t slot = next() >> 26;
                if (held[slot]) {
                  unsigned char *last = held[slot] + sizes[slot] - 1;
                  if (held[slot][0] != (unsigned char)slot || *last != (unsigned char)slot)
                    __builtin_trap();
                  free(held[slot]);
                }
                uint32_t size = 1 + (next() >> 8) % ((next() >> 16) % 8 ? 300 : 20000);
                held[slot] = malloc(size);
                if (!held[slot] || ((uintptr_t)held[slot] & 15)) __builtin_trap();
                sizes[slot] = size;
                memset(held[slot], (int)slot, size);
              }
              return (uint32_t)__builtin_wasm_memory_size(0);
            }
            """
        )
    )
    settled = host("churn", 300_000)
    assert host("churn", 1_000_000) <= settled + 2
    assert settled < 64


def test_values_handed_over_for_each_request_are_given_back(guest) -> None:
    host = guest(build(EVERYTHING))
    host.headers = [(b":path", b"/" + b"a" * 3000), (b"x-n", b"5")]
    host("proxy_on_request_headers", 2, 2, 1)
    pages = host.pages()
    for _ in range(500):
        host("proxy_on_request_headers", 2, 2, 1)
    assert host.pages() == pages


def test_the_allocator_says_null_when_memory_ends(guest) -> None:
    host = guest(build("", BuildOptions(flags=("-Wl,--max-memory=1048576",))))
    assert host("proxy_on_memory_allocate", 1 << 21) == 0
    assert host("proxy_on_memory_allocate", -1) == 0
    blocks = [host("proxy_on_memory_allocate", 100_000) for _ in range(20)]
    assert 0 in blocks
    assert len(set(blocks) - {0}) == blocks.index(0)


def test_calloc_and_realloc_keep_their_promises(guest) -> None:
    host = guest(
        build(
            """
            PW_EXPORT(grow) bool grow(void);
            bool grow(void) {
              char *dirty = malloc(5000);
              memset(dirty, 7, 5000);
              free(dirty);
              char *text = calloc(50, 100);
              for (int i = 0; i < 5000; i++) if (text[i]) return false;
              if (calloc(0x10000, 0x10000)) return false;
              for (int i = 0; i < 5000; i++) text[i] = (char)i;
              for (size_t size = 5000; size < 200000; size = size * 3 / 2) text = realloc(text, size);
              for (int i = 0; i < 5000; i++) if (text[i] != (char)i) return false;
              return realloc(text, 10) == text;
            }
            """
        )
    )
    assert host("grow") == 1


def test_formats_are_those_of_printf(guest) -> None:
    cases = {
        '"%d %i %u %x", -5, 0, 4000000000u, 255': "-5 0 4000000000 ff",
        '"%lld", (-9223372036854775807LL - 1)': "-9223372036854775808",
        '"%llu", 18446744073709551615ULL': "18446744073709551615",
        '"[%5d|%-5d|%05d]", -42, 42, -42': "[  -42|42   |-0042]",
        '"[%5s|%-5s|%.2s]", "ab", "ab", "abc"': "[   ab|ab   |ab]",
        '"%c%%%s %zu", 33, (char *)NULL, sizeof(int)': "!%(null) 4",
        '"é😀"': "é😀",
    }
    source = "".join(f"  pw_log_info({arguments});\n" for arguments in cases)
    host = guest(build(f"void proxy_on_log(uint32_t c) {{\n{source}}}"))
    host("proxy_on_log", 1)
    assert [text for _, text in host.log] == list(cases.values())


def test_a_long_line_is_cut_and_a_wrong_format_is_warned_of(guest) -> None:
    built = build_module(
        INCLUDE + "static char big[5000];\n"
        'void proxy_on_log(uint32_t c) { memset(big, 65, 4999); pw_log_warn("%s", c); }',
        "c",
    )
    assert [(d.code, d.line) for d in built.diagnostics] == [("-Wformat", 3)]
    host = guest(
        build(
            "static char big[5000];\n"
            'void proxy_on_log(uint32_t c) { memset(big, 65, 4999); pw_log_warn("%s", big); }'
        )
    )
    host("proxy_on_log", 1)
    assert host.log == [(3, "A" * 1023)]


def test_numbers_are_read_exactly(guest) -> None:
    host = guest(
        build(
            """
            PW_EXPORT(number) bool number(uint32_t at);
            bool number(uint32_t at) {
              PW_AUTO pw_text text = pw_get_bytes(PW_REQUEST_BODY, 0, SIZE_MAX);
              int64_t value = 99;
              bool good = pw_to_int(text, &value);
              pw_log_info("%lld", value);
              return good;
            }
            """
        )
    )
    source = random.Random(3)
    good = [
        "0",
        "-0",
        "7",
        "9223372036854775807",
        "-9223372036854775808",
        *(str(source.randint(-(2**62), 2**62)) for _ in range(50)),
    ]
    for text in good:
        host.buffers[0] = text.encode()
        assert host("number", 0) == 1
        assert int(host.log[-1][1]) == int(text)
    for text in ["", "-", "+1", "1 ", "0x1", "9223372036854775808", "-9223372036854775809", "1" * 40]:
        host.buffers[0] = text.encode()
        assert host("number", 0) == 0, text
        assert host.log[-1][1] == "99"


def test_checked_products_of_64_bits_link_and_are_right(guest) -> None:
    host = guest(
        build(
            """
            PW_EXPORT(product) int64_t product(int64_t a, int64_t b);
            int64_t product(int64_t a, int64_t b) {
              int64_t out;
              return __builtin_mul_overflow(a, b, &out) ? -1 : out;
            }
            """
        )
    )
    source = random.Random(5)
    for _ in range(300):
        a, b = (source.randint(-(2**63), 2**63 - 1) >> source.randrange(64) for _ in range(2))
        exact = a * b
        assert host("product", a, b) == (exact if -(2**63) <= exact < 2**63 else -1), (a, b)


def test_texts_compare_and_find(guest) -> None:
    host = guest(
        build(
            """
            PW_EXPORT(texts) uint32_t texts(void);
            uint32_t texts(void) {
              pw_text t = {"Hello world", 11}, none = {NULL, 0};
              bool good[] = {
                  pw_equal(t, "Hello world"), !pw_equal(t, "Hello"), pw_equal_ignoring_case(t, "hELLO WORLD"),
                  pw_starts_with(t, "Hell"), !pw_starts_with(t, "Hello world!"), pw_ends_with(t, "world"),
                  !pw_ends_with(t, "word"), pw_find(t, "o w") == 4, pw_find(t, "x") == -1,
                  pw_find(t, "") == 0,
                  pw_equal(none, ""), strcmp("a", "b") < 0, strncmp("abc", "abd", 2) == 0,
                  strchr("abc", 'c')[0] == 'c', !strchr("abc", 'd'), memcmp("ab", "aa", 2) > 0,
                  memchr("abc", 'b', 3) != NULL, !memchr("abc", 'c', 2), strlen("four") == 4};
              for (uint32_t i = 0; i < sizeof good; i++) if (!good[i]) return i + 1;
              return 0;
            }
            """
        )
    )
    assert host("texts") == 0


def test_all_headers_of_a_map_can_be_walked_through(guest) -> None:
    host = guest(
        build(
            """
            pw_action proxy_on_response_headers(uint32_t c, uint32_t n, bool end) {
              PW_AUTO pw_text pairs = pw_get_headers(PW_RESPONSE_HEADERS);
              pw_cursor at = {0};
              for (pw_text name, value; pw_next(pairs, &at, &name, &value);)
                pw_log_info("%s=%s", name.data, value.data);
              return PW_CONTINUE;
            }
            """
        )
    )
    host("proxy_on_response_headers", 2, 0, 1)
    assert host.log == []
    host.headers = [(b":status", b"200"), (b"empty", b""), (b"x", b"y" * 300)]
    host("proxy_on_response_headers", 2, 3, 1)
    assert [text for _, text in host.log] == [":status=200", "empty=", "x=" + "y" * 300]


def test_headers_are_compared_copied_and_missed(guest) -> None:
    host = guest(
        build(
            """
            pw_action proxy_on_request_headers(uint32_t c, uint32_t n, bool end) {
              char small[4];
              size_t size = pw_copy_header(PW_REQUEST_HEADERS, "x-long", small, sizeof small);
              pw_log_info("%s %zu", small, size);
              pw_log_info("%d", pw_has_header(PW_REQUEST_HEADERS, "empty"));
              pw_log_info("%d", pw_has_header(PW_REQUEST_HEADERS, "no"));
              pw_log_info("%d", pw_header_is(PW_REQUEST_HEADERS, "x-long", "longer"));
              pw_remove_header(PW_REQUEST_HEADERS, "x-long");
              pw_add_header(PW_REQUEST_HEADERS, "empty", "again");
              return PW_CONTINUE;
            }
            """
        )
    )
    host.headers = [(b"x-long", b"longer"), (b"empty", b"")]
    host("proxy_on_request_headers", 2, 2, 1)
    assert [text for _, text in host.log] == ["lon 6", "1", "0", "1"]
    assert host.headers == [(b"empty", b""), (b"empty", b"again")]


def test_an_answer_carries_its_headers_in_the_form_of_the_abi(guest) -> None:
    host = guest(
        build(
            """
            pw_action proxy_on_request_headers(uint32_t c, uint32_t n, bool end) {
              pw_header headers[] = {{"x-a", "1"}, {"x-b", ""}};
              pw_respond_with(418, "teapot", headers, 2);
              return PW_PAUSE;
            }
            """
        )
    )
    assert host("proxy_on_request_headers", 2, 2, 1) == 1
    assert host.calls == [
        ("respond", (418, b"teapot", host.encode([(b"x-a", b"1"), (b"x-b", b"")]), 0xFFFFFFFF))
    ]


def test_properties_are_asked_for_by_dotted_path(guest) -> None:
    host = guest(
        build(
            """
            void proxy_on_log(uint32_t c) {
              PW_AUTO pw_text path = pw_get_property("request.path");
              int64_t code = 0;
              bool known = pw_get_number("response.code", &code);
              pw_log_info("%.*s %d %lld", (int)path.size, path.data, known, code);
            }
            """
        )
    )
    host.properties = {b"request\0path": b"/p", b"response\0code": (200).to_bytes(8, "little")}
    host("proxy_on_log", 1)
    assert host.log == [(2, "/p 1 200")]


# --- compilers ------------------------------------------------------------------------------------


def test_a_clang_with_its_linker_does_as_well_as_the_one_inside_zig(tmp_path: Path) -> None:
    zig = find_ziglang()
    assert zig is not None
    for name in ("clang", "wasm-ld"):
        extra = f"-isystem {Path(zig.command[0]).parent}/lib/include" if name == "clang" else ""
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\nexec {zig.command[0]} {name} {extra} "$@"\n')
        script.chmod(0o755)
    apart = C([lambda: Toolchain("clang", "22", (str(tmp_path / "clang"), str(tmp_path / "wasm-ld")))])
    assert (
        build_module(INCLUDE + EVERYTHING, apart).module.data
        == build_module(INCLUDE + EVERYTHING, "c").module.data
    )


def test_a_clang_without_webassembly_or_linker_is_not_taken_until_it_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wasmhub_magics.build.clang import find_clang

    def put(name: str, text: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{text}'\n")
        (tmp_path / name).chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(
        "shutil.which", lambda name: str(tmp_path / name) if (tmp_path / name).exists() else None
    )
    put("clang", "clang version 19.1.7 x86-64")
    find_clang.cache_clear()
    assert find_clang() is None
    put("wasm-ld", "LLD 19")
    assert find_clang() is None
    put("clang", "clang version 19.1.7 (Debian)\n  wasm32 - WebAssembly 32-bit")
    found = find_clang()
    find_clang.cache_clear()
    assert found == Toolchain("clang", "19.1.7", (str(tmp_path / "clang"), str(tmp_path / "wasm-ld")))
