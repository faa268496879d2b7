"""Millions of exchanges of several kinds, and what becomes of memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from wasmhub_magics.filter import build
from wasmhub_magics.http import Request, Response
from wasmhub_magics.latency.memory import Memory
from wasmhub_magics.proxy import Proxy

__all__ = ["KINDS", "Soaked", "soak"]

HEADERS = r"""
#include "proxy_wasm.h"
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  PW_AUTO pw_text path = pw_get_header(PW_REQUEST_HEADERS, ":path");
  pw_add_header(PW_REQUEST_HEADERS, "x-seen", "1");
  return PW_CONTINUE;
}
"""
BODIES = r"""
#include "proxy_wasm.h"
pw_action proxy_on_request_body(uint32_t context, uint32_t size, bool end) {
  char *data = NULL; size_t length = 0;
  proxy_get_buffer_bytes(PW_REQUEST_BODY, 0, size, &data, &length);
  if (end) proxy_set_buffer_bytes(PW_REQUEST_BODY, 0, 1, "x", 1);
  free(data);
  return end ? PW_CONTINUE : PW_PAUSE;
}
"""
REPLY = r"""
#include "proxy_wasm.h"
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  proxy_send_local_response(403, "why", 3, "no", 2, NULL, 0, PW_GRPC_NONE);
  return PW_PAUSE;
}
"""
SHARED = r"""
#include "proxy_wasm.h"
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  static uint32_t metric, queue, cas;
  char *data = NULL; size_t size = 0;
  if (!metric) {
    proxy_define_metric(PW_HISTOGRAM, "soak", 4, &metric);
    proxy_register_shared_queue("q", 1, &queue);
  }
  proxy_record_metric(metric, count);
  proxy_set_shared_data("key", 3, "some value", 10, 0);
  proxy_get_shared_data("key", 3, &data, &size, &cas);
  free(data);
  data = NULL;
  proxy_enqueue_shared_queue(queue, "message", 7);
  proxy_dequeue_shared_queue(queue, &data, &size);
  free(data);
  proxy_set_property("mine", 4, "value", 5);
  return PW_CONTINUE;
}
"""
CALLS = r"""
#include "proxy_wasm.h"
static uint32_t waiting;
pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  static const pw_header headers[] = {{":method", "GET"}, {":path", "/check"}, {":authority", "auth"}};
  uint32_t token;
  waiting = context;
  return pw_http_call("auth", headers, 3, "", 1000, &token) == PW_OK ? PW_PAUSE : PW_CONTINUE;
}
void proxy_on_http_call_response(uint32_t root, uint32_t token, uint32_t n, uint32_t body, uint32_t end) {
  proxy_set_effective_context(waiting);
  proxy_continue_stream(PW_REQUEST);
}
"""
PYTHON = """
def on_request_headers(ctx):
    ctx.request.headers["x-user"] = ctx.request.headers.get("x-user", "nobody").upper()
"""


@dataclass(frozen=True)
class Kind:
    """Exchanges of one kind; ``share`` of a thousand of all exchanges."""

    name: str
    source: str
    language: str
    request: Request
    share: int


KINDS = (
    Kind("headers", HEADERS, "c", Request("GET", "/items", [(f"x-{n}", "value") for n in range(10)]), 600),
    Kind("bodies", BODIES, "c", Request("POST", "/", body=bytes(4096), chunks=[1024] * 3), 100),
    Kind("local replies", REPLY, "c", Request("POST", "/", body=b"abc"), 100),
    Kind("shared data, queues and metrics", SHARED, "c", Request(), 100),
    Kind("call-outs", CALLS, "c", Request(), 90),
    Kind("headers in Python", PYTHON, "python", Request(headers=[("x-user", "ada")]), 10),
)
CLUSTERS = {"auth": Response(200, [("x-user", "ada")], b"yes")}


@dataclass(frozen=True)
class Soaked:
    """What one kind of exchange did: guest and host memory over exchanges, and that of this process."""

    kind: Kind
    exchanges: int
    seconds: float
    memory: Memory
    process: Memory

    def __str__(self) -> str:
        rate = self.exchanges / self.seconds if self.seconds else 0.0
        return (
            f"{self.kind.name}: {self.exchanges:,} exchanges, {rate:,.0f}/s; guest and host {self.memory};"
            f" slope {self.memory.slope:.4f} B an exchange; process {self.process}"
        )


def soak(exchanges: int, say: Callable[[Soaked], None] = lambda _: None) -> Iterator[Soaked]:
    """Run so many exchanges, in the shares of their kinds."""
    process = psutil.Process()
    for kind in KINDS:
        count = exchanges * kind.share // 1000
        made = build(kind.source, kind.language, "soak")
        with Proxy([made.plugin], Response(200, body=b"ok"), clusters=CLUSTERS, trace=False) as proxy:
            proxy.loop(kind.request, max(count // 50, 1))  # what is made once is made
            samples, resident, done, started = [], [], 0, time.perf_counter()
            for step in range(21):
                loop = proxy.loop(kind.request, max(count // 20, 1)) if step else proxy.loop(kind.request, 1)
                done += loop.n
                samples.append((done, sum(loop.memory_after) + loop.host_after))
                resident.append((done, process.memory_info().rss))
            seconds = time.perf_counter() - started
        result = Soaked(kind, done, seconds, Memory(tuple(samples)), Memory(tuple(resident)))
        say(result)
        yield result
