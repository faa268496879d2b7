"""Shared data and shared queues: what filters tell each other."""

from __future__ import annotations


def said(exchange, word):
    return [line.message for line in exchange.log if line.message.startswith(word)]


def test_shared_data_outlives_streams_and_the_proxy_shows_it(run):
    proxy = run("request_headers getdata key\nrequest_headers setdata key 0 value")
    assert said(proxy.send(), "getdata") == ["getdata -> 1  0"]
    assert said(proxy.send(), "getdata") == ["getdata -> 0 value 1"]
    assert proxy.shared_data == {"": {"key": b"value"}}


def test_a_write_with_an_old_number_is_refused_and_without_one_it_always_passes(run):
    exchange = run("""request_headers setdata key 9 one
        request_headers setdata key 2 two
        request_headers setdata key 1 three
        request_headers setdata key 0 four
        request_headers getdata key""").send()
    assert said(exchange, "setdata") == [f"setdata -> {status}" for status in (0, 8, 0, 0)]
    assert said(exchange, "getdata") == ["getdata -> 0 four 3"]


def test_only_vms_of_one_id_share_data(run, puppet):
    chain = [
        puppet("request_headers setdata key 0 a", "a", vm_id="one"),
        puppet("request_headers getdata key", "b", vm_id="one", vm_configuration=b"another VM"),
        puppet("request_headers getdata key", "c", vm_id="two"),
    ]
    proxy = run(*chain)
    exchange = proxy.send()
    assert said(exchange, "getdata") == ["getdata -> 0 a 1", "getdata -> 1  0"]
    assert proxy.shared_data == {"one": {"key": b"a"}}


def test_a_message_in_a_queue_wakes_the_plugin_that_registered_it_last(run, puppet):
    chain = [
        puppet("configure register jobs\non_queue dequeue 1", "first", vm_id="one"),
        puppet("configure register jobs\non_queue dequeue 1", "last", vm_id="one", vm_configuration=b"x"),
        puppet("request_headers resolve one jobs\nrequest_headers enqueue 1 work", "sender", vm_id="two"),
    ]
    proxy = run(*chain)
    exchange = proxy.send()
    assert said(exchange, "resolve") == ["resolve -> 0 1"]
    assert [(line.plugin, line.message) for line in exchange.log if line.message.startswith("dequeue")] == [
        ("last", "dequeue -> 0 work")
    ]


def test_the_plugin_is_told_once_for_each_message_and_before_the_upstream_answers(run):
    exchange = run("""configure register q
        request_headers enqueue 1 a
        request_headers enqueue 1 b
        on_queue dequeue 1
        response_headers log 2 answered""").send()
    lines = [line.message for line in exchange.log]
    assert said(exchange, "queue") == ["queue 1 1 0"] * 2
    assert said(exchange, "dequeue") == ["dequeue -> 0 a", "dequeue -> 0 b"]
    assert lines.index("dequeue -> 0 b") < lines.index("answered")


def test_what_waits_in_a_queue_is_shown_and_an_empty_or_unknown_one_is_told_apart(run):
    proxy = run("""configure register q
        configure register q
        request_headers dequeue 1
        request_headers dequeue 2
        request_headers enqueue 2 x
        request_headers resolve - none
        request_headers enqueue 1 kept""")
    exchange = proxy.send()
    assert said(exchange, "dequeue") == ["dequeue -> 7 ", "dequeue -> 1 "]
    assert said(exchange, "enqueue") == ["enqueue -> 1", "enqueue -> 0"]
    assert said(exchange, "resolve") == ["resolve -> 1 0"]
    assert proxy.queues == {"": {"q": (b"kept",)}}
    assert [line.message for line in proxy.log if line.message.startswith("register")] == [
        "register -> 0 1"
    ] * 2


def test_a_trap_in_the_callback_of_a_queue_leaves_the_running_exchange_alone(run, puppet):
    chain = [
        puppet("configure register q\non_queue trap", "listener", vm_id="a"),
        puppet("request_headers resolve a q\nrequest_headers enqueue 1 x", "sender", vm_id="b"),
    ]
    proxy = run(*chain)
    first, second = proxy.send(), proxy.send()
    assert any("proxy_on_queue_ready failed" in line.message for line in first.log)
    assert (first.response.status, second.response.status) == (503, 503)
    assert second.details == "wasm_fail_stream"


def test_a_filter_that_answers_each_message_by_another_comes_to_an_end(run):
    proxy = run("""configure register q
        request_headers enqueue 1 again
        on_queue dequeue 1
        on_queue enqueue 1 again""")
    exchange = proxy.send()
    assert exchange.outcome == "complete"
    assert exchange.warnings == (
        "more than 10000 messages, names and answers to calls in one exchange: the rest is given up",
    )
    assert len(said(proxy.send(), "dequeue")) > 10
