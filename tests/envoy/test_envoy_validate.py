"""What Envoy says of a filter before it serves."""

import time

import pytest
import wasmtime

from wasmhub_magics.envoy import validate
from wasmhub_magics.errors import EnvoyRejected
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin

MARKER = '(func (export "proxy_abi_version_0_2_1"))'
MALLOC = '(func (export "malloc") (param i32) (result i32) (i32.const 0))'


def bare(*parts):
    return Plugin(Module(bytes(wasmtime.wat2wasm(f"(module {' '.join(parts)})"))), name="bad")


def test_a_sound_filter_is_accepted(plugin):
    assert validate(plugin(request_headers='ADD(0, "x", "y")')) is None


@pytest.mark.parametrize(
    ("parts", "meaning", "said"),
    [
        ([MALLOC], "exports no ABI version", "Missing or unknown Proxy-Wasm ABI version"),
        ([MARKER], "no way to allocate memory", "missing malloc function"),
        (
            ['(import "env" "no_such" (func))', MARKER, MALLOC],
            r"wants env\.no_such, which Envoy does not offer",
            "missing import: env.no_such",
        ),
        (
            ['(import "env" "proxy_log" (func (param i32)))', MARKER, MALLOC],
            r"imports env\.proxy_log as \(i32 -> void\), Envoy offers it as \(i32 i32 i32 -> i32\)",
            "import type mismatch",
        ),
        (
            [MARKER, MALLOC, '(func (export "proxy_on_log") (param i32 i32))'],
            r"callback proxy_on_log has the type \(i32 i32 -> void\), Envoy calls it as \(i32 -> void\)",
            "Bad function signature",
        ),
        (
            [MARKER, MALLOC, '(func (export "_initialize") unreachable)'],
            "_initialize trapped: Uncaught RuntimeError: unreachable",
            "_initialize failed",
        ),
    ],
)
def test_a_module_that_envoy_cannot_link_is_refused_in_plain_words(parts, meaning, said):
    with pytest.raises(EnvoyRejected, match=meaning) as caught:
        validate(bare(*parts))
    assert said in caught.value.where
    assert caught.value.do


def test_a_module_that_breaks_off_is_refused(plugin):
    whole = plugin(request_headers='ADD(0, "x", "y")').module.data
    cut = object.__new__(Module)
    object.__setattr__(cut, "data", whole[: len(whole) - 20])
    with pytest.raises(EnvoyRejected, match="no complete WebAssembly module"):
        validate(Plugin(cut, name="cut"))


@pytest.mark.parametrize(
    ("callback", "meaning"),
    [("vm_start", "proxy_on_vm_start refused"), ("configure", "proxy_on_configure refused")],
)
def test_a_refusal_of_the_filter_shows_what_it_logged(plugin, callback, meaning):
    refusing = plugin("bad", **{callback: 'LOG("the key is missing") (return (i32.const 0))'})
    with pytest.raises(EnvoyRejected, match=meaning) as caught:
        validate(refusing)
    assert str(caught.value).count("the key is missing") == 1


def test_an_endless_configuration_is_ended(plugin):
    start = time.monotonic()
    with pytest.raises(EnvoyRejected, match="not configured after"):
        validate(plugin(configure="(loop (br 0))"), timeout=0.5)
    assert time.monotonic() - start >= 0.5
