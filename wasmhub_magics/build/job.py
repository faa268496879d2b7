"""A build as a file, done where the compiler is: ``python -m wasmhub_magics.build FOLDER``.

The folder holds ``job.json``; ``result.json`` comes beside it. The steps are printed as they begin.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import BuildError, CompileError, Diagnostic, ToolchainMissing, WasmhubError
from .language import BuildOptions, Compiled
from .languages import find_language

__all__ = ["JOB", "RESULT", "main", "packed", "unpacked"]

JOB = "job.json"
RESULT = "result.json"


def packed(language: str, source: str, options: BuildOptions) -> bytes:
    """A build as the content of ``job.json``."""
    return json.dumps({"language": language, "source": source, "options": asdict(options)}).encode()


def unpacked(result: bytes) -> Compiled:
    """What came out, from the content of ``result.json``. Raises what the build there raised."""
    found = json.loads(result)
    diagnostics = tuple(Diagnostic(**each) for each in found.get("diagnostics", ()))
    if "data" in found:
        packages = tuple((name, version) for name, version in found.get("packages", ()))
        return Compiled(base64.b64decode(found["data"]), diagnostics, packages)
    if found["error"] == "compile":
        rendered, what, do = found["rendered"], found["what"], found["do"]
        raise CompileError(what, diagnostics=diagnostics, rendered=rendered, do=do)
    kind = ToolchainMissing if found["error"] == "missing" else BuildError
    raise kind(found["what"], where=found["where"], do=found["do"])


def main(folder: Path) -> int:
    """Do the build of a folder; 0 also where the source has errors, which are in the result."""
    job = json.loads((folder / JOB).read_bytes())
    result: dict[str, Any]
    try:
        built = _build(job)
        data = base64.b64encode(built.data).decode()
        result = {"data": data, "diagnostics": [asdict(each) for each in built.diagnostics]}
        result |= {"packages": built.packages}
    except CompileError as error:
        told = [asdict(each) for each in error.diagnostics]
        result = {"error": "compile", "diagnostics": told, "rendered": error.rendered}
        result |= {"what": error.what, "do": error.do}
    except WasmhubError as error:
        kind = "missing" if isinstance(error, ToolchainMissing) else "build"
        result = {"error": kind, "what": error.what, "where": error.where, "do": error.do}
    (folder / RESULT).write_text(json.dumps(result))
    return 0


def _build(job: Mapping[str, Any]) -> Compiled:
    pairs = ("defines", "files")
    given: dict[str, Any] = {
        name: tuple(map(tuple, value))
        if name in pairs
        else tuple(value)
        if isinstance(value, list)
        else value
        for name, value in job["options"].items()
    }
    options = replace(BuildOptions(), **given)
    language = find_language(job["language"])
    _say(f"compiling {language.title} with {language.detect()}")
    with tempfile.TemporaryDirectory(prefix="wasmhub-") as workdir:
        return language.compile(job["source"], Path(workdir), options, _say)


def _say(step: str) -> None:
    sys.stdout.write(step + "\n")
    sys.stdout.flush()
