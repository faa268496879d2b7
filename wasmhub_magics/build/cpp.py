"""C++ by clang, with its standard library and a header with the names of the C++ SDK for Proxy-Wasm."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from ..errors import BuildError, Diagnostic, ToolchainMissing
from .clang import SHARED, find_ziglang, levels
from .clang_messages import ASKED, Reader, undefined, unplaced
from .cpp_toolchain import Kit, find_clang_cpp, kit
from .diagnostics import Sources, failure, source_lines
from .language import BuildOptions, Compiled, Progress, Toolchain
from .process import Finished, run
from .sources import locked, shared_folder, write_files

__all__ = ["CALLBACKS", "GUEST", "INCLUDE", "SOURCES", "STACK", "Cpp"]

GUEST = Path(__file__).parent.parent / "guest" / "cpp"
INCLUDE = GUEST / "include"
HEADER = "proxy_wasm_intrinsics.h"
SOURCE = "cell.cc"
SOURCES = (".cc", ".cpp", ".cxx")

_COMPILE = (
    *("-std=gnu++20", "-fignore-exceptions", "-ffunction-sections", "-fdata-sections", "-Wall"),
    *("-Wno-unused-command-line-argument", "-fdebug-compilation-dir=.", *ASKED),
    *("-Xclang", "-fvalidate-ast-input-files-content"),
)
STACK = 262144
"""Bytes of the stack; it comes first, so that an overflow traps and does not run into the data."""
_LINK = ("--gc-sections", "--stack-first", "-z", f"stack-size={STACK}", "--error-limit=0")

_STRIP = ("--strip-debug",)
"""Leaves out what libraries bring along for debuggers; names stay."""

CALLBACKS = (
    *("onCreate", "onDone", "onDoneBase", "onLog", "onDelete", "onForeignFunction", "onConfigure", "onStart"),
    *("onTick", "onQueueReady", "onHttpCallResponse", "onGrpcReceiveInitialMetadata", "onGrpcReceive"),
    *("onGrpcReceiveTrailingMetadata", "onGrpcClose", "onNewConnection", "onDownstreamData"),
    *("onUpstreamData", "onDownstreamConnectionClose", "onUpstreamConnectionClose", "onRequestHeaders"),
    *("onRequestBody", "onRequestTrailers", "onRequestMetadata", "onResponseHeaders", "onResponseBody"),
    *("onResponseTrailers", "onResponseMetadata", "validateConfiguration"),
)
"""The methods of contexts that a proxy calls."""


class Cpp:
    """C++: a source file that includes ``proxy_wasm_intrinsics.h``, and maybe further ones.

    ``finders`` are asked for a compiler in turn.
    """

    name = "cpp"
    title = "C++"
    aliases = ("c++", "cxx", "cc")
    suffix = ".cc"
    cacheable = True

    def __init__(
        self, finders: Sequence[Callable[[], Toolchain | None]] = (find_ziglang, find_clang_cpp)
    ) -> None:
        self._finders = finders

    def detect(self) -> Toolchain:
        """The first compiler there is. Raises ToolchainMissing where there is none."""
        for finder in self._finders:
            found = finder()
            if found is not None:
                return found
        raise ToolchainMissing(
            "C++ needs a compiler for WebAssembly with its standard library, and there is none here",
            do='pip install "wasmhub-magics[cpp]", or put a clang++ with libc++ for wasm32-wasi on the PATH',
        )

    def fingerprint(self) -> str:
        """The digest of the headers, of the runtime and of how the compiler is called."""
        digest = hashlib.sha256("\0".join([*_COMPILE, *_LINK, *_STRIP]).encode())
        for path in sorted([*GUEST.glob("*.cc"), *INCLUDE.rglob("*.h"), *SHARED.glob("*.h")]):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def warm(self, progress: Progress) -> None:
        """Make what is made only once, so that no build has to: the standard library, and our runtime."""
        tools = kit(self.detect(), progress)
        self._prepared(tools, BuildOptions(), progress)

    def compile(self, source: str, workdir: Path, options: BuildOptions, progress: Progress) -> Compiled:
        """Compile and link a source. Raises CompileError with the compiler's or linker's diagnostics."""
        tools = kit(self.detect(), progress)
        prepared = self._prepared(tools, options, progress)
        blank = "\n" * (options.first_line - 1)  # so that the compiler counts lines as the reader does
        (workdir / SOURCE).write_bytes((blank + source).encode())
        write_files(options, workdir, (SOURCE,))
        texts = {SOURCE: source, **dict(options.files)}
        sdk = any(_includes_sdk(text) for text in texts.values())
        flags = [flag for flag in options.flags if not flag.startswith("-Wl,")]
        link = [] if options.debug else [*_STRIP]
        link += [part for flag in options.flags if flag.startswith("-Wl,") for part in flag[4:].split(",")]
        defines = [f"-D{name}={value}" for name, value in options.defines]
        sources = Sources(source, options, SOURCE)
        found: list[Diagnostic] = []
        objects: list[str] = []
        for name, text in texts.items():
            if not name.endswith(SOURCES):
                continue
            objects.append(f"{len(objects)}.o")
            command = [*tools.compiler, *_flags(options, tools), "-I.", *defines, *flags]
            command += ["-c", "-o", objects[-1], name]
            plain = _includes_sdk(text) and not flags and not defines
            header = ["-include-pch", str(prepared / "sdk.pch")] if plain else []
            done = run([*command, *header], cwd=workdir, timeout=options.timeout)
            if done.code and header and re.search(r"precompiled|PCH file|AST file", done.stderr):
                done = run(command, cwd=workdir, timeout=options.timeout)  # what it was made of has changed
            found += Reader(sources, workdir, _elsewhere).messages(done.stderr)
            if done.code:
                told = [_hinted(each, sources) for each in _shortened(found)]
                raise failure(self.title, told or unplaced(done.stderr, workdir), source, options)
        runtime = [str(prepared / "runtime.o")] if sdk else []
        linked = run(
            [
                *(*tools.linker, *map(tools.for_linker, [*_LINK, *link]), "-o", "cell.wasm"),
                *(*objects, *runtime, str(prepared / "exceptions.o"), *tools.libraries),
            ],
            cwd=workdir,
            timeout=options.timeout,
        )
        if linked.code:
            missing = (*undefined(linked.stderr, sources),) or unplaced(linked.stderr, workdir)
            raise failure(self.title, [*missing, *found], source, options)
        if sdk:
            found += _callbacks(source, list(texts.values()), options)
        return Compiled((workdir / "cell.wasm").read_bytes(), tuple(found))

    def _prepared(self, tools: Kit, options: BuildOptions, progress: Progress) -> Path:
        """A folder with our runtime and our header, compiled as the options want it."""
        how = options.optimize + ("-debug" if options.debug else "")
        key = hashlib.sha256("\0".join([self.fingerprint(), *tools.compiler, *tools.flags]).encode())
        home = shared_folder("cpp", re.sub(r"[^\w.]+", "-", tools.version), key.hexdigest()[:16])
        folder = home / how
        if folder.is_dir():
            return folder
        with locked(home, options.timeout, lambda: progress("waiting for another build")):
            if folder.is_dir():
                return folder
            progress("C++ compiles its runtime, once")
            partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=home))
            try:
                for name, *rest in (
                    ("runtime.o", "-c", "runtime.cc"),
                    ("exceptions.o", "-c", "exceptions.cc"),
                    ("sdk.pch", "-fpch-instantiate-templates", "-x", "c++-header", str(INCLUDE / HEADER)),
                ):
                    done = run(
                        [*tools.compiler, *_flags(options, tools), *rest, "-o", str(partial / name)],
                        cwd=GUEST,
                        timeout=options.timeout,
                    )
                    if done.code:
                        raise _broken(done)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return folder


def _flags(options: BuildOptions, tools: Kit) -> list[str]:
    debug = ["-g"] if options.debug else []
    maps = [f"-ffile-prefix-map={place}=." for place in (GUEST, SHARED, *tools.places)]
    include = [part for place in (INCLUDE, SHARED) for part in ("-isystem", str(place))]
    return [*_COMPILE, levels[options.optimize], *debug, *maps, *include, *tools.flags]


def _broken(done: Finished) -> BuildError:
    said = next((line for line in done.stderr.splitlines() if "error" in line), "it failed without a word")
    return BuildError(
        f"the runtime of C++ cannot be compiled: {said}", do="install the compiler and wasmhub-magics again"
    )


def _includes_sdk(text: str) -> bool:
    return bool(
        re.search(r'^[ \t]*#[ \t]*include[ \t]*["<](?:\S*/)?proxy_wasm_(?:intrinsics|api)\S*\.h', text, re.M)
    )


def _elsewhere(file: str, line: int, column: int, message: str, is_note: bool) -> str:
    """A message about a file that is not the user's: of ours the message is enough."""
    del line, column
    ours = any(map(Path(file).is_relative_to, (GUEST, SHARED)))
    return "" if is_note and not ours else message


def _shortened(found: Sequence[Diagnostic]) -> Iterator[Diagnostic]:
    """Each message once, and of the many that one place may cause in templates the first ones."""
    placed = any(each.severity == "error" and each.line for each in found)
    at: Counter[tuple[str, int, int]] = Counter()
    for each in dict.fromkeys(found):
        if each.line:
            at[each.file, each.line, each.column] += 1
        elif placed and each.severity == "error":
            continue
        if at[each.file, each.line, each.column] <= 2:
            yield each


def _hinted(told: Diagnostic, sources: Sources) -> Diagnostic:
    """An error about an override, with the callback that was probably meant, or about a missing header."""
    if told.message.endswith("file not found"):
        hint = "a file of yours comes by --file, a library by --flag=-IHEADERS --flag=-Wl,ARCHIVE.a"
        return replace(told, message=f"{told.message}; {hint}")
    line = sources.line(told.file or SOURCE, told.line)
    if "'override'" not in told.message or line is None:
        return told
    names = re.findall(r"\b((?:on|validate)[A-Z]\w*)\s*\(", line.text[: told.column - 1])
    near = get_close_matches(names[-1], CALLBACKS, 1, 0.6) if names else []
    if not near:
        return told
    hint = f"did you mean {near[0]}?"
    if near[0] in ("onRequestHeaders", "onResponseHeaders") and near[0] == names[-1]:
        hint = f"it is {near[0]}(uint32_t headers, bool end_of_stream)"
    return replace(told, message=f"{told.message}; {hint}")


_METHOD = re.compile(r"\bFilter(?:Headers|Data|Trailers|Metadata|)Status\s+(on[A-Z]\w*)\s*\(")


def _callbacks(source: str, texts: Sequence[str], options: BuildOptions) -> Iterator[Diagnostic]:
    """What looks like a callback and is none, and a filter that nobody is told of."""
    for number, line in enumerate(source_lines(source), options.first_line):
        for found in _METHOD.finditer(line):
            if found[1] in CALLBACKS:
                continue
            near = get_close_matches(found[1], CALLBACKS, 1, 0.6)
            message = f"{found[1]} is no callback, so no proxy calls it" + (
                f"; did you mean {near[0]}?" if near else ""
            )
            yield Diagnostic("warning", message, number, found.start(1) + 1, number, found.end(1) + 1)
    if not any("RegisterContextFactory" in text or "proxy_on_" in text for text in texts):
        yield Diagnostic(
            "warning",
            "nothing is registered, so no proxy calls it: "
            "static RegisterContextFactory mine(CONTEXT_FACTORY(MyContext));",
        )
