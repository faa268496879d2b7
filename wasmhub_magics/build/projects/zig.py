"""A Zig filter as a project: build.zig, and the module."""

from __future__ import annotations

from ..build import Build
from ..zig import FLAGS, GUEST, MODES, constants, exported, is_whole
from .layout import Layout, identifier
from .texts import make_test

__all__ = ["layout"]


def layout(build: Build) -> Layout:
    """Where things are and how they are built."""
    options, whole = build.options, is_whole(build.source)
    root = "cell" if whole else "start"
    script = f"""const std = @import("std");

pub fn build(b: *std.Build) void {{
    const target = b.resolveTargetQuery(.{{ .cpu_arch = .wasm32, .os_tag = .freestanding }});
    const optimize: std.builtin.OptimizeMode = .{MODES[options.optimize]};
    const proxy_wasm = b.createModule(.{{ .root_source_file = b.path("proxy_wasm/proxy_wasm.zig"), .target = target, .optimize = optimize }});
    const constants = b.createModule(.{{ .root_source_file = b.path("src/options.zig"), .target = target, .optimize = optimize }});
    const cell = b.createModule(.{{
        .root_source_file = b.path("src/cell.zig"),
        .target = target,
        .optimize = optimize,
        .strip = {str(not options.debug).lower()},
        .imports = &.{{ .{{ .name = "proxy_wasm", .module = proxy_wasm }}, .{{ .name = "options", .module = constants }} }},
    }});
    {START if not whole else ""}const filter = b.addExecutable(.{{ .name = "{identifier(build.name)}", .root_module = {root} }});
    filter.entry = .disabled;
    filter.rdynamic = true;
    filter.stack_size = 131072;
    b.installArtifact(filter);
}}
""".replace("STRIP", str(not options.debug).lower())
    makefile = """# The filter by Zig, or by the one inside the ziglang package: make ZIG="python3 -m ziglang". `zig build` does the same.
ZIG := zig
PYTHON := python3

all: NAME.wasm

NAME.wasm: build.zig $(wildcard src/* proxy_wasm/*)
\t$(ZIG) build-exe FLAGS MODULES -femit-bin=$@

clean:
\trm -rf NAME.wasm zig-out .zig-cache
"""
    modules = "--dep proxy_wasm --dep options -Mcell=src/cell.zig"
    if not whole:
        modules = (
            f"--dep cell --dep own --dep proxy_wasm -Mroot=proxy_wasm/start.zig {modules} -Mown=src/own.zig"
        )
    modules += " -Mproxy_wasm=proxy_wasm/proxy_wasm.zig -Moptions=src/options.zig"
    if whole:
        modules = modules.replace("-Mcell=", "-Mroot=")
    strip = "-fno-strip" if options.debug else "-fstrip"
    flags = " ".join([*FLAGS, "-O", MODES[options.optimize], strip, *options.flags])

    files = {f"proxy_wasm/{path.name}": path.read_text() for path in sorted(GUEST.glob("*.zig"))}
    made = makefile.replace("FLAGS", flags).replace("MODULES", modules) + make_test
    return Layout(
        source="src/cell.zig",
        beside="src/",
        files={
            "Makefile": made.replace("NAME", build.name),
            "build.zig": script,
            "src/options.zig": constants(options),
            "src/own.zig": exported(build.source),
            **files,
        },
        needs='It needs Zig 0.17, or `pip install ziglang==0.17.1` and `make ZIG="python3 -m ziglang"`.',
        setup=("- run: pip install ziglang==0.17.1", '- run: make ZIG="python3 -m ziglang"'),
        exact="The build gives the same bytes as there.",
        ignored=("zig-out/", ".zig-cache/"),
    )


START = """const own = b.createModule(.{ .root_source_file = b.path("src/own.zig") });
    const start = b.createModule(.{
        .root_source_file = b.path("proxy_wasm/start.zig"),
        .target = target,
        .optimize = optimize,
        .strip = STRIP,
        .imports = &.{ .{ .name = "cell", .module = cell }, .{ .name = "own", .module = own }, .{ .name = "proxy_wasm", .module = proxy_wasm } },
    });
    """
