"""A client that speaks HTTP/2, before the embedded proxy and the real Envoy."""

import pytest

from wasmhub_magics.envoy import EnvoyProxy, verify
from wasmhub_magics.errors import RequestError
from wasmhub_magics.http import Request, Response
from wasmhub_magics.proxy import Proxy

REQUESTS = (
    Request("GET", "/a?b", [("x-a", "1"), ("cookie", "a=1"), ("cookie", "b=2")], version="2"),
    Request("POST", "/", [("te", "trailers")], "one two", chunks=[3], version="2"),
    Request("POST", "/", body="body", trailers=[("x-sum", "1")], version="2"),
    Request("BREW", "/pot", body=b"x" * 200_000, version="2", scheme="https"),
)


def test_both_proxies_do_the_same_for_a_client_of_http2(plugin):
    seen = plugin(
        request_headers='LOG("headers")',
        request_body='LOG("body")',
        response_headers='ADD(2, "x-two", "2")',
    )
    report = verify([seen], REQUESTS)
    assert report.agrees, repr(report)
    assert [real.response.status for _, real in report.exchanges] == [200] * 4
    # The last frame says itself that it is the last, where HTTP/1.1 has an empty one after it.
    assert [len(mine.log) for mine, _ in report.exchanges] == [1, 3, 2, 14]


def test_trailers_reach_a_client_of_http2_beside_a_content_length():
    response = Response(200, [("content-length", "2")], "ab")
    for proxy in (Proxy([]), EnvoyProxy([])):
        with proxy:
            exchange = proxy.send(Request(version="2"), upstream=response)
            assert (exchange.response.body, exchange.response.headers["content-length"]) == (b"ab", "2")
            assert exchange.received.version == "2"


def test_a_header_that_http2_does_not_have_is_an_error_of_ours():
    with EnvoyProxy([]) as proxy, pytest.raises(RequestError, match="HTTP/2 has no header connection"):
        proxy.send(Request(headers=[("connection", "close")], version="2"))


def test_metadata_goes_both_ways_over_http2_and_filters_count_it(plugin):
    counting = plugin(request_metadata='LOG("asked")', response_metadata='LOG("answered")')
    request = Request("POST", "/", body="body", version="2", metadata=[{"rtt": "1", "n": "2"}, {"rtt": "3"}])
    response = Response(200, body="answer", metadata=[{"n": "4"}])
    for proxy in (Proxy, EnvoyProxy):
        with proxy([counting], response, upstream_version="2") as both:
            exchange = both.send(request)
        assert [line.message for line in exchange.log] == ["asked", "asked", "answered"]
        assert [dict(each) for each in exchange.upstream_request.metadata] == [
            {"rtt": "1", "n": "2"},
            {"rtt": "3"},
        ]
        assert (exchange.response.body, exchange.response.metadata) == (b"answer", response.metadata)


def test_metadata_that_http1_cannot_carry_is_an_error_of_ours():
    with pytest.raises(RequestError, match=r"HTTP/1.1 carries no metadata"):
        Request(metadata=[{"rtt": "1"}])
    for proxy in (Proxy([]), EnvoyProxy([])):
        with proxy, pytest.raises(RequestError, match=r"HTTP/1.1 carries no metadata"):
            proxy.send(upstream=Response(metadata=[{"rtt": "1"}]))
