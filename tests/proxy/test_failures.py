"""A filter that fails: the policy acts, the log tells why, and the proxy lives."""

from __future__ import annotations

import pytest

from wasmhub_magics.errors import StartError
from wasmhub_magics.http import Request, Response

REQUEST = Request("POST", "/", body="x", trailers={"x-t": "1"})
UPSTREAM = Response(200, body="abc", trailers={"x-u": "1"})
BEFORE_THE_RESPONSE = ("create", "request_headers", "request_body", "request_trailers", "response_headers")
AFTER_IT_STARTED = ("response_body", "response_trailers")
AT_THE_END = ("log", "done", "delete")
CALLBACK = {"create": "proxy_on_context_create"}


@pytest.mark.parametrize("policy", ["closed", "open", "reload"])
@pytest.mark.parametrize("phase", [*BEFORE_THE_RESPONSE, *AFTER_IT_STARTED, *AT_THE_END])
def test_a_trap_in_each_callback_under_each_policy(run, puppet, phase, policy):
    proxy = run(puppet(f"{phase} trap", failure_policy=policy), upstream=UPSTREAM)
    first, second = proxy.send(REQUEST), proxy.send(REQUEST)

    errors = [line.message for line in first.log if line.level == "error"]
    callback = CALLBACK.get(phase, f"proxy_on_{phase}")
    assert len(errors) == 1
    assert errors[0].startswith(f"Function: {callback} failed: Uncaught RuntimeError: unreachable")
    assert callback in errors[0].partition("backtrace:")[2]

    if phase in BEFORE_THE_RESPONSE:
        assert (first.response.status, first.response.body, first.details) == (503, b"", "wasm_fail_stream")
    elif phase in AFTER_IT_STARTED:
        assert (first.outcome, first.response) == ("reset", None)
    else:
        assert (first.outcome, first.response.status) == ("complete", 200)

    if policy == "open":
        assert (second.response.status, second.details) == (200, "via_upstream")
    else:
        assert (second.response.status, second.details) == (503, "wasm_fail_stream")
    assert not second.log


def test_with_the_policy_to_reload_a_new_vm_comes_after_the_back_off(run, puppet):
    proxy = run(puppet("request_headers trap", failure_policy="reload", reload_seconds=200))
    assert proxy.send().response.status == 503
    assert not proxy.send().log
    proxy.tick(200)
    reloaded = proxy.send().log
    assert any("unreachable" in line.message for line in reloaded)
    assert not proxy.send().log


def test_plugins_with_other_policies_keep_the_failed_vm_that_they_shared(run, puppet):
    chain = [
        puppet("", name="a", vm_id="x", failure_policy="open"),
        puppet("log trap", name="b", vm_id="x", failure_policy="reload"),
    ]
    proxy = run(*chain)
    proxy.send()
    assert proxy.send().details == "wasm_fail_stream"
    proxy.tick(2)
    exchange = proxy.send()
    assert exchange.response.status == 200
    assert {line.plugin for line in exchange.log} == {"b"}


def test_a_plugin_that_does_not_start_again_goes_on_being_refused(run, puppet):
    script = "request_headers setdata n 0 1\nrequest_headers trap\nconfigure refuseif n"
    proxy = run(puppet(script, failure_policy="reload"))
    assert proxy.send().log
    for _ in range(2):
        proxy.tick(1)
        exchange = proxy.send()
        assert exchange.details == "wasm_fail_stream"
        assert [line.message for line in exchange.log][-1:] == ["configure 1 1 0"]


def test_a_plugin_that_traps_when_it_starts_again_says_so(run, puppet):
    script = "request_headers setdata n 0 1\nrequest_headers trap\nconfigure trapif n"
    proxy = run(puppet(script, failure_policy="reload"))
    proxy.send()
    proxy.tick(1)
    assert "unreachable" in proxy.send().log[-1].message


def test_with_a_fixed_clock_only_the_proxys_own_time_counts(run, puppet):
    proxy = run(
        puppet("request_headers trap", failure_policy="reload", reload_seconds=0.001), clock=0, seed=1
    )
    assert proxy.send().log
    assert [proxy.send().log for _ in range(20)] == [()] * 20
    proxy.tick(0.001)
    assert proxy.send().log


def test_plugins_that_share_a_vm_fail_together(run, puppet):
    chain = [puppet("", name="a", vm_id="x"), puppet("request_headers trap", name="b", vm_id="x")]
    proxy = run(*chain)
    assert [proxy.send().response.status for _ in range(2)] == [503, 503]


def test_another_vm_goes_on(run, puppet):
    failing = puppet("log trap", name="a", vm_id="1", failure_policy="open")
    proxy = run(failing, puppet("", name="b", vm_id="2"))
    proxy.send()
    exchange = proxy.send()
    assert exchange.response.status == 200
    assert {line.plugin for line in exchange.log} == {"b"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("outside", "memory access out of bounds"),
        ("divide", "divide by zero"),
        ("trap", "unreachable"),
    ],
)
def test_a_trap_is_told_in_the_words_of_envoy(run, command, words):
    exchange = run(f"request_headers {command}").send()
    assert f"Uncaught RuntimeError: {words}" in exchange.log[-1].message


def test_a_trace_shows_where_it_trapped(run):
    trace = run("request_headers get 0 :path\nrequest_headers trap").send().trace
    trapped = [callback for callback in trace if callback.trapped]
    assert [callback.name for callback in trapped] == ["proxy_on_request_headers"]
    assert "proxy_get_header_map_value" in [call.name for call in trapped[0].calls]


@pytest.mark.parametrize("phase", ["create_root", "vm_start", "configure"])
def test_a_trap_at_the_start_says_which_callback_and_brings_the_log(run, phase):
    callback = {"create_root": "proxy_on_context_create"}.get(phase, f"proxy_on_{phase}")
    with pytest.raises(StartError, match=callback) as raised:
        run(f"{phase} log 2 so far so good\n{phase} trap")
    assert "so far so good" in [line.message for line in raised.value.log]


@pytest.mark.parametrize("phase", ["vm_start", "configure"])
def test_a_plugin_may_refuse_to_start(run, phase):
    with pytest.raises(StartError, match=f"proxy_on_{phase} returned 0") as raised:
        run(f"{phase} log 4 I will not\n{phase} return 0")
    assert "I will not" in [line.message for line in raised.value.log]


def test_an_empty_answer_to_grpc_carries_unavailable(run):
    request = Request("POST", "/s/m", [("content-type", "application/grpc")])
    response = run("request_headers trap").send(request).response
    assert (response.status, response.headers["grpc-status"]) == (200, "14")


def test_names_that_ask_for_names_without_end_are_a_trap_like_another(run):
    exchange = run("request_headers dns 127.0.0.1\non_dns dns 127.0.0.1").send()
    assert "Maximum call stack size exceeded" in exchange.log[-1].message
    assert exchange.details == "wasm_fail_stream"
