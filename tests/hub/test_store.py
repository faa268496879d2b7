"""The local store needs nothing, is read by other tools, and survives what happens to processes and disks."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wasmhub_magics.errors import ImageNotFound, NotAFilter, RequestError, StoreError
from wasmhub_magics.hub import Store, parse_reference, pull, push
from wasmhub_magics.module import Module

# pushes module after module under tag after tag, and tells each once it is done
PUSHER = """
import sys, itertools, os
from wasmhub_magics.hub import push
from wasmhub_magics.module import Module
base = Module.read(sys.argv[1]).data
def run(worker, count):
    for number in itertools.islice(itertools.count(), count or None):
        text = f"{worker}.{number}".encode() + bytes(200_000)
        size = bytes([len(text) + 2 & 127 | 128, len(text) + 2 >> 7 & 127 | 128, len(text) + 2 >> 14])
        push(Module(base + b"\\0" + size + b"\\1x" + text), f"team/many:{worker}.{number}")
        print(f"{worker}.{number}", flush=True)
if len(sys.argv) > 2:
    print("ready", flush=True)
    run(sys.argv[2], int(sys.argv[3]))
else:  # a process for each line, which need not import all of this again
    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(line.strip(), 0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("killed", flush=True)
"""


def run_python(code: str, *words: object, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options,
    )  # fmt: skip


@pytest.fixture
def file(module: Module, tmp_path: Path) -> Path:
    path = tmp_path / "greeter.wasm"
    path.write_bytes(module.data)
    return path


def assert_sound(store: Store) -> None:
    """Everything that can be seen can be read to the last byte."""
    for image in store.images():
        assert not isinstance(image, Exception), image
        module, _ = pull(image.reference)
        assert module.digest == image.module_digest


def test_what_is_pushed_can_be_pulled_by_tag_and_by_digest(module: Module) -> None:
    pushed = push(module, "team/greeter:v1", name="greeter", root_id="r", annotations={"a.b/c": "d"})
    for reference in ("team/greeter:v1", f"team/greeter@{pushed.digest}", pushed.pinned):
        pulled, image = pull(reference)
        assert pulled == module
        assert (image.digest, image.module_digest) == (pushed.digest, module.digest)
        assert (image.name, image.root_id, image.abi) == ("greeter", "r", "0.2.1")
        assert image.annotations["a.b/c"] == "d"


def test_nothing_is_made_before_the_first_push() -> None:
    store = Store()
    assert store.list() == ()
    assert store.repositories() == ()
    assert store.tags("greeter") == ()
    assert not store.path.exists()


def test_the_directory_is_the_one_of_the_user_unless_a_variable_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Store().path == tmp_path / "store"
    monkeypatch.delenv("WASMHUB_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Store().path == tmp_path / "data" / "wasmhub" / "store"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Store().path == tmp_path / ".local" / "share" / "wasmhub" / "store"


def test_skopeo_reads_and_copies_an_image_of_the_store(
    module: Module, skopeo: Callable[..., str], tmp_path: Path
) -> None:
    image = push(module, "team/greeter:v1", annotations={"org.opencontainers.image.description": "greets"})
    told = json.loads(skopeo("inspect", image.location))
    assert told["Digest"] == image.digest
    assert told["Labels"]["org.opencontainers.image.description"] == "greets"
    skopeo("copy", image.location, f"dir:{tmp_path / 'copy'}")
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_text())
    assert (tmp_path / "copy" / manifest["layers"][0]["digest"].removeprefix("sha256:")).is_file()


def test_an_image_that_skopeo_put_into_the_store_is_found_and_pulled(
    module: Module, skopeo: Callable[..., str]
) -> None:
    image = push(module, "team/greeter:v1")
    skopeo("copy", image.location, f"oci:{Store().path}/team/copied:v2")
    assert pull("team/copied:v2")[1].digest == image.digest
    assert [str(each.reference) for each in Store().list()] == ["team/copied:v2", "team/greeter:v1"]


def test_a_tag_moves_and_the_older_image_can_still_be_had_by_digest(
    module: Module, make: Callable[[str], Module]
) -> None:
    old = push(module, "greeter")
    new = push(make("newer"), "greeter")
    assert pull("greeter")[1].digest == new.digest
    assert pull(f"greeter@{old.digest}")[0] == module
    assert Store().tags("greeter") == ("latest",)
    assert push(module, "greeter").digest == old.digest
    assert len(json.loads((Store().path / "greeter" / "index.json").read_text())["manifests"]) == 2


def test_repositories_may_lie_inside_one_another(module: Module) -> None:
    for name in ("team", "team/greeter", "team/greeter/beta"):
        push(module, name)
    assert Store().repositories() == ("team", "team/greeter", "team/greeter/beta")
    Store().delete("team/greeter")
    assert Store().repositories() == ("team", "team/greeter/beta")
    assert_sound(Store())


@pytest.mark.parametrize("name", ["team/blobs/x", "index.json", "team/oci-layout"])
def test_a_repository_cannot_take_a_name_that_layouts_need(module: Module, name: str) -> None:
    with pytest.raises(RequestError, match="local store"):
        push(module, name)


def test_deleting_a_tag_keeps_what_other_tags_need_and_removes_the_rest(
    module: Module, make: Callable[[str], Module]
) -> None:
    other = make("other")
    push(module, "greeter:a")
    push(module, "greeter:b")
    push(other, "greeter:c")
    blobs = Store().path / "greeter" / "blobs" / "sha256"
    assert len(list(blobs.iterdir())) == 6
    Store().delete("greeter:a")
    assert len(list(blobs.iterdir())) == 6
    Store().delete("greeter:c")
    assert len(list(blobs.iterdir())) == 3
    assert pull("greeter:b")[0] == module
    Store().delete("greeter:b")
    assert Store().repositories() == ()
    assert not (Store().path / "greeter").exists()


def test_an_unknown_image_names_the_tags_that_there_are(module: Module) -> None:
    push(module, "greeter:v1")
    with pytest.raises(ImageNotFound) as caught:
        pull("greeter:v2")
    assert "v1" in caught.value.do
    with pytest.raises(ImageNotFound, match="team/none:latest"):
        pull("team/none")
    with pytest.raises(ImageNotFound):
        pull("greeter@sha256:" + "0" * 64)
    with pytest.raises(ImageNotFound):
        Store().delete("greeter:v2")


@pytest.mark.parametrize("which", ["manifest", "layer", "half a layer", "no layer"])
def test_damaged_content_is_noticed_and_a_new_push_repairs_it(module: Module, which: str) -> None:
    image = push(module, "greeter")
    blobs = Store().path / "greeter" / "blobs" / "sha256"
    manifest = blobs / image.digest.removeprefix("sha256:")
    layer = blobs / json.loads(manifest.read_text())["layers"][0]["digest"].removeprefix("sha256:")
    damaged = manifest if which == "manifest" else layer
    data = damaged.read_bytes()
    if which == "no layer":
        damaged.unlink()
    else:
        damaged.write_bytes(data[: len(data) // 2] if "half" in which else data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(NotAFilter, match="damaged") as caught:
        pull("greeter")
    assert str(damaged) in caught.value.where
    push(module, "greeter")
    assert pull("greeter")[0] == module


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"manifests": [1]}', b"\xff"])
def test_a_damaged_index_is_named_and_does_not_hide_other_repositories(
    module: Module, content: bytes
) -> None:
    push(module, "bad")
    push(module, "good")
    index = Store().path / "bad" / "index.json"
    index.write_bytes(content)
    for attempt in (lambda: pull("bad"), lambda: push(module, "bad")):
        with pytest.raises(StoreError, match="damaged") as caught:
            attempt()
        assert str(index) in caught.value.where
    assert [image.name for image in Store().list()] == ["good"]


def test_a_store_below_a_file_is_reported_with_its_path(
    module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a directory")
    monkeypatch.setenv("WASMHUB_STORE", str(tmp_path / "file" / "store"))
    for attempt in (lambda: push(module, "greeter"), lambda: pull("greeter")):
        with pytest.raises(StoreError) as caught:
            attempt()
        assert str(tmp_path / "file") in caught.value.where
        assert "WASMHUB_STORE" in caught.value.do


READ_ONLY = """
import fcntl, os, shutil, sys, tempfile
from wasmhub_magics.errors import StoreError
from wasmhub_magics.hub import pull, push, search
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)  # root may write everywhere
module, _ = pull("greeter")
print(len(search()))
for name in ("greeter", "other"):
    try:
        push(module, name)
    except StoreError as error:
        print(error.what, error.where, error.do, sep="|")
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A directory that another user can look into, which those of pytest do not let him."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_read_only_store_can_be_read_and_says_why_it_cannot_be_written(
    module: Module, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WASMHUB_STORE", str(open_folder / "store"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(open_folder))
    (open_folder / "cache").mkdir()
    (open_folder / "cache").chmod(0o777)
    monkeypatch.setenv("WASMHUB_CACHE", str(open_folder / "cache"))
    push(module, "greeter")
    store = Store().path
    folders = [store, *(path for path in store.rglob("*") if path.is_dir())]
    try:
        for path in folders:
            path.chmod(0o555)
        (store / ".lock").chmod(0o444)
        process = run_python(READ_ONLY)
        out, err = process.communicate(timeout=60)
    finally:
        for path in folders:
            path.chmod(0o755)
    assert process.returncode == 0, err
    count, *errors = out.splitlines()
    assert count == "1"
    assert len(errors) == 2
    for line in errors:
        what, where, do = line.split("|")
        assert "Permission denied" in what
        assert str(store) in where
        assert "WASMHUB_STORE" in do
    assert_sound(Store())


FULL = """
import resource, sys
from wasmhub_magics.errors import StoreError
from wasmhub_magics.hub import push
from wasmhub_magics.module import Module
import random
module = Module(Module.read(sys.argv[1]).data + b"\\0\\xf8\\x1f\\1x" + random.Random(1).randbytes(4086))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    push(module, "greeter:v2")
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [300, 2000])
def test_a_write_that_breaks_off_in_the_middle_leaves_the_store_as_it_was(
    module: Module, file: Path, limit: int
) -> None:
    before = push(module, "greeter:v1")
    process = run_python(FULL, file, limit)
    out, err = process.communicate(timeout=60)
    assert "cannot be written: File too large" in out, err
    assert "do: " in out
    assert Store().tags("greeter") == ("v1",)
    assert list((Store().path / ".partial").iterdir()) == []
    assert pull("greeter:v1")[1].digest == before.digest


def test_a_writer_that_is_killed_at_any_moment_leaves_nothing_half_done(
    file: Path, skopeo: Callable[..., str]
) -> None:
    moments = random.Random(5)
    told: list[str] = []
    parent = run_python(PUSHER, file, stdin=subprocess.PIPE)
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent:
        for round_ in range(8):
            parent.stdin.write(f"w{round_}\n")
            parent.stdin.flush()
            wanted, child, lines = 1 + round_ % 3, 0, iter(parent.stdout.readline, "killed\n")
            for line in lines:
                child, wanted = (int(line), wanted) if line.strip().isdecimal() else (child, wanted - 1)
                told += [] if line.strip().isdecimal() else [line.strip()]
                if child and wanted <= 0:
                    time.sleep(moments.uniform(0, 0.05))
                    os.kill(child, signal.SIGKILL)
                    break
            told += [line.strip() for line in lines]
            assert_sound(Store())
            assert set(told) <= set(Store().tags("team/many"))
        parent.stdin.close()
    assert parent.returncode == 0
    push(Module(file.read_bytes()), "team/many:after")
    assert list((Store().path / ".partial").iterdir()) == []
    assert len(told) > 8
    skopeo("inspect", f"oci:{Store().path}/team/many:after")


def test_pushes_from_several_processes_at_once_lose_nothing(file: Path) -> None:
    workers = [run_python(PUSHER, file, f"w{number}", 12) for number in range(4)]
    for worker in workers:
        _, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
    expected = {f"w{worker}.{number}" for worker in range(4) for number in range(12)}
    assert set(Store().tags("team/many")) == expected
    assert_sound(Store())


def test_an_interrupted_push_leaves_the_store_sound(file: Path) -> None:
    process = run_python(PUSHER, file, "w", 0)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.readline()
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert list((Store().path / ".partial").iterdir()) == []
    assert_sound(Store())


def test_a_reader_never_sees_half_a_write_while_another_process_pushes(file: Path, module: Module) -> None:
    push(module, "team/many:fixed")
    process = run_python(PUSHER, file, "w", 40)
    try:
        while process.poll() is None:
            assert pull("team/many:fixed")[0] == module
            for tag in Store().tags("team/many")[-1:]:
                pull(f"team/many:{tag}")
    finally:
        process.kill()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err


def test_a_store_elsewhere_is_its_own(module: Module, tmp_path: Path) -> None:
    push(module, "greeter")
    other = Store(tmp_path / "other")
    assert other.list() == ()
    with pytest.raises(ImageNotFound):
        other.manifest(parse_reference("greeter"))
