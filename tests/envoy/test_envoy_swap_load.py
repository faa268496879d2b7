"""A hot swap while requests go on."""

import http.client
import threading

from wasmhub_magics.envoy import EnvoyServer
from wasmhub_magics.errors import EnvoyRejected


class Load:
    """Closed-loop clients on kept connections; each answer must be 200 and carry one version."""

    def __init__(self, port, clients=3):
        self.port, self.stopped = port, threading.Event()
        self.wrong, self.counts, self.versions = [], [0] * clients, set()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(clients)]

    def run(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self.stopped.is_set():
            try:
                connection.request("POST", "/", body=b"hello")
                response = connection.getresponse()
                answer = (response.status, response.read())
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(repr(error))
                connection.close()
                continue
            version = response.headers.get_all("x-version")
            if answer != (200, b"hello") or version is None or len(version) != 1:
                self.wrong.append((answer, version))
            self.versions.update(version or [])
            self.counts[number] += 1
        connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def test_no_request_fails_while_filters_are_swapped_and_refused(plugin):
    def version(number):
        return plugin("swapped", response_headers=f'ADD(2, "x-version", "{number}")')

    server = EnvoyServer([version(0)])
    try:
        with Load(server.port) as load:
            for number in range(1, 13):
                before = list(load.counts)
                server.swap({0: version(number)})
                if number % 4 == 0:
                    try:
                        server.swap({0: plugin("bad", configure="unreachable")})
                    except EnvoyRejected:
                        pass
                    else:
                        load.wrong.append("a filter that traps was taken")
                while any(now == then for now, then in zip(load.counts, before, strict=True)):
                    assert all(thread.is_alive() for thread in load.threads)
        assert load.wrong == []
        assert load.versions == {str(number) for number in range(13)}
        stats = server.process.stats("^http.main.downstream_rq")
        assert stats["http.main.downstream_rq_2xx"] == sum(load.counts)
        assert stats["http.main.downstream_rq_5xx"] == 0
    finally:
        server.close()
