"""Call-outs that go to a real server."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from wasmhub_magics.errors import RequestError
from wasmhub_magics.filter import Filter
from wasmhub_magics.http import Response
from wasmhub_magics.proxy import Live

CALL = ":method=POST;:path=/check?a=b;:authority=auth;x-user=ada"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path == "/hang":
            self.rfile.read(1 << 20)  # until the caller gives up
            return
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(207)
        self.send_header("x-host", self.headers["host"])
        self.send_header("X-User", self.headers["x-user"])
        self.end_headers()
        self.wfile.write(self.path.encode() + b" " + body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def nobody():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def called(run, clusters, path="/check?a=b", timeout=0, **options):
    head = CALL.replace("/check?a=b", path)
    script = f"""request_headers call auth {timeout} {head} - hello
        request_headers return 1
        on_call get 6 :status
        on_call get 6 x-user
        on_call get 6 x-host
        on_call body 4 0 200
        on_call stream
        on_call continue 0"""
    exchange = run(script, **options).send(clusters=clusters)
    assert exchange.outcome == "complete"
    return [line.message for line in exchange.log if line.message.startswith(("get", "body"))]


def test_a_cluster_that_is_an_address_is_really_called(run, server):
    told = [
        "get :status -> 0 207",
        "get x-user -> 0 ada",
        "get x-host -> 0 auth",
        "body -> 0 /check?a=b hello",
    ]
    assert called(run, {"auth": server}) == told


def test_where_nobody_listens_the_filter_gets_503(run, nobody):
    assert called(run, {"auth": nobody})[0] == "get :status -> 0 503"


def test_a_server_that_does_not_answer_in_time_gives_504(run, server):
    assert called(run, {"auth": server}, "/hang", 100)[0] == "get :status -> 0 504"


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:99999", "://"])
def test_an_address_that_is_none_is_told_so(url):
    with pytest.raises(RequestError, match="no address"):
        Live(url)


@pytest.mark.parametrize(("text", "status"), [("418", "418"), ("refused", "503"), ("closed", "503")])
def test_a_cluster_can_be_a_word(run, text, status):
    assert called(run, {"auth": text})[0] == f"get :status -> 0 {status}"


def test_a_word_that_means_nothing_is_told_so(run):
    with pytest.raises(RequestError, match="cannot answer for the cluster auth"):
        called(run, {"auth": "sometimes"})


def test_clusters_of_one_send_leave_the_others_alone(run):
    proxy = run(
        f"request_headers call auth 0 {CALL} - x\non_call get 6 :status", clusters={"auth": Response(201)}
    )
    seen = [
        [
            line.message
            for line in proxy.send(clusters=clusters).log
            if "call ->" in line.message or "get" in line.message
        ]
        for clusters in (None, {"auth": Response(202)}, {}, None)
    ]
    assert seen == [
        ["call -> 0 4", "get :status -> 0 201"],
        ["call -> 0 8", "get :status -> 0 202"],
        ["call -> 2 0"],
        ["call -> 0 12", "get :status -> 0 201"],
    ]


def test_a_filter_takes_clusters_with_each_send(puppet):
    made = Filter(puppet(f"request_headers call auth 0 {CALL} - x\non_call get 6 :status"))
    for status in (200, 403):
        exchange = made.send(clusters={"auth": Response(status)})
        assert exchange.calls[0].answer == Response(status)
    made.restart()
