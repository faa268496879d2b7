"""A Go filter as a project: a module for go build."""

from __future__ import annotations

from ...errors import BuildError
from ..build import Build
from ..go import link_flags
from ..go_sdk import OLD_SDK, SDK, SDK_REQUIRED, SDK_SUM, module_of, packages_of_sdk
from .layout import Layout, identifier
from .texts import make_test

__all__ = ["layout"]


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    options = build.options
    if packages_of_sdk(build.source, options, OLD_SDK):
        raise BuildError(
            f"only this package builds a source that imports {OLD_SDK}: that SDK is for TinyGo",
            do=f"import {SDK}, set the context in init instead of main, and export it then",
        )
    wanted = [module_of(each) for each in options.packages]
    module = f"module {identifier(build.name)}\n\ngo 1.24\n"
    versions = [f"{path}@{at}" for path, at in wanted if isinstance(at, str)]
    files: dict[str, str] = {}
    if packages_of_sdk(build.source, options):
        module += SDK_REQUIRED
        files["go.sum"] = SDK_SUM
    for name, at in wanted:
        if not isinstance(at, str):
            module += f'\nrequire {name} v0.0.0\n\nreplace {name} => "{at}"\n'
    level = " '-gcflags=-N -l'" if options.optimize == "none" else ""
    flags = " ".join(options.flags)
    get = f"\tgo get {' '.join(versions)}\n" if versions else ""
    makefile = f"""# The filter by the upstream Go toolchain, 1.24 or later.
PYTHON := python3
export GOOS := wasip1
export GOARCH := wasm
export CGO_ENABLED := 0

all: NAME.wasm

NAME.wasm: go.mod $(wildcard *.go)
{get}\tgo build -buildmode=c-shared -trimpath -buildvcs=false "-ldflags={link_flags(options)}"{level} {flags} -o $@ .

clean:
\trm -f NAME.wasm
{make_test}"""
    return Layout(
        source="main.go",
        beside="",
        files={"Makefile": makefile.replace("NAME", build.name), "go.mod": module, **files},
        needs="It needs Go 1.24 or later.",
        setup=('- uses: actions/setup-go@v5\n  with:\n    go-version: "1.24"',),
        exact="The build behaves as there; its bytes differ, as Go writes the module's name into them.",
    )
