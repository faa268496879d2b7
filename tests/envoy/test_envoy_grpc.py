"""gRPC calls and streams: the embedded proxy does what the real Envoy does."""

from __future__ import annotations

import pytest

from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy import Delay, Failure, Grpc, GrpcReply, Proxy


def watch(call):
    """Answers each message by itself, and the end by a count."""
    if call.ended:
        return GrpcReply(str(len(call.messages)), trailers={"x-count": str(len(call.messages))})
    return GrpcReply(call.message, status=None, metadata={"x-method": call.method})


CLUSTERS = {
    "auth": GrpcReply(b"yes", metadata={"x-a": "b"}, trailers={"x-t": "1"}),
    "watch": Grpc(watch),
    "two": GrpcReply(b"one", b"two"),
    "none": GrpcReply(),
    "blank": GrpcReply(b""),
    "denied": GrpcReply(status=7, message="no% \u00e9", trailers={"x-t": "1"}),
    "gone": GrpcReply(b"x", status=16, message="gone"),
    "each": GrpcReply(b"tick", status=None),
    "late": Delay(1.0, GrpcReply(b"late")),
    "soon": Delay(0.05, GrpcReply(b"soon")),
    "refused": Grpc(Failure("refused")),
    "closed": Grpc(Failure("closed")),
    "broken": Grpc(Failure("broken")),
    "silent": Grpc(Failure("silent")),
    "503": Grpc(Response(503, [("x-a", "b")], b"busy")),
    "404": Grpc(Response(404, [("grpc-status", "5")])),
    "junk": Grpc(Response(200, [("content-type", "application/grpc")], b"\2\0\0\0\1x")),
    "cut": Grpc(Response(200, body=b"\0\0\0\0\5x", trailers={"grpc-status": "0"})),
    "unfinished": Grpc(Response(200, body=b"\0\0\0\0\1x")),
    "statusless": Grpc(Response(200, body=b"\0\0\0\0\1x", trailers={"x-t": "1"})),
    "odd": GrpcReply(b"x", status=99),
    "http": lambda request: Response(200, body=b"\0\0\0\0\1x", trailers={"grpc-status": "0"}),
}
TELL = """
on_initial pairs 4
on_initial get 4 x-a
on_initial add 4 a b
on_initial size 4
on_initial pairs 5
on_receive body 5 0 100
on_receive bodysize 5
on_receive status
on_receive get 4 x-a
on_trailing pairs 5
on_trailing get 5 grpc-status
on_trailing body 5 0 9
on_close status
on_close pairs 5
"""
GO_ON = """
on_receive stream
on_receive status
on_receive continue 0
on_close stream
on_close status
on_close continue 0
"""
REQUESTS = [Request(), Request("POST", body="abc")]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_both_proxies_agree_on_a_call(beside, cluster):
    script = f"request_headers grpc {cluster} 400 x-one=1;te=x;X-Two=2 payload\nrequest_headers return 1"
    beside(script + TELL + GO_ON, REQUESTS, CLUSTERS)


@pytest.mark.parametrize("cluster", [name for name in CLUSTERS if name not in ("silent", "late")])
def test_both_proxies_agree_on_a_stream(beside, cluster):
    script = f"""
request_headers grpcstream {cluster} x-one=1
request_headers grpcsend 0 0 first
request_headers grpcsend 0 1 second
request_headers return 1
{TELL}
on_close grpcclose 0
on_close grpcclose 0
on_close stream
on_close continue 0"""
    beside(script, REQUESTS, CLUSTERS)


REFUSALS = """
request_headers grpc nobody 100 - x
request_headers grpcstream nobody -
request_headers grpcsend 6 0 x
request_headers grpcsend 5 0 x
request_headers grpcsend 4 0 x
request_headers grpcsend 7 0 x
request_headers grpccancel 4
request_headers grpccancel 5
request_headers grpccancel 6
request_headers grpccancel 7
request_headers grpcclose 4
request_headers grpcclose 9
request_headers grpcclose 10
request_headers pairs 4
request_headers pairs 5
request_headers body 5 0 9
request_headers get 4 x
request_headers add 5 x y
request_headers size 5
"""
ENDS = {
    "cancel of a call": "grpc late 0 - x\nrequest_headers grpccancel 0\nrequest_headers grpccancel 0",
    "close of a call": "grpc late 0 - x\nrequest_headers grpcclose 0\nrequest_headers grpcsend 0 0 x",
    "cancel of a stream": "grpcstream watch -\nrequest_headers grpccancel 0\nrequest_headers grpcsend 0 0 x",
    "close of a stream": "grpcstream watch -\nrequest_headers return 1\nrequest_headers grpcclose 0",
    "send after an end": "grpcstream watch -\nrequest_headers return 1\nrequest_headers grpcsend 0 1 a",
    "an answer to each message": """grpcstream watch -
        request_headers grpcsend 0 0 a
        request_headers return 1
        on_receive grpcsend 0 1 b""",
}


def test_both_proxies_refuse_the_same_calls(beside):
    beside(REFUSALS + TELL, REQUESTS, CLUSTERS)


@pytest.mark.parametrize("name", ENDS)
def test_both_proxies_agree_on_the_end_of_a_call(beside, name):
    # One request: over a connection that is there already Envoy would show a cancelled call to its cluster.
    beside(
        f"request_headers {ENDS[name]}\n{TELL}on_close stream\non_close continue 0", REQUESTS[:1], CLUSTERS
    )


def test_both_proxies_agree_on_large_messages(beside, puppet):
    clusters = {"large": Grpc(lambda call: GrpcReply(call.message * 50_000, b"end"))}
    script = "request_headers grpcstream large -\nrequest_headers grpcsend 0 1 0123456789"
    script += "\nrequest_headers return 1"
    tell = "on_receive bodysize 5\non_receive body 5 499990 20\non_close stream\non_close continue 0"
    exchanges = beside(f"{script}\n{tell}", REQUESTS[:1], clusters)
    assert "bodysize -> 0 500000 0" in [line.message for line in exchanges[0][0].log]


def test_a_call_from_a_timer_is_told_to_the_root_context(puppet):
    script = "configure tick 50\non_tick grpc auth 0 - x\non_tick tick 0\non_receive body 5 0 9"
    with Proxy(puppet(script), clusters=CLUSTERS) as embedded:
        activity = embedded.tick(1)
    assert [line.message for line in activity.log][-2:] == ["received 1 5 3", "body -> 0 yes"]
    assert activity.calls[0].messages == (b"x",)


def test_what_a_grpc_function_raises_comes_out_of_send(puppet):
    def fail(call):
        raise LookupError(call.method)

    script = "request_headers grpc auth 300 - x\nrequest_headers return 1"
    for proxy in (EnvoyProxy, Proxy):
        with (
            proxy(puppet(script), clusters={"auth": Grpc(fail)}) as running,
            pytest.raises(LookupError, match="Check"),
        ):
            running.send()


@pytest.mark.parametrize(
    "call",
    [
        "grpc %auth 0 x-one=1 x",
        "grpc %auth:other 100 - x",
        "grpcstream %auth:other x-one=1\nrequest_headers grpcsend 0 1 x",
        "grpc %nobody 0 - x",
        "grpcstream %nobody -",
    ],
)
def test_both_proxies_agree_on_a_service_that_is_a_message(beside, call):
    script = f"request_headers {call}\nrequest_headers return 1\n{TELL}{GO_ON}"
    beside(script, REQUESTS, CLUSTERS)


def test_a_name_that_reads_as_a_message_without_a_target_is_refused_with_a_warning(puppet):
    # It ends Envoy: "empty" is a field of a protobuf message.
    with Proxy(puppet("request_headers grpc empty 0 - x"), clusters={"empty": GrpcReply(b"x")}) as embedded:
        exchange = embedded.send()
    assert "grpc -> 2 77" in [line.message for line in exchange.log]
    assert "without a target" in exchange.warnings[0]
