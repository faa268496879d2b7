"""Host functions have shorter ways where nobody keeps a trace; they answer as the whole ones do."""

from __future__ import annotations

import random

import pytest

from wasmhub_magics.build import build_module
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy

NAMES = [":path", ":method", ":authority", ":status", ":x", "host", "Host", "x-a", "X-Mixed", "accept", "te"]
NAMES += ["user-agent", "x-request-id", "x-forwarded-proto", "server", "date", "connection", "content-type"]
NAMES += ["a-name-of-15-let", "a-name-of-16-lett", "a-name-of-17-lette", "x-envoy-retry-on"]
VALUES = ["v", "fifteen-letters", "sixteen-letters-", "a value with more than sixteen letters"]
COMMANDS = ["get", "add", "set", "del", "pairs", "size", "context"]
PHASES = ["create", "request_headers", "request_body", "response_headers", "response_body", "log", "done"]


def script(dice: random.Random) -> str:
    """Lines for the puppet that read and write headers in all phases."""
    lines = []
    for _ in range(24):
        command = dice.choices(COMMANDS, [9, 9, 2, 2, 2, 1, 1])[0]
        words = [dice.choices(PHASES, [1, 6, 1, 6, 1, 1, 1])[0], command]
        if command == "context":
            words.append(dice.choice("0129"))
        else:
            words.append(dice.choices("02138", [6, 6, 1, 1, 1])[0])
            if command in ("get", "add", "set", "del"):
                name = dice.choice(NAMES)
                # Without a status or a path the proxy answers itself, which other tests are about.
                words.append("x-b" if command in ("set", "del") and name[0] == ":" else name)
            if command in ("add", "set"):
                words.append(dice.choice(VALUES).replace(" ", "_"))
        lines.append(" ".join(words))
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(40))
def test_a_filter_gets_the_same_answers_with_a_trace_and_without(run, seed):
    dice = random.Random(seed)
    script_of_one, script_of_other = script(dice), script(dice)
    request = Request("POST", "/a", [("X-Mixed", "1"), ("x-a", ""), ("accept", "b")], body=b"body")
    response = Response(200, [("x-a", "1"), ("server", "own"), ("connection", "close")][: seed % 4], b"body")
    seen = []
    for trace in (True, False):
        proxy = run(script_of_one, script_of_other, trace=trace, seed=1, clock=1e9, upstream=response)
        exchange = proxy.send(request)
        log = [line.message for line in exchange.log]
        seen.append((log, exchange.upstream_request, exchange.response, exchange.details))
    assert seen[0] == seen[1]
    assert any(line.startswith("get ") for line in seen[0][0])


def last_bytes(allocated: str) -> Plugin:
    """A filter that reads ``:path`` by a name at the very end of its memory, and says what that answers."""
    text = f"""(module
      (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 64) "0123456789abcdef:pathanswertext")
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (i32.const {allocated}))
      (func $say (param $name i32) (param $length i32) (param $answer i32)
        (drop (call $add (i32.const 0) (local.get $name) (local.get $length)
          (i32.add (i32.const 64) (local.get $answer)) (i32.const 1))))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $say (i32.const 87) (i32.const 4)
          (call $get (i32.const 0) (i32.const 80) (i32.const 5) (i32.const 65532) (i32.const 20)))
        (memory.copy (i32.const 65531) (i32.const 80) (i32.const 5))
        (call $say (i32.const 85) (i32.const 6)
          (call $get (i32.const 0) (i32.const 65531) (i32.const 5) (i32.const 16) (i32.const 20)))
        (call $say (i32.const 86) (i32.const 5)
          (call $get (i32.const 0) (i32.const 80) (i32.const 5) (i32.const 16) (i32.const 20)))
        (call $say (i32.const 88) (i32.const 3)
          (call $get (i32.const 0) (i32.const 80) (i32.const 5) (i32.const 16) (i32.const 65533)))
        (drop (call $add (i32.const 0) (i32.const 91) (i32.const 4)
          (i32.load (i32.const 16)) (i32.load (i32.const 20))))
        (i32.const 0)))"""
    return Plugin(build_module(text, "wat", "last").module, name="last")


@pytest.mark.parametrize("trace", [True, False])
@pytest.mark.parametrize(
    ("allocated", "answers"),
    [("1024", "0006"), ("65523", "0006"), ("65524", "6666"), ("0", "6666"), ("-8", "6666")],
)
def test_a_value_is_given_only_where_the_filter_has_memory_for_it(allocated, answers, trace):
    with Proxy([last_bytes(allocated)], trace=trace) as proxy:
        for _ in range(2):  # the proxy knows the memory's size from the second time on
            headers = proxy.send(Request("GET", "/thirteen-let")).upstream_request.headers
            given = "".join(headers.get(name, "") for name in ("answer", "nswer", "swer", "wer"))
            assert given == answers
            assert headers["text"] == ("/thirteen-let" if answers[0] == "0" else "")


def test_a_filter_that_acts_for_another_stream_s_root_has_no_headers_in_hand(run):
    lines = "request_headers get 0 :path\nrequest_headers context 1\nrequest_headers get 0 :path\n"
    lines += "request_headers add 0 x-own 1\nrequest_headers context 0\nrequest_headers get 0 :path"
    exchange = run(lines, trace=False).send(Request("GET", "/own"))
    said = [line.message for line in exchange.log if line.message.startswith(("get", "add"))]
    assert said == ["get :path -> 0 /own", "get :path -> 2 ", "add x-own -> 2", "get :path -> 0 /own"]
