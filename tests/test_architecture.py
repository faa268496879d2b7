"""The layout shows the architecture: who imports whom, how much, and how fast."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "wasmhub_magics"

BOTTOM = [
    "errors", "docker_client", "paths", "http", "abi", "binary_types", "binary_reader", "binary", "link",
    "profile", "dwarf", "source_map", "module", "plugin", "curl", "formats",
]  # fmt: skip
MIDDLE = {
    "build": {"guest"},
    "guest": set[str](),
    "examples": set[str](),
    "proxy": set[str](),
    "envoy": {"proxy"},
    "latency": {"proxy", "envoy"},
    "page": {"proxy", "testing", "latency"},
    "testing": {"proxy", "envoy"},
    "hub": set[str](),
    "deploy": {"envoy", "hub", "proxy"},
}
TOP = [
    *("project", "evidence", "publish", "inspection", "filter_trials", "filter", "doctor", "notebook"),
    *("cli_hub", "cli_build", "cli_builder", "cli"),
]
NOTEBOOK_ONLY = {"IPython", "ipywidgets", "anywidget", "traitlets"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def files() -> list[Path]:
    """The package's own Python files: its front names its rooms only, and guests run elsewhere."""
    return sorted(
        path
        for path in PACKAGE.rglob("*.py")
        if "guest" not in path.parts
        and not path.match("examples/*/filter.py")
        and path != PACKAGE / "__init__.py"
    )


def imports(path: Path) -> set[tuple[str, bool]]:
    """(Dotted name, whether it is ours) of every import in a file."""
    found: set[tuple[str, bool]] = set()
    package = list(path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                found.add((name.name.removeprefix("wasmhub_magics."), name.name.startswith("wasmhub_magics")))
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            if node.module:
                found.add((".".join([*base, node.module]), True))
            else:
                found |= {(".".join([*base, name.name]), True) for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((str(node.module), str(node.module).startswith("wasmhub_magics")))
    return found


def may_import(importer: str, imported: str) -> bool:
    if importer == imported or imported in ("__version__", ""):
        return True
    if importer in BOTTOM:
        return imported in BOTTOM[: BOTTOM.index(importer)]
    if importer in MIDDLE:
        return imported in BOTTOM or imported in MIDDLE[importer]
    if importer in TOP:
        return imported in BOTTOM or imported in MIDDLE or imported in TOP[: TOP.index(importer)]
    return False


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downward_only(path: Path) -> None:
    importer = room(path)
    wrong = [name for name, ours in imports(path) if ours and not may_import(importer, name.split(".")[0])]
    assert not wrong, f"{importer} may not import {wrong}"


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_notebook_knows_ipython(path: Path) -> None:
    names = {name.split(".")[0] for name, ours in imports(path) if not ours}
    assert room(path) == "notebook" or not names & NOTEBOOK_ONLY


def test_the_package_imports_without_ipython_and_wasmtime() -> None:
    code = (
        "import sys, wasmhub_magics; print([m for m in ('IPython', 'wasmtime', 'oras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_package_costs_less_than_importing_json_and_http_twice() -> None:
    def best(code: str) -> float:
        timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
        runs = [subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
                for _ in range(5)]  # fmt: skip
        return min(float(run.stdout) for run in runs)

    assert best("import wasmhub_magics") < 2 * best("import json, http.client")


def test_every_public_name_can_be_imported() -> None:
    import wasmhub_magics

    for name in wasmhub_magics.__all__:
        assert getattr(wasmhub_magics, name) is not None


def test_the_version_is_the_one_of_the_changelog() -> None:
    import wasmhub_magics

    changelog = (PACKAGE.parent / "CHANGELOG.md").read_text()
    assert f"## {wasmhub_magics.__version__}" in changelog
