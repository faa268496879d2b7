"""Metrics: counters, gauges and histograms, by name for the proxy and by number for a filter."""

from __future__ import annotations

import pytest

from wasmhub_magics.proxy import Histogram


def said(exchange, word):
    return [line.message for line in exchange.log if line.message.startswith(word)]


def test_a_counter_that_a_filter_increments_is_a_metric_of_the_proxy(run):
    proxy = run("configure define 0 requests\nrequest_headers increment 4 2")
    assert proxy.metrics == {"requests": 0}
    proxy.send()
    proxy.send()
    assert proxy.metrics["requests"] == 4
    assert proxy.metrics.counters == {"requests": 4}
    assert "requests" in repr(proxy.metrics)


def test_a_gauge_goes_up_and_down_and_can_be_set(run):
    proxy = run("""configure define 1 open
        request_headers increment 5 3
        request_headers increment 5 -1
        log metric 5
        log record 5 9""")
    assert said(proxy.send(), "metric") == ["metric -> 0 2"]
    assert proxy.metrics.gauges == {"open": 9}


def test_a_histogram_keeps_count_sum_and_the_newest_values_in_order(run):
    script = "configure define 2 size\nrequest_headers record 6 1\nrequest_headers record 6 5"
    proxy = run(script)
    proxy.send()
    assert proxy.metrics["size"] == Histogram(2, 6, (1, 5))
    proxy.loop(n=1000)
    size = proxy.metrics["size"]
    assert (size.count, size.sum, len(size.values), size.values[-2:]) == (2002, 6006, 1024, (1, 5))


def test_numbers_tell_the_kind_and_a_name_defined_again_gets_another_number_for_the_same_metric(run):
    proxy = run("""request_headers define 0 a
        request_headers define 0 a
        request_headers define 1 a
        request_headers define 2 a
        request_headers increment 4 1
        request_headers increment 8 1
        request_headers metric 4""")
    exchange = proxy.send()
    assert said(exchange, "define") == [f"define -> 0 {number}" for number in (4, 8, 5, 6)]
    assert said(exchange, "metric") == ["metric -> 0 2"]
    assert (proxy.metrics.counters, proxy.metrics.gauges) == ({"a": 2}, {"a": 0})


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("define 3 x", 2),
        ("increment 4 0", 2),
        ("increment 4 -1", 2),
        ("increment 6 1", 2),
        ("increment 12 1", 1),
        ("increment 0 1", 1),
        ("record 12 1", 1),
        ("record 7 1", 1),
        ("metric 6", 2),
        ("metric 12", 1),
    ],
)
def test_what_does_not_fit_gets_the_status_of_envoy(run, command, status):
    proxy = run(f"configure define 0 c\nconfigure define 2 h\nrequest_headers {command}")
    word = command.partition(" ")[0]
    assert said(proxy.send(), word)[0].startswith(f"{word} -> {status}")


def test_plugins_with_vms_of_their_own_share_a_metric_of_one_name(run, puppet):
    script = "configure define 0 n\nrequest_headers increment 4 1"
    proxy = run(puppet(script, "a", vm_id="a"), puppet(script, "b", vm_id="b"))
    proxy.send()
    assert proxy.metrics["n"] == 2
