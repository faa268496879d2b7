"""TCP connections through network filters: the embedded proxy does what the real Envoy does."""

from __future__ import annotations

import pytest
from machine.tcp import RealTcp

from wasmhub_magics.http import Response
from wasmhub_magics.proxy import Proxy

LOOK = """
downstream body 2 0 99
downstream bodysize 2
upstream body 3 0 99
upstream bodysize 3
"""
CLUSTER = (b"\x0a\x17envoy.tcp_proxy.cluster" + b"\x12\x03tcp").hex()
UNKNOWN = (b"\x0a\x07nothing" + b"\x12\x01x").hex()
SCRIPTS = {
    "nothing": "",
    "looks": LOOK
    + """
connection body 2 0 9
connection bodysize 3
downstream body 3 0 9
upstream body 2 0 9
downstream_close body 2 0 9
log body 3 0 9
""",
    "rewrites": """
downstream putbody 2 0 0 before-
downstream putbody 2 99 0 -after
upstream putbody 3 0 999 changed
connection putbody 2 0 0 x
log putbody 3 0 0 x
""",
    "holds back until the end": LOOK + "downstream return 1\ndownstream_end return 0\n",
    "holds the answer back": LOOK + "upstream return 1\nupstream_end return 0\n",
    "goes on by itself": "downstream return 1\ndownstream continue 2\n" + LOOK,
    "closes at a piece": "downstream close 2\n" + LOOK,
    "closes at an answer": "upstream close 3\n" + LOOK,
    "refuses streams of HTTP": """
downstream continue 0
downstream continue 3
downstream continue 9
downstream close 0
downstream close 9
downstream get 0 :path
downstream pairs 0
downstream add 2 a b
""",
    "properties": """
connection prop plugin_name
connection prop request.path
connection prop response.code
connection prop connection.mtls
connection prop connection.requested_server_name
connection prop connection.nothing
connection prop upstream.address
connection prop nothing
connection setprop mine value
downstream prop mine
log prop mine
""",
    "names the cluster": f"""
connection hexforeign set_envoy_filter_state {CLUSTER}
connection hexforeign set_envoy_filter_state {UNKNOWN}
downstream hexforeign set_envoy_filter_state {CLUSTER}
log hexforeign set_envoy_filter_state {CLUSTER}
""",
    "traps at the start": "connection trap",
    "traps at a piece": "downstream trap",
    "traps at an answer": "upstream trap",
    "traps at the end": "downstream_close trap",
    "traps in the log": "log trap",
}


def compare(plugins, connections, abort=False):
    real = RealTcp([tuple(plugins)])
    try:
        with Proxy(plugins) as embedded:
            for pieces in connections:
                mine = embedded.connect(pieces, lambda data: b"<" + data + b">", abort=abort)
                theirs = real.connect(pieces, lambda data: b"<" + data + b">", abort)
                lines = [line.message.partition("\n")[0] for line in mine.log]
                assert (mine.upstream_received, mine.client_received) == theirs[:2]
                assert lines == theirs[2]
    finally:
        real.close()


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_proxies_agree_on_connections(puppet, name):
    compare([puppet(SCRIPTS[name])], ([b"one", b"two"], [b"three"]))


def test_both_proxies_agree_on_a_client_that_goes_away(puppet):
    compare([puppet(LOOK)], ([b"one"],), abort=True)


@pytest.mark.parametrize("policy", ["closed", "open"])
def test_both_proxies_agree_on_failed_plugins(puppet, policy):
    compare([puppet("downstream trap", failure_policy=policy)], ([b"one"], [b"two"], [b"three"]))


def test_both_proxies_agree_on_a_chain(puppet):
    chain = [
        puppet("downstream putbody 2 0 0 1\nupstream putbody 3 0 0 1", name="a", vm_id="a"),
        puppet("downstream putbody 2 0 0 2\nupstream putbody 3 0 0 2", name="b", vm_id="b"),
    ]
    compare(chain, ([b"x", b"y"],))


def test_a_call_out_lets_a_held_connection_go_on(puppet):
    script = """downstream call auth 0 :method=GET;:path=/;:authority=a - x
        downstream return 1
        on_call stream
        on_call body 4 0 9
        on_call continue 2"""
    with Proxy(puppet(script), clusters={"auth": Response(200, body="yes")}) as embedded:
        connection = embedded.connect(b"hello")
    assert connection.upstream_received == b"hello"
    assert connection.calls[0].cluster == "auth"
    assert "body -> 0 yes" in [line.message for line in connection.log]
    assert [c.name for c in connection.trace][:3] == [
        "proxy_on_context_create",
        "proxy_on_new_connection",
        "proxy_on_downstream_data",
    ]
