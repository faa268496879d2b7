"""An AssemblyScript filter as a project: a package for npm, with the glue."""

from __future__ import annotations

import json

from ..assemblyscript import USES, constants, flags_of
from ..assemblyscript_entry import entry_of
from ..assemblyscript_sdk import ABORT, sdk_files, uses_sdk
from ..assemblyscript_toolchain import GUEST, compiler_home, install_compiler
from ..build import Build
from .layout import Layout, identifier
from .texts import make_test

__all__ = ["layout"]

_TOLD = {
    "entry.ts": "`assembly/entry.ts` exports what `assembly/cell.ts` defines: a callback that is added there "
    "is added here, too.",
    "cell.ts": "`assembly/lib/@solo-io` is `@solo-io/proxy-runtime` 0.1.8 of Solo.io (Apache-2.0), made fit for "
    "the compiler of today.",
}


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    options = build.options
    entry, files, uses = "entry.ts", _glue(build), USES
    if uses_sdk([build.source, *(text for _, text in options.files)]):
        install_compiler(lambda _: None, options.timeout)
        parts = sdk_files(compiler_home() / "node_modules", build.source)
        entry, uses = "cell.ts", [ABORT]
        files = {f"assembly/lib/{name}": text for name, text in parts.items()}
    flags = " ".join([entry, *flags_of(options, uses)])
    locked = json.loads((GUEST / "package-lock.json").read_text())
    version = locked["packages"]["node_modules/assemblyscript"]["version"]
    package = {
        "name": identifier(build.name),
        "private": True,
        "type": "module",
        "scripts": {"build": f"cd assembly && asc {flags} -o ../{build.name}.wasm"},
        "devDependencies": {"assemblyscript": version},
    }
    locked["name"] = package["name"]
    locked["packages"] = {
        place: each for place, each in locked["packages"].items() if "@solo-io" not in place
    }
    locked["packages"][""] = {"name": package["name"], "devDependencies": package["devDependencies"]}
    makefile = """# The filter by AssemblyScript's compiler, which npm installs.
PYTHON := python3

all: NAME.wasm

NAME.wasm: node_modules $(wildcard assembly/*.ts) $(shell find assembly/lib -name '*.ts')
\tnpm run --silent build

node_modules: package.json package-lock.json
\tnpm ci --ignore-scripts --no-audit --no-fund
\ttouch node_modules

clean:
\trm -rf NAME.wasm node_modules
"""
    return Layout(
        source="assembly/cell.ts",
        beside="assembly/",
        files={
            "Makefile": (makefile + make_test).replace("NAME", build.name),
            "package.json": json.dumps(package, indent=2) + "\n",
            "package-lock.json": json.dumps(locked, indent=2) + "\n",
            "assembly/lib/options.ts": constants(options),
            **files,
        },
        needs=f"It needs Node.js 20 or later; npm installs the compiler. {_TOLD[entry]}",
        setup=('- uses: actions/setup-node@v4\n  with:\n    node-version: "22"',),
        exact="The build gives the same bytes as there.",
        ignored=("node_modules/",),
    )


def _glue(build: Build) -> dict[str, str]:
    """What is beside a source that imports ``proxy_wasm``."""
    return {
        "assembly/entry.ts": entry_of(build.source),
        "assembly/lib/origin.ts": f"export const ORIGIN = {json.dumps(build.options.origin)};\n",
        **{f"assembly/lib/{path.name}": path.read_text() for path in sorted(GUEST.glob("*.ts"))},
    }
