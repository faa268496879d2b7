"""A filter that has taken all memory it can get, and asks for calls: they fail, or they go out whole."""

from __future__ import annotations

from collections import Counter

import pytest

from wasmhub_magics.build import build_module
from wasmhub_magics.http import Request, Response
from wasmhub_magics.plugin import Limits, Plugin
from wasmhub_magics.proxy import Grpc, GrpcReply
from wasmhub_magics.proxy.grpc import GrpcCall

SMALL = 700
SOURCE = r"""
#include "proxy_wasm.h"
enum { BIG = (1 << 20) - 16, LARGE = 200000, PAGES = (1 << 18) - 16, PAGE = (1 << 16) - 16, SMALL = 700 };
static char bytes[BIG];

static void fill(int more) {
  uint32_t queue = 0;
  proxy_register_shared_queue("q", 1, &queue);
  while (proxy_enqueue_shared_queue(queue, bytes, BIG) == 0) {}
  while (more-- > 0) proxy_enqueue_shared_queue(queue, bytes, PAGE);
  while (proxy_enqueue_shared_queue(queue, bytes, PAGES) == 0) {} /* four pages each */
}

static void web(uint32_t size) {
  static const char headers[] =
      "\3\0\0\0\7\0\0\0\3\0\0\0\5\0\0\0\1\0\0\0\n\0\0\0\1\0\0\0:method\0GET\0:path\0/\0:authority\0a";
  uint32_t token = 0;
  if (proxy_http_call("web", 3, headers, sizeof headers, bytes, size, "", 0, 1000, &token) == 0)
    proxy_log(PW_LOG_INFO, "web", 3);
}

static void call(uint32_t size) {
  uint32_t token = 0;
  if (proxy_grpc_call("rpc", 3, "s", 1, "call", 4, "", 0, bytes, size, 1000, &token) == 0)
    proxy_log(PW_LOG_INFO, "call", 4);
}

static void stream(uint32_t size) {
  uint32_t token = 0;
  if (proxy_grpc_stream("rpc", 3, "s", 1, "stream", 6, "", 0, &token) != 0) return;
  proxy_log(PW_LOG_INFO, "stream", 6);
  if (proxy_grpc_send(token, bytes, size, 0) == 0) proxy_log(PW_LOG_INFO, "large", 5);
  if (proxy_grpc_send(token, bytes, SMALL, 0) == 0) proxy_log(PW_LOG_INFO, "small", 5);
  proxy_grpc_close(token);
}

pw_action proxy_on_request_headers(uint32_t context, uint32_t count, bool end) {
  PW_AUTO pw_text path = pw_get_header(PW_REQUEST_HEADERS, ":path");
  for (size_t i = 0; i < BIG; i++) bytes[i] = 'x';
  if (pw_starts_with(path, "/fill")) fill(path.data[5] - '0');
  else if (pw_equal(path, "/web")) web(LARGE);
  else if (pw_equal(path, "/call")) call(LARGE);
  else if (pw_equal(path, "/stream")) stream(LARGE);
  else web(SMALL), call(SMALL), stream(SMALL);
  return PW_CONTINUE;
}
"""


def test_calls_that_find_no_memory_fail_and_the_others_go_out_whole(run):
    module = build_module(SOURCE, "c", "scarce").module
    plugin = Plugin(module, name="scarce", limits=Limits(callback_seconds=30))
    asked: Counter[str] = Counter()
    messages: Counter[bytes] = Counter()

    def rpc(call: GrpcCall) -> GrpcReply | None:
        if not call.ended:
            return None
        asked[call.method] += 1
        messages.update(call.messages)
        return GrpcReply(b"yes")

    def web(request: Request) -> Response:
        asked["web"] += 1
        messages[request.body] += 1
        return Response(200)

    def granted(*paths: str) -> Counter[str]:
        asked.clear()
        messages.clear()
        words: Counter[str] = Counter()
        for path in paths:
            exchange = proxy.send(Request("GET", path))
            assert (exchange.outcome, exchange.details) == ("complete", "via_upstream")
            words.update(line.message for line in exchange.log)
        assert asked == +Counter({each: words[each] for each in ("web", "call", "stream")})
        return words

    for more in range(4):  # how many pages of memory are left is not known
        with run(plugin, clusters={"rpc": Grpc(rpc), "web": web}, trace=False) as proxy:
            assert granted("/small", "/small") == {"web": 2, "call": 2, "stream": 2, "large": 2, "small": 2}
            granted(f"/fill{more}")
            words = granted(*("/web", "/call", "/stream", "/small") * 3)
            assert set(messages) <= {b"x" * SMALL}
            if words == {"web": 3, "call": 3, "stream": 6, "large": 3, "small": 6}:
                return
    pytest.fail("no filter found room for what is small only")
