"""%wasm_push, %wasm_pull, %wasm_search with the local store; %wasm_deploy and its fellows."""

from __future__ import annotations

import urllib.request

from tests.notebook.conftest import Shell
from wasmhub_magics.errors import HubError


def test_what_is_pushed_to_the_local_store_is_found_and_pulled(greeter: Shell) -> None:
    image = greeter.run("%wasm_push greeter demo/greeter:v1 --description 'says hello'")
    assert image.digest.startswith("sha256:")
    assert "demo/greeter" in repr(greeter.run("%wasm_search hello"))
    pulled = greeter.run("%wasm_pull demo/greeter:v1 --as again")
    assert pulled.digest == greeter.run("%wasm_filter greeter").digest
    assert greeter.ip.user_ns["again"] is pulled


def test_names_of_variables_are_expanded_in_references(greeter: Shell) -> None:
    greeter.run("tag = 'v7'")
    assert str(greeter.run("%wasm_push greeter demo/greeter:{tag}").reference).endswith(":v7")


def test_an_image_that_is_not_there_is_told(shell: Shell) -> None:
    error = shell.fail("%wasm_pull demo/nothing:v1")
    assert isinstance(error, HubError)
    assert "demo/nothing" in str(error)


def test_a_filter_is_deployed_seen_swapped_and_taken_down(greeter: Shell) -> None:
    try:
        deployment = greeter.run("%wasm_deploy greeter --to envoy")
        with urllib.request.urlopen(deployment.url, timeout=10) as answer:
            assert answer.status == 200
        assert "greeter" in repr(greeter.run("%wasm_status"))
    finally:
        greeter.run("%wasm_undeploy greeter")
    assert "greeter" not in repr(greeter.run("%wasm_status"))
