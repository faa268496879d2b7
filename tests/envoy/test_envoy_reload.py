"""Failure policies over several requests, and several plugins in one VM: both proxies do the same."""

from __future__ import annotations

import pytest

from wasmhub_magics.envoy import EnvoyProxy, verify
from wasmhub_magics.http import Request
from wasmhub_magics.proxy import Proxy


def messages(exchange):
    return (
        [line.message.partition("\n")[0] for line in exchange.log],
        exchange.response.status,
        exchange.details,
    )


def test_a_failed_plugin_starts_anew_after_the_back_off_in_both(puppet):
    plugin = puppet("request_headers trap", failure_policy="reload", reload_seconds=0.05)
    with EnvoyProxy(plugin) as real, Proxy(plugin) as embedded:
        first = messages(embedded.send()), messages(real.send())
        assert first[0] == first[1]
        embedded.tick(0.05)
        again = messages(embedded.send())
        # As long as the back-off lasts, requests are refused without a word.
        refused = ([], 503, "wasm_fail_stream")
        found = next(seen for _ in range(10_000) if (seen := messages(real.send())) != refused)
        assert found == again
        assert real.stats("wasm.puppet.")["wasm.puppet.vm_reload_success"] == 1


def test_a_plugin_that_refuses_to_start_again_is_tried_again_in_both(puppet):
    script = "request_headers setdata n 0 1\nrequest_headers trap\nconfigure refuseif n"
    plugin = puppet(script, failure_policy="reload", reload_seconds=0.02, vm_id="keeps")
    with EnvoyProxy(plugin) as real, Proxy(plugin) as embedded:
        assert messages(embedded.send()) == messages(real.send())
        embedded.tick(0.05)
        failed = "wasm.puppet.vm_reload_failure"
        for _ in range(10_000):
            seen = messages(real.send())
            if real.stats("wasm.puppet.").get(failed):
                break
        assert real.stats("wasm.puppet.")[failed] >= 1
        assert messages(embedded.send())[1:] == seen[1:] == (503, "wasm_fail_stream")


@pytest.mark.parametrize("policy", ["closed", "open"])
@pytest.mark.parametrize("when", ["request_headers", "response_headers", "response_body", "log"])
def test_plugins_in_one_vm_fail_together_in_both(puppet, policy, when):
    chain = [
        puppet("", name="a", vm_id="one", failure_policy=policy, root_id="r1"),
        puppet(f"{when} trap", name="b", vm_id="one", failure_policy=policy, root_id="r2"),
        puppet("", name="c", vm_id="two", failure_policy=policy),
    ]
    report = verify(chain, [Request(), Request("POST", body="abc")], timeout=1.0)
    assert report.agrees, repr(report)


def test_what_belongs_to_a_vm_id_is_seen_by_its_machines_alone_in_both(puppet):
    look = "request_headers getdata k\nrequest_headers resolve one q\nrequest_headers resolve - q"
    chain = [
        puppet("configure register q\nrequest_headers setdata k 0 v", name="a", vm_id="one"),
        puppet(look, name="b", vm_id="one", vm_configuration=b"another machine"),
        puppet(look, name="c", vm_id="two"),
    ]
    report = verify(chain, [Request(), Request()])
    assert report.agrees, repr(report)
    found = [line.message for line in report.exchanges[0][0].log if line.message.startswith("getdata")]
    assert found == ["getdata -> 0 v 1", "getdata -> 1  0"]


def test_plugins_in_one_vm_have_contexts_of_one_count_in_both(puppet):
    chain = [puppet("", name=name, vm_id="one", root_id=name) for name in "ab"]
    report = verify([*chain, chain[0]], [Request(), Request("POST", body="x")])
    assert report.agrees, repr(report)
