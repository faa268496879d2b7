"""Filters in WAT for the tests of deployments."""

import json
import tempfile
from pathlib import Path

import pytest
import wasmtime

from wasmhub_magics.deploy import status, undeploy
from wasmhub_magics.deploy.directory import entry
from wasmhub_magics.envoy import config, find_envoy
from wasmhub_magics.envoy.process import EnvoyProcess
from wasmhub_magics.module import Module
from wasmhub_magics.plugin import Plugin

SOURCE = """(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) {configure})
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local i32) {request}
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $log (i32.const 2) (i32.const 1024) (i32.const 9)))
    (drop (call $add (i32.const 2) (i32.const 1024) (i32.const 9) (i32.const 2048) (i32.const {size})))
    (i32.const 0))
  (data (i32.const 1024) "x-version")
  (data (i32.const 2048) "{value}"))
"""


BROKEN = (
    "(drop (call $reply (i32.const 503) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)"
    " (i32.const 0) (i32.const 0) (i32.const -1)))"
)
SLOW = (
    "(loop $more (local.set 3 (i32.add (local.get 3) (i32.const 1)))"
    " (br_if $more (i32.lt_u (local.get 3) (i32.const 5000000))))"
)


def make(value: str, name: str = "greeter", *, configure: str = "(i32.const 1)", request: str = "") -> Plugin:
    """A filter that adds x-version with this value to each response."""
    source = SOURCE.format(value=value, size=len(value), configure=configure, request=request)
    return Plugin(Module(bytes(wasmtime.wat2wasm(source))), name=name)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The maker of plugins; what they are deployed to is taken down after the test."""
    # Directories of Envoys are counted: those of other programs must not be among them.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield make
    for deployment in status():
        undeploy(deployment.name)


@pytest.fixture
def proxy(tmp_path):
    """An Envoy that reads the file of ``greeter`` in a directory."""
    folder = tmp_path / "filters"
    folder.mkdir()
    (folder / "greeter.json").write_text(json.dumps(config.resource("greeter", "0", None)))
    bootstrap = config.bootstrap(
        [entry("greeter", str(folder))], config.cluster(listener="upstream"), extra=[config.echo_in_envoy()]
    )
    process = EnvoyProcess(find_envoy(), bootstrap, Path(tempfile.mkdtemp(dir=tmp_path)))
    process.folder = folder
    yield process
    process.stop()
