"""The wheel is complete: whoever installs it needs neither zig nor node."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TRY = """
from wasmhub_magics import Request, build
made = build("def on_request_headers(ctx):\\n    ctx.request.headers['x-from'] = 'the wheel'\\n")
print(made.send(Request()).upstream_request.headers["x-from"], __import__("wasmhub_magics").__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_it_is_pure_python_and_holds_every_generated_part(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for part in (
        "wasmhub_magics/proxy/host.wasm",
        "wasmhub_magics/guest/python/runtime.wasm",
        "wasmhub_magics/guest/c/proxy_wasm.h",
        "wasmhub_magics/guest/cpp/include/proxy_wasm_intrinsics.h",
        "wasmhub_magics/guest/cpp/lib/libc++.a",
        "wasmhub_magics/guest/cpp/lib/LICENSE-libcxx.txt",
        "wasmhub_magics/proxy/view.css",
        "wasmhub_magics/page/static/tester.js",
    ):
        assert part in names
    assert any(name.endswith("share/jupyter/labextensions/wasmhub-magics-lab/package.json") for name in names)
    assert not [name for name in names if "node_modules" in name or name.endswith(".pyc")]


def test_a_filter_runs_from_the_unpacked_wheel_without_compilers(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    environment = os.environ | {
        "PATH": "",
        "PYTHONPATH": str(tmp_path),
        "WASMHUB_CACHE": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", TRY]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the wheel")
    assert str(tmp_path) in done.stdout
