"""Builds inside of containers, by a real Docker daemon that these tests start, without a compiler outside."""

from __future__ import annotations

import doctest
import io
import re
import signal
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import docker
import pytest
import ziglang

from tests.dockerd import dockerd
from tests.notebook.conftest import Shell
from wasmhub_magics.build import BuildOptions, build_module
from wasmhub_magics.build.docker import IMAGE as IMAGE_HERE
from wasmhub_magics.build.docker import connected
from wasmhub_magics.build.docker_image import make_image
from wasmhub_magics.cli import _parser, main
from wasmhub_magics.errors import BuildError, CompileError, ToolchainMissing
from wasmhub_magics.examples import starter

PAGE = (Path(__file__).parents[2] / "docs" / "docker.md").read_text()
BASE, IMAGE = "tests/base:1", "tests/builder:1"
SOURCE = '#include "proxy_wasm.h"\nvoid proxy_on_log(uint32_t c) { pw_log_info("%u", c); }\n'


@pytest.fixture(scope="module")
def daemon() -> Iterator[str]:
    """A daemon of our own."""
    with dockerd() as socket:
        yield socket


@pytest.fixture(scope="module")
def image(daemon: str) -> str:
    """A builder's image, made from nothing: this machine's Python, a shell, and Zig."""
    with connected() as client:
        client.api.import_image_from_data(_root(), repository="tests/base", tag="1")
    said: list[str] = []
    assert make_image(["c"], base=BASE, tag=IMAGE, install=False, progress=said.append) == IMAGE
    assert any("COPY wasmhub_magics" in line for line in said)
    return IMAGE


def _root() -> bytes:
    """The files of a small root: what Python, a shell and Zig's clang need, each at its place."""
    python, shell = Path(sys.executable).resolve(), Path("/bin/sh").resolve()
    library = Path(sysconfig.get_path("stdlib"))
    zig = Path(ziglang.__path__[0])
    metadata = Path(str(distribution("ziglang").locate_file("")))
    programs = [python, shell, *library.glob("lib-dynload/*.so")]
    wanted: dict[str, Path] = {}
    for program in programs:
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        wanted |= {path: Path(path).resolve() for path in re.findall(r"(/\S+)", said) if Path(path).is_file()}
    for path in library.rglob("*"):
        if path.is_file() and not {"test", "site-packages", "__pycache__", "idlelib"} & set(path.parts):
            wanted[str(path)] = path
    site = library / "site-packages"
    for path in [zig / "__init__.py", zig / "zig", *(zig / "lib" / "include").rglob("*.h")]:
        wanted[str(site / "ziglang" / path.relative_to(zig))] = path
    for path in metadata.glob("ziglang-*.dist-info/METADATA"):
        wanted[str(site / path.relative_to(metadata))] = path
    wanted |= {str(python): python, "/bin/sh": shell}
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for place, path in sorted(wanted.items()):
            archive.add(path, place.lstrip("/"))
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, str(python)
        archive.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(folder)
    return made.getvalue()


def inside(image: str, **more: object) -> BuildOptions:
    return BuildOptions(first_line=2, builder=f"docker:{image}", **more)  # type: ignore[arg-type]


def containers() -> list[str]:
    with connected() as client:
        return [
            each.id
            for each in client.containers.list(
                all=True, filters={"label": "wasmhub=builder"}, ignore_removed=True
            )
        ]


def test_the_same_bytes_come_out_of_a_container_as_from_this_machine(image: str) -> None:
    said: list[str] = []
    built = build_module(SOURCE, "c", options=inside(image), progress=said.append)
    assert built.module.data == build_module(SOURCE, "c", options=BuildOptions(first_line=2)).module.data
    assert any(line.startswith("compiling C with zig clang") for line in said)
    assert not [line for line in said if "Warning" in line]
    assert built.toolchain.startswith(f"docker {image}")
    assert containers() == []
    assert build_module(SOURCE, "c", options=inside(image)).cached


def test_errors_come_out_with_their_cell_lines(image: str) -> None:
    with pytest.raises(CompileError) as caught:
        build_module('#include "proxy_wasm.h"\nint f(void) { return nope; }\n', "c", options=inside(image))
    assert caught.value.rendered.startswith("cell:3:22: error: use of undeclared identifier 'nope'")
    assert containers() == []


def test_a_compiler_that_the_image_lacks_is_told_as_here(image: str) -> None:
    with pytest.raises(ToolchainMissing, match="Go"):
        build_module("package main\n", "go", options=inside(image))


def test_a_build_that_takes_too_long_is_ended_with_its_container(image: str) -> None:
    slow = "#define A(x) x x x x x x x x\n#define B(x) A(A(A(A(A(A(A(A(A(x)))))))))\nB(B(int f(void);))\n"
    with pytest.raises(BuildError, match="took longer than 2 s"):
        build_module(slow, "c", options=inside(image, timeout=2.0))
    assert containers() == []


def test_an_interrupt_ends_the_build_and_removes_its_container(image: str) -> None:
    slow = "#define A(x) x x x x x x x x\n#define B(x) A(A(A(A(A(A(A(A(A(x)))))))))\nB(B(int f(void);))\n"

    def interrupt(step: str) -> None:
        if step.startswith("compiling C with"):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        build_module(
            slow, "c", options=inside(image), progress=lambda step: "zig" in step and interrupt(step)
        )
    assert containers() == []


def test_an_image_that_is_no_builder_says_so(image: str) -> None:
    with pytest.raises(BuildError, match=f"the image {BASE} cannot build: .*wasmhub_magics"):
        build_module(SOURCE, "c", options=inside(BASE))
    assert containers() == []


def test_an_image_that_is_not_here_and_cannot_be_fetched_says_so(daemon: str) -> None:
    with pytest.raises(ToolchainMissing, match="there is no image no/such:1") as caught:
        build_module(SOURCE, "c", options=inside("no/such:1"))
    assert "wasmhub builder" in caught.value.do
    with pytest.raises(ToolchainMissing, match="there is no image wasmhub-builder:"):
        build_module(SOURCE, "c", options=BuildOptions(builder="docker"))


def test_an_image_that_cannot_be_made_tells_the_step(image: str) -> None:
    with pytest.raises(BuildError, match="the image cannot be made"):
        make_image(["c"], base=BASE, tag="tests/never:1")  # there is no pip in the base


def test_a_base_that_cannot_be_fetched_is_told_with_the_option_for_another(daemon: str) -> None:
    with pytest.raises(BuildError, match="cannot be made") as caught:
        make_image(["c"], base="localhost:1/python:3", tag="tests/never:1")
    assert "localhost:1/python:3, or name an image that is at hand: --base" in caught.value.do


def test_without_a_daemon_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(ToolchainMissing, match=r"no Docker daemon answers: No such file") as caught:
        build_module(SOURCE, "c", options=BuildOptions(builder="docker"))
    assert "DOCKER_HOST" in caught.value.do


@pytest.mark.parametrize("language", ["python", "javascript", "wat"])
def test_what_needs_no_compiler_is_built_here(
    language: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    here, there = (
        build_module(starter(language), language, options=BuildOptions(builder=where))
        for where in ("", "docker")
    )
    assert here.module.data == there.module.data


def test_another_builder_is_refused() -> None:
    with pytest.raises(BuildError, match="there is no builder 'podmen'"):
        build_module(SOURCE, "c", options=BuildOptions(builder="podmen"))


def test_the_client_is_the_one_of_the_extra() -> None:
    assert int(docker.__version__.split(".")[0]) >= 7


@pytest.fixture
def usual(image: str) -> Iterator[None]:
    """The image under the name that is used where none is named."""
    with connected() as client:
        client.images.get(image).tag(*IMAGE_HERE.split(":"))
        yield
        client.images.remove(IMAGE_HERE)


def test_what_the_page_says_works(usual: None, shell: Shell) -> None:
    cells = re.findall(r"^```c\n(.*?)^```", PAGE, re.M | re.S)
    for cell in cells:
        assert shell.run(cell).name == "counter"
    assert len(cells) == 1
    (python,) = re.findall(r"^```pycon\n(.*?)^```", PAGE, re.M | re.S)
    tests = doctest.DocTestParser().get_doctest(python, {}, "docker", None, 0)
    failures: list[str] = []
    doctest.DocTestRunner().run(tests, out=failures.append)
    assert len(tests.examples) == 5
    assert not failures, "".join(failures)


def test_the_commands_of_the_page_are_understood_and_make_an_image(
    image: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    commands = re.findall(r"^wasmhub (builder.*)$", PAGE, re.M)
    assert len(commands) == 4
    for command in commands:
        assert _parser().parse_args(command.split()).tag
    assert main(["builder", "c", "--base", BASE, "--no-install", "--tag", "tests/made:1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "tests/made:1"
    (tmp_path / "counter.c").write_text(SOURCE)
    command = ["build", str(tmp_path / "counter.c"), "--builder", "docker:tests/made:1"]
    assert main([*command, "-o", str(tmp_path / "counter.wasm")]) == 0
    assert (tmp_path / "counter.wasm").read_bytes() == build_module(SOURCE, "c").module.data
