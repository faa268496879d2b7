"""Completion on the line of a magic and in the body of a filter's cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher
from IPython.core.getipython import get_ipython

from ..curl import METHODS
from .session import SESSION

__all__ = ["complete"]

HEADERS = (
    "accept: ",
    "authorization: ",
    "content-type: ",
    "cookie: ",
    "host: ",
    "user-agent: ",
    "x-request-id: ",
)
NAMED = (
    "wasm_filter",
    "wasm_test",
    "wasm_send",
    "wasm_bench",
    "wasm_verify",
    "wasm_inspect",
    "wasm_state",
    "wasm_push",
    "wasm_deploy",
    "wasm_diff",
    "wasm_history",
    "wasm_rollback",
    "wasm_undeploy",
    "wasm_logs",
    "wasm_order",
    "wasm_export",
)
REQUESTS = ("wasm_send", "wasm_bench", "wasm_verify")
WORD = re.compile(r"[^\s\"'(){}\[\].,;:=+*/<>!&|^%-]*$")


@context_matcher(identifier="wasmhub", priority=1000)  # type: ignore[untyped-decorator]
def complete(context: CompletionContext) -> dict[str, Any]:
    """What may stand at the cursor: options and their values, names, methods; words of the cell in a body.

    Everything else that IPython would offer there is Python's, and is held back.
    """
    lines = context.full_text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    here = context.text_until_cursor
    if context.cursor_line > first and lines[first].lstrip().startswith("%%wasm_filter"):
        return _result(_body(context, lines, first), WORD.search(here).group())  # type: ignore[union-attr]
    found = re.match(r"\s*%{1,2}(wasm_\w+)\s(.*)$", here)
    if found is None:
        return {"completions": [], "suppress": False}
    magic, line = found.groups()
    fragment = re.search(r"\S*$", line).group()  # type: ignore[union-attr]
    return _result(_line(magic, line[: len(line) - len(fragment)].split(), fragment), fragment)


def _result(candidates: Iterable[str], fragment: str) -> dict[str, Any]:
    found = [each for each in dict.fromkeys(candidates) if each.startswith(fragment)]
    if not found and fragment:
        # A matcher that offers nothing cannot hold the others back: what stands there is offered as it is.
        found = [fragment]
    return {
        "completions": [SimpleCompletion(text=each, type="wasm") for each in found],
        "matched_fragment": fragment,
        "suppress": True,
        "ordered": True,
    }


def _line(magic: str, words: list[str], fragment: str) -> Iterator[str]:
    parser = _parser(magic)
    if parser is None:
        return
    if fragment.startswith("-"):
        for action in parser._actions:
            if action.help != "==SUPPRESS==":
                yield from (option for option in action.option_strings if option.startswith(fragment))
        return
    previous = words[-1] if words else ""
    action = parser._option_string_actions.get(previous)
    if action is not None and action.nargs != 0:
        yield from _values(previous, action, fragment)
        return
    plain = [word for word in words if not word.startswith("-")]
    if magic == "wasm_new" and len(plain) - ("--example" in words) == 0:
        from ..build import languages

        yield from languages()
    if magic == "wasm_bench" and previous == "--vs":
        yield "none"
    if not plain or magic == "wasm_test":
        if magic in NAMED:
            yield from SESSION.filters
        return
    if magic in REQUESTS and len(plain) == 1:
        yield from METHODS
        yield "/"


def _values(option: str, action: Any, fragment: str) -> Iterator[str]:
    if action.choices:
        yield from map(str, action.choices)
    elif option == "--lang":
        from ..build import languages

        yield from languages()
    elif option == "--example":
        from ..examples import examples

        yield from (each.name for each in examples())
    elif option == "--to":
        from ..deploy import TARGETS

        yield from TARGETS
    elif option == "--vs":
        yield from ("none", *SESSION.filters)
    elif option in ("-X", "--request"):
        yield from METHODS
    elif option in ("-H", "--header"):
        yield from (fragment[:1] + each if fragment[:1] in ("'", '"') else each for each in HEADERS)
    elif fragment.startswith("@"):
        shell = get_ipython()
        yield from (f"@{name}" for name in (shell.user_ns if shell else ()) if not name.startswith("_"))


def _body(context: CompletionContext, lines: list[str], first: int) -> Iterator[str]:
    """The names a filter in Python can define and use, then the words of the cell itself."""
    options = lines[first].split()
    language = next((b for a, b in pairwise(options) if a == "--lang"), "python")
    if language in ("python", "py"):
        yield from PYTHON_WORDS
    fragment = WORD.search(context.text_until_cursor).group()  # type: ignore[union-attr]
    text = "\n".join(lines[first + 1 :])
    yield from (word for word in sorted(set(re.findall(r"\w{2,}", text))) if word != fragment)


def _parser(magic: str) -> Any:
    from .magics import GROUPS

    return next((getattr(group, magic).parser for group in GROUPS if hasattr(group, magic)), None)


PYTHON_WORDS = (
    "on_configure", "on_vm_start", "on_request_headers", "on_request_body", "on_request_trailers",
    "on_response_headers", "on_response_body", "on_response_trailers", "on_log", "on_done",
    "ctx", "request", "response", "headers", "trailers", "body", "append_body", "prepend_body", "respond",
    "config", "configuration", "vm_configuration", "property", "set_property", "log", "resume_request",
    "resume_response", "close", "end_of_stream", "CONTINUE", "PAUSE", "BUFFER", "WATERMARK", "NO_BUFFER",
    "False", "None", "True", "and", "break", "class", "continue", "def", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "not", "or", "pass", "raise",
    "return", "try", "while", "with", "yield",
    "bytes", "dict", "enumerate", "float", "int", "isinstance", "len", "list", "print", "range", "repr",
    "set", "sorted", "str", "tuple",
)  # fmt: skip
