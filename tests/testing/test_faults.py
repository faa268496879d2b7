"""Filters that fail on purpose, and what clients see of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from wasmhub_magics import build
from wasmhub_magics.errors import RequestError
from wasmhub_magics.filter import Filter
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy import Proxy
from wasmhub_magics.testing import Fault, faulty, simulate
from wasmhub_magics.testing.fault import Kind

PYTHON = "def on_request_headers(ctx):\n    ctx.request.headers['x-seen'] = 'yes'\n"
WAT = """(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) i32.const 8))"""


@pytest.fixture(scope="module", params=["python", "wat"])
def made(request: pytest.FixtureRequest) -> Filter:
    return {"python": lambda: build(PYTHON, name="seen"), "wat": lambda: build(WAT, "wat", name="seen")}[
        request.param
    ]()


def test_a_module_with_a_fault_does_what_it_did_until_the_call_that_fails() -> None:
    made = build(PYTHON, name="seen")
    module = faulty(made.module, Fault("trap", call=3))
    module.check()
    with Proxy([made.plugin.replace(module=module)]) as proxy:
        seen = [proxy.send() for _ in range(4)]
    assert [each.response.status if each.response else None for each in seen] == [200, 200, 503, 503]
    assert [each.upstream_request.headers["x-seen"] for each in seen[:2] if each.upstream_request] == [
        "yes"
    ] * 2


@pytest.mark.parametrize("kind", ["trap", "time-out", "memory"])
def test_each_fault_fails_in_its_callback(made: Filter, kind: Kind) -> None:
    told = {"trap": "unreachable", "time-out": "limit callback_seconds", "memory": "limit memory_bytes"}[kind]
    for callback in ("proxy_on_request_headers", "proxy_on_response_headers"):
        found = simulate(made, Fault(kind, callback), policies=["closed"])
        failed = found["closed"].failed
        assert failed is not None
        message = failed.log[-1].message
        assert f"Function: {callback} failed" in message
        assert told in message
        assert (failed.upstream_request is not None) == (callback == "proxy_on_response_headers")


def test_clients_see_what_the_policy_says() -> None:
    found = simulate(build(PYTHON, name="seen"), Fault("trap", call=2))
    statuses = {
        outcome.policy: [each.response.status if each.response else None for each in outcome.exchanges]
        for outcome in found.outcomes
    }
    assert statuses == {"closed": [503, 503, 503], "open": [503, 200, 200], "reload": [503, 503, 200]}
    assert "reload" in str(found)
    assert "proxy_on_request_headers failed" in str(found)


def test_a_slow_machine_does_not_bring_the_reload_forward() -> None:
    def slow(request: Request) -> Response:
        time.sleep(1.1)
        return Response(200)

    fault = Fault("trap", call=2)
    found = simulate(build(PYTHON, name="seen"), fault, upstream=slow, policies=["reload"])
    assert [row[1:4] for row in found.rows()] == [
        ("503, wasm_fail_stream", "503, wasm_fail_stream", "200, upstream asked")
    ]


def test_real_envoy_fails_the_same_way() -> None:
    made = build(PYTHON, name="seen")
    fault = Fault("trap", call=2)
    embedded, real = simulate(made, fault), simulate(made, fault, engine="envoy")
    for policy in ("closed", "open", "reload"):
        pairs = zip(embedded[policy].exchanges, real[policy].exchanges, strict=True)
        for mine, other in pairs:
            assert mine.response is not None
            assert other.response is not None
            assert mine.response.status == other.response.status, (policy, embedded, real)
            assert mine.details == other.details


def test_a_fault_at_the_start_is_told(made: Filter) -> None:
    found = simulate(made, Fault("trap", "proxy_on_configure"))
    assert all("did not start" in row[1] for row in found.rows())
    assert all("proxy_on_configure" in outcome.error for outcome in found.outcomes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fault("fire"),  # type: ignore[arg-type]
        lambda: Fault("trap", "proxy_on_lunch"),
        lambda: Fault("trap", call=0),
    ],
)
def test_a_fault_that_there_is_not_is_refused(make: Callable[[], Fault]) -> None:
    with pytest.raises(RequestError):
        make()


def test_the_request_that_fails_may_have_a_body() -> None:
    found = simulate(
        build(PYTHON, name="seen"), Fault("trap", "proxy_on_request_body"), Request("POST", "/", body="abc")
    )
    assert found["closed"].failed is not None
    assert found["closed"].failed.details == "wasm_fail_stream"
