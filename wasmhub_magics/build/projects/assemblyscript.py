"""An AssemblyScript filter as a project: a package for npm, with the glue."""

from __future__ import annotations

import json

from ...errors import BuildError
from ..assemblyscript import GUEST, constants, entry_of, flags_of
from ..assemblyscript_sdk import uses_sdk
from ..build import Build
from .layout import Layout, identifier
from .texts import make_test

__all__ = ["layout"]


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    options = build.options
    if uses_sdk([build.source, *(text for _, text in options.files)]):
        raise BuildError(
            "a filter for @solo-io/proxy-runtime cannot be exported as a project",
            do="keep the project it comes from, or save its module: Filter.save(path)",
        )
    flags = " ".join(["entry.ts", *flags_of(options)])
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

NAME.wasm: node_modules $(wildcard assembly/*.ts assembly/lib/*.ts)
\tnpm run --silent build

node_modules: package.json package-lock.json
\tnpm ci --ignore-scripts --no-audit --no-fund
\ttouch node_modules

clean:
\trm -rf NAME.wasm node_modules
"""
    library = {f"assembly/lib/{path.name}": path.read_text() for path in sorted(GUEST.glob("*.ts"))}
    return Layout(
        source="assembly/cell.ts",
        beside="assembly/",
        files={
            "Makefile": (makefile + make_test).replace("NAME", build.name),
            "package.json": json.dumps(package, indent=2) + "\n",
            "package-lock.json": json.dumps(locked, indent=2) + "\n",
            "assembly/entry.ts": entry_of(build.source),
            "assembly/lib/origin.ts": f"export const ORIGIN = {json.dumps(options.origin)};\n",
            "assembly/lib/options.ts": constants(options),
            **library,
        },
        needs="It needs Node.js 20 or later; npm installs the compiler. `assembly/entry.ts` exports what "
        "`assembly/cell.ts` defines: a callback that is added there is added here, too.",
        setup=('- uses: actions/setup-node@v4\n  with:\n    node-version: "22"',),
        exact="The build gives the same bytes as there.",
        ignored=("node_modules/",),
    )
