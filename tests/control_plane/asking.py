"""Requests to a gateway."""

import http.client
import time

import pytest


def ask(port, path="/"):
    """Status, headers and body of an answer; status 0 where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    except OSError:
        return 0, {}, b""
    finally:
        connection.close()


def until(port, log, wanted, path="/"):
    """Ask until the answer is as wanted: a controller and a proxy hear of changes a moment later."""
    deadline = time.monotonic() + 120
    while True:
        answer = ask(port, path)
        if wanted(answer):
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"{answer}\n{log.read_text()[-3000:]}")
        time.sleep(0.05)
