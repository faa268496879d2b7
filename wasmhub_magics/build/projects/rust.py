"""A Rust filter as a project: a crate for cargo."""

from __future__ import annotations

import json

from ..build import Build
from ..rust import LEVELS, LINK, dependencies, edition_of
from .layout import Layout, identifier
from .texts import make_test

__all__ = ["layout"]


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    options, crate = build.options, identifier(build.name)
    edition, flags = edition_of(options.flags)
    wanted = "\n".join(
        f"{name} = {value}" for name, value in sorted(dependencies(build.source, options).items())
    )
    level = "\n".join(
        line for line in LEVELS[options.optimize].splitlines() if not line.startswith("inherits")
    )
    manifest = f"""[package]
name = "{crate}"
version = "0.1.0"
edition = "{edition}"

[lib]
crate-type = ["cdylib"]

[dependencies]
{wanted}

[profile.release]
{level}
panic = "abort"
debug = {str(options.debug).lower()}
strip = "{"none" if options.debug else "debuginfo"}"
"""
    config = "[target.'cfg(target_arch = \"wasm32\")']\nrustflags = " + json.dumps([*LINK, *flags]) + "\n"
    if options.defines:
        config += "\n[env]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.defines)
    makefile = """# The filter by cargo. TARGET is a target of the compiler's, OPTIONS more options for cargo.
TARGET := wasm32-wasip1
OPTIONS :=
PYTHON := python3

all: NAME.wasm

NAME.wasm: Cargo.toml .cargo/config.toml $(wildcard src/*)
\tcargo build --release --target $(TARGET) $(OPTIONS)
\tcp target/$(TARGET)/release/CRATE.wasm $@

clean:
\trm -rf NAME.wasm target
"""
    made = (makefile + make_test).replace("NAME", build.name).replace("CRATE", crate.replace("-", "_"))
    return Layout(
        source="src/lib.rs",
        beside="src/",
        files={"Makefile": made, "Cargo.toml": manifest, ".cargo/config.toml": config},
        needs="It needs Rust with `rustup target add wasm32-wasip1`.",
        setup=("- run: rustup target add wasm32-wasip1",),
        exact="The build behaves as there; its bytes differ, as they hold the name of the crate.",
        ignored=("target/",),
    )
