"""Metrics, shared data, queues, timers and call-outs: the embedded proxy does what the real Envoy does."""

from __future__ import annotations

import pytest

from wasmhub_magics.envoy import EnvoyProxy, verify
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy import Delay, Failure, Proxy

HEADERS = ":method=GET;:path=/;:authority=auth;x-one=1"
REQUESTS = [Request("POST", body="abc"), Request()]
CLUSTERS = {
    "auth": Response(403, [("x-a", "b")], b"no"),
    "echo": lambda request: Response(200, [("x-a", request.path)], request.body),
    "empty": Response(204),
    "many": Response(200, [(f"x-{n}", "1") for n in range(120)]),
    "trailers": Response(200, body="x", trailers={"x-t": "1"}),
    "late": Delay(1.0),
    "refused": Failure("refused"),
    "closed": Failure("closed"),
    "broken": Failure("broken"),
    "silent": Failure("silent"),
}
ANSWER = """
on_call get 6 :status
on_call get 6 x-a
on_call get 6 content-length
on_call pairs 7
on_call body 4 0 200
on_call bodysize 4
on_call get 7 x-t
on_call set 6 a b
on_call size 6
on_call status
on_call stream
on_call get 6 :status
on_call status
on_call continue 0
"""


METRICS = """
request_headers define 0 c
request_headers define 1 g
request_headers define 2 h
request_headers define 3 x
request_headers define 0 c
request_headers increment 4 2
request_headers increment 4 0
request_headers increment 4 -1
request_headers increment 5 3
request_headers increment 5 -1
request_headers increment 6 1
request_headers increment 7 1
request_headers increment 0 1
request_headers increment 12 1
request_headers record 4 5
request_headers record 5 7
request_headers record 6 7
request_headers record 7 7
request_headers record 12 7
request_headers metric 4
request_headers metric 8
request_headers metric 5
request_headers metric 6
request_headers metric 7
request_headers metric 12
"""
SHARED = """
request_headers getdata a
request_headers setdata a 7 one
request_headers getdata a
request_headers setdata a 7 two
request_headers setdata a 1 two
request_headers getdata a
request_headers setdata a 0
request_headers getdata a
"""
QUEUES = """
configure register q
request_headers resolve - q
request_headers resolve other q
request_headers resolve - none
request_headers enqueue 1 a
request_headers enqueue 1 b
request_headers enqueue 9 b
request_headers dequeue 9
on_queue dequeue 1
response_headers dequeue 1
response_headers enqueue 1 c
"""
TICKS = """
request_headers tick 100
request_headers return 1
on_tick context 2
on_tick continue 0
on_tick tick 0
"""
REFUSED = f"""
request_headers call nobody 100 {HEADERS} -
request_headers call auth -1 {HEADERS} -
request_headers call auth 100 :method=GET;:path=/ -
request_headers call auth 100 :method=GET;:authority=a -
request_headers call auth 100 :path=/;:authority=a -
request_headers call auth 100 - -
request_headers get 6 :status
request_headers pairs 6
request_headers body 4 0 10
request_headers size 6
request_headers status
"""
REPLY = f"""
request_headers call auth 300 {HEADERS} -
request_headers return 1
on_call reply 403 -1 d no
on_call stream
on_call reply 401 -1 d no
"""
RESPONSE = f"""
response_headers call auth 300 {HEADERS} -
response_headers return 1
on_call stream
on_call add 2 a b
on_call continue 1
"""
FOREIGN = f"""
request_headers foreign uncompress nothing
request_headers foreign uncompress
request_headers foreign nothing x
request_headers foreign clear_route_cache
request_headers roundtrip hello hello hello hello
request_headers roundtrip
request_headers roundtrip {"abcdefghij klmnop" * 1500}
request_headers state envoy.string abc
request_headers state envoy.string
request_headers state envoy.hashable_string abc
request_headers state envoy.tcp_proxy.cluster abc
request_headers state envoy.network.upstream_server_name abc
request_headers state envoy.network.application_protocols h2
request_headers state envoy.network.upstream_subject_alt_names a,b
request_headers state envoy.upstream.dynamic_host abc
request_headers state envoy.upstream.dynamic_port 007
request_headers state envoy.upstream.dynamic_port 70000
request_headers state envoy.upstream.dynamic_port x
request_headers state envoy.upstream.dynamic_port -1
request_headers state envoy.ratelimit.hits_addend 3
request_headers state nothing 3
request_headers foreign set_envoy_filter_state x
request_headers foreign set_envoy_filter_state
"""
SCRIPTS = {
    "foreign functions": FOREIGN,
    "metrics": METRICS,
    "shared data": SHARED,
    "queues": QUEUES,
    "ticks": TICKS,
    "refused": REFUSED,
    "reply": REPLY,
    "response": RESPONSE,
    "headers of a call": f"""
request_headers call echo 0 :method=POST;:path=/p;host=h;te=trailers;x-one=1;x-one=2 -
request_headers return 1
{ANSWER}
""",
    "a call without a body to answer": f"""
request_headers call auth 0 :method=HEAD;:path=/;:authority=h -
request_headers return 1
{ANSWER}
""",
    "an answer with too many headers": f"""
request_headers call many 0 {HEADERS} -
request_headers return 1
{ANSWER}
""",
    "trailers of a call": f"""
request_headers call trailers 0 {HEADERS} x-t=1 abc
request_headers return 1
{ANSWER}
""",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_proxies_agree(puppet, name):
    report = verify([puppet(SCRIPTS[name])], REQUESTS, clusters=CLUSTERS, timeout=1.5)
    assert report.agrees, repr(report)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_both_proxies_agree_on_the_answer_of_a_cluster(puppet, cluster):
    script = f"request_headers call {cluster} 300 {HEADERS} - payload\nrequest_headers return 1\n{ANSWER}"
    report = verify([puppet(script)], REQUESTS, clusters=CLUSTERS, timeout=1.5)
    assert report.agrees, repr(report)


def test_a_trap_in_the_answer_leaves_the_request_paused_in_both(puppet):
    script = f"request_headers call auth 300 {HEADERS} -\nrequest_headers return 1\non_call trap"
    report = verify([puppet(script)], REQUESTS[:1], clusters=CLUSTERS, timeout=0.5)
    assert report.agrees, repr(report)
    assert report.exchanges[0][1].outcome == "paused"


def test_the_metrics_of_a_filter_are_the_same_in_both(puppet):
    plugin = puppet(METRICS)
    with EnvoyProxy(plugin) as real, Proxy(plugin) as embedded:
        real.send()
        embedded.send()
        assert real.metrics == {**embedded.metrics.counters, **embedded.metrics.gauges} == {"c": 7, "g": 7}


def test_what_a_cluster_function_raises_comes_out_of_send(puppet):
    def fail(request):
        raise LookupError(request.path)

    script = f"request_headers call auth 300 {HEADERS} -\nrequest_headers return 1"
    with EnvoyProxy(puppet(script), clusters={"auth": fail}) as proxy, pytest.raises(LookupError):
        proxy.send()
