"""Images are found by what they say of themselves: here, in registries with and without a list, quickly."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.hub.conftest import PASSWORD, USER
from wasmhub_magics.errors import RequestError
from wasmhub_magics.hub import About, Entry, Query, Store, images, push, search
from wasmhub_magics.hub.index import Index
from wasmhub_magics.module import Module

LOGIN = {"username": USER, "password": PASSWORD}
ABOUTS = {
    "jwt": About(description="Checks tokens", keywords=("auth", "jwt"), language="rust", category="security",
                 licenses="MIT", readme="# JWT\n\nValidates JSON web tokens against a key set."),
    "limiter": About(description="Limits requests", keywords=("rate",), language="go", category="traffic",
                     created="2026-02-01T00:00:00Z", readme="Buckets per client."),
    "greeter": About(description="Greets people", keywords=("hello",), language="python",
                     created="2026-01-01T00:00:00Z"),
}  # fmt: skip


def fill(where: str, make: Callable[[str], Module], **options: Any) -> None:
    for name, about in ABOUTS.items():
        push(make(name * (1 + len(name) % 3)), f"{where}/{name}:v1", about=about, **options)


def names(found: Any) -> list[str]:
    return [entry.name for entry in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("validates", ["jwt"]),
        ("validating", ["jwt"]),
        ("token", ["jwt"]),
        ("auth", ["jwt"]),
        ("rust", ["jwt"]),
        ("buck client", ["limiter"]),
        ("Istio security", ["jwt"]),
        ("gre", ["greeter"]),
        ("\"' OR 1=1 --", []),
        ("*", ["greeter", "jwt", "limiter"]),
    ],
)
def test_words_are_looked_for_in_everything_an_image_says(
    make: Callable[[str], Module], text: str, expected: list[str]
) -> None:
    fill("team", make)
    assert names(search(text)) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"language": "Rust"}, ["jwt"]),
        ({"keyword": "RATE"}, ["limiter"]),
        ({"category": "security"}, ["jwt"]),
        ({"licence": "MIT"}, ["jwt"]),
        ({"abi": "0.2.1"}, ["greeter", "jwt", "limiter"]),
        ({"abi": "v0.1.0"}, []),
        ({"product": "istio"}, ["greeter", "jwt", "limiter"]),
        ({"product": "wkg"}, []),
        ({"layout": "solo"}, []),
        ({"signed": True}, []),
        ({"sort": "created"}, ["limiter", "greeter", "jwt"]),
        ({"sort": "name", "limit": 2}, ["greeter", "jwt"]),
    ],
)
def test_results_are_filtered_and_sorted(
    make: Callable[[str], Module], filters: dict[str, Any], expected: list[str]
) -> None:
    fill("team", make)
    found = search(**filters)
    assert names(found) == expected
    assert found.total == (3 if "limit" in filters else len(expected))


def test_what_is_pushed_deleted_or_moved_is_seen_by_the_next_search(make: Callable[[str], Module]) -> None:
    assert len(search()) == 0
    fill("team", make)
    assert len(search()) == 3
    Store().delete("team/jwt:v1")
    assert names(search()) == ["greeter", "limiter"]
    push(make("newer"), "team/limiter:v1", about=About(description="Quotas"))
    assert names(search("quotas")) == ["limiter"]
    assert len(search("limits requests")) == 0


def test_what_another_tool_put_there_is_listed(
    make: Callable[[str], Module], skopeo: Callable[..., str]
) -> None:
    fill("team", make)
    assert len(search()) == 3
    skopeo("copy", f"oci:{Store().path}/team/jwt:v1", f"oci:{Store().path}/team/copied:v9")
    assert len(images()) == 4
    assert len(search()) == 4


def test_a_registry_with_a_list_is_searched(anywhere: Any, make: Callable[[str], Module]) -> None:
    team = anywhere.fresh().rpartition(":")[0]
    fill(team, make, layout="all")
    found = search("tokens", registries=[team], local=False)
    assert names(found) == ["jwt"]
    entry = found[0]
    assert entry.ref == f"{team}/jwt:v1"
    assert entry.cell.startswith(f"%wasm_pull {team}/jwt:v1@sha256:")
    assert len(search(registries=[team], local=False)) == 3
    push(make("later"), f"{team}/later:v1", about=About(description="Comes later"))
    assert len(search(registries=[team], local=False)) == 3  # as it was some minutes ago
    assert len(search(registries=[team], local=False, refresh=True)) == 4


@pytest.mark.parametrize("service", ["secured", "encrypted"])
def test_a_registry_with_a_password_or_a_certificate_is_searched(
    request: pytest.FixtureRequest, service: str, make: Callable[[str], Module]
) -> None:
    served = request.getfixturevalue(service)
    options = LOGIN if service == "secured" else {"tls_verify": served.ca}
    team = served.fresh().rpartition(":")[0]
    fill(team, make, **options)
    assert names(search("tokens", registries=[team], **options)) == ["jwt"]


def test_a_registry_that_lists_nothing_has_an_index_that_pushes_keep(
    tokens: Any, make: Callable[[str], Module]
) -> None:
    served, _ = tokens  # its token server gives nobody the right to list
    team = served.fresh().rpartition(":")[0]
    namespace = "/".join(team.split("/")[:2])
    fill(team, make, **LOGIN)
    found = search("tokens", registries=[team], local=False, **LOGIN)
    assert names(found) == ["jwt"]
    assert found[0].readme.startswith("# JWT")
    push(make("newer"), f"{team}/jwt:v1", about=About(title="jwt", description="Checks better"), **LOGIN)
    found = search("better", registries=[team], local=False, refresh=True, **LOGIN)
    assert names(found) == ["jwt"]
    assert len(search(registries=[team], local=False, **LOGIN)) == 3
    assert len(search(registries=[namespace], local=False, limit=1000, **LOGIN)) >= 3


def test_pushes_at_the_same_time_all_enter_the_index(tokens: Any, make: Callable[[str], Module]) -> None:
    served, _ = tokens
    team = served.fresh().rpartition(":")[0]
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            image = push(
                make(str(number)), f"{team}/r{number}:v1", index=f"{team}/own-index".split("/", 1)[1], **LOGIN
            )
            assert not any("index" in remark for remark in image.remarks), image.remarks
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = search(registries=[f"{team}/own-index"], local=False, **LOGIN)
    assert {entry.ref for entry in found} == {f"{team}/r{number}:v1" for number in range(12)}


def test_registries_that_fail_or_hang_do_not_hold_the_others_up(
    registry: Any, make: Callable[[str], Module], listen: Callable[[Callable[[socket.socket], None]], str]
) -> None:
    team = registry.fresh().rpartition(":")[0]
    fill(team, make)

    def silent(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    def broken(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 500 Out of cheese\r\nContent-Length: 0\r\n\r\n")

    hangs, fails = listen(silent), listen(broken)
    found = search("tokens", registries=[hangs, fails, "127.0.0.1:1", team], timeout=0.5)
    assert names(found) == ["jwt"]
    said = repr(found)
    for address, words in ((hangs, "does not answer"), (fails, "500"), ("127.0.0.1:1", "nobody listens")):
        assert address in said
        assert words in said
    assert all(problem.do for problem in found.problems)


def test_a_registry_that_went_away_is_still_found_as_it_was(
    make: Callable[[str], Module], tmp_path: Path
) -> None:
    from wasmhub_magics.hub import serve

    with serve(Store(tmp_path / "there")) as server:
        address = server.address
        fill(f"{address}/team", make)
        assert len(search(registries=[address])) == 3
    found = search("tokens", registries=[address], refresh=True)
    assert names(found) == ["jwt"]
    assert "nobody listens" in repr(found)


def test_a_slow_registry_is_read_as_far_as_the_time_goes_and_says_so(
    registry: Any, make: Callable[[str], Module]
) -> None:
    team = registry.fresh().rpartition(":")[0]
    fill(team, make)
    steps: list[str] = []
    found = search(registries=[team], local=False, seconds=0.0, progress=steps.append)
    assert len(found) == 0
    assert "0 of 3 repositories" in found.problems[0].what
    assert any(team in step for step in steps)
    assert len(search(registries=[team], local=False)) == 3


def test_ordinary_images_of_a_registry_are_no_results(registry: Any, make: Callable[[str], Module]) -> None:
    from tests.hub.test_layouts import archive, packed_of, write
    from wasmhub_magics.hub.manifest import Blob

    team = registry.fresh().rpartition(":")[0]
    layer = Blob("application/vnd.oci.image.layer.v1.tar+gzip", archive("bin/sh", b"#!"))
    write(registry, packed_of([layer]), f"{team}/shell:v1")
    fill(team, make)
    found = search(registries=[team], local=False)
    assert len(found) == 3
    assert found.problems == ()


def test_examples_are_found_with_the_cell_to_use_them() -> None:
    example = Entry(name="cors", origin="examples", ref="cors", description="Answers preflight requests")
    found = search("preflight", examples=[example])
    assert names(found) == ["cors"]
    assert "cors" in found[0].cell
    assert "example cors" in repr(found)
    with pytest.raises(RequestError, match="built-in example"):
        _ = found[0].reference


def test_examples_are_written_into_the_index_once_whatever_process_offers_them() -> None:
    code = (
        "from wasmhub_magics.filter import search; from wasmhub_magics.hub.index import Index\n"
        "search('preflight')\n"
        "with Index() as index: print(index.cursor('examples'))"
    )
    told = {
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1


def test_a_damaged_index_is_made_anew(make: Callable[[str], Module]) -> None:
    fill("team", make)
    assert len(search()) == 3
    with Index() as index:
        path = index.path
    path.write_bytes(b"this is no database, " * 100)
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    assert len(search()) == 3


@pytest.mark.parametrize("text", ["", "no host", "a/b c", "host:99999"])
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        search(registries=[text])


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(RequestError, match="sorted"):
        Query(sort="luck")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result of it, without the collector, which would go through the heap of all other tests."""
    results: list[Any] = []
    return timeit.timeit(lambda: results.append(work()), number=1), results[0]


def test_ten_thousand_images_are_searched_in_a_small_part_of_the_time_of_reading_them() -> None:
    words = "auth token header rate limit cache trace log metric route retry canary shadow cors jwt".split()  # noqa: SIM905
    entries = [
        (
            "m",
            Entry(
                name=f"filter-{n}", origin="reg.example", ref=f"reg.example/team/r{n}:v1",
                language=("go", "rust")[n % 2], description=f"{words[n % 15]} {words[n % 7]} number {n}",
                readme=f"{words[n % 11]} " * 50,
            ),
        )
        for n in range(10_000)
    ]  # fmt: skip
    with Index() as index:
        filled, _ = timed(partial(index.replace, "reg.example", "team", entries))
        index.set_cursor("reg.example", "catalogue")
    times: list[float] = []
    for query in (
        {"text": "jwt"},
        {"text": "rate lim", "language": "go"},
        {"text": "token", "sort": "name"},
        {},
    ):
        seconds, found = timed(partial(search, registries=["reg.example"], local=False, **query))
        times.append(seconds)
        assert (found.problems, len(found)) == ((), 100)
        assert found.total > 100
    assert max(times) < filled / 4


def test_the_built_in_examples_are_found_and_their_cell_works() -> None:
    from wasmhub_magics.filter import search as search_all

    found = search_all("preflight")
    assert [entry.origin for entry in found] == ["examples"]
    names: dict[str, Any] = {}
    exec(found[0].cell, names)
    assert names["cors"].send().response is not None
    assert search_all("preflight", language="rust")[0].language == "rust"
    assert len(search_all()) == 0
