"""What Python and JavaScript filters are built with besides the source: modules, data, constants."""

from __future__ import annotations

import textwrap

import pytest

from wasmhub_magics.build import BuildOptions, build_module
from wasmhub_magics.envoy import EnvoyProxy
from wasmhub_magics.errors import BuildError, CompileError, StartError
from wasmhub_magics.http import Request
from wasmhub_magics.plugin import Plugin
from wasmhub_magics.proxy import Proxy


def built(source: str, language: str, **options: object) -> Plugin:
    build = build_module(textwrap.dedent(source), language, options=BuildOptions(**options))
    assert build.diagnostics == ()
    return Plugin(build.module, "filter")


PYTHON = {
    "greetings.py": "from words.english import HELLO\n\ndef greet(user):\n    return HELLO + ' ' + user\n",
    "words/english.py": "HELLO = 'hello'\n",
    "words/__init__.py": "",
    "users.json": '{"1": "ada"}',
}
PYTHON_SOURCE = """
import json
import greetings
from words import english

USERS = json.load(open("users.json"))

def on_request_headers(ctx):
    ctx.request.headers["x-greeting"] = greetings.greet(USERS["1"]) + english.HELLO
"""

JAVASCRIPT = {
    "greetings.js": """
        import { HELLO } from "./words/english.js";
        export const greet = (user) => `${HELLO} ${user}`;
    """,
    "words/english.js": """
        import users from "../users.json";
        export const HELLO = "hello";
        export { users };
    """,
    "users.json": '{"1": "ada"}',
}
JAVASCRIPT_SOURCE = """
import { greet } from "./greetings.js";
import * as english from "words/english.js";

export function onRequestHeaders(ctx) {
  ctx.request.headers.set("x-greeting", greet(english.users[1]) + english.HELLO);
}
"""


@pytest.mark.parametrize("kind", [Proxy, EnvoyProxy], ids=["embedded", "envoy"])
@pytest.mark.parametrize(
    ("language", "source", "files"),
    [("python", PYTHON_SOURCE, PYTHON), ("javascript", JAVASCRIPT_SOURCE, JAVASCRIPT)],
    ids=["python", "javascript"],
)
def test_a_filter_imports_modules_and_reads_data(kind, language, source, files):
    with kind(built(source, language, files=tuple(files.items()))) as proxy:
        assert proxy.send().upstream_request.headers["x-greeting"] == "hello adahello"


def test_an_error_in_a_module_is_told_with_its_file_and_line():
    files = (("helpers.py", "def fail():\n    return 1 / 0\n"),)
    source = "import helpers\n\ndef on_request_headers(ctx):\n    helpers.fail()\n"
    with Proxy(built(source, "python", files=files)) as proxy:
        said = proxy.send().log[0].message
    assert 'File "cell", line 4' in said
    assert 'helpers.py", line 2, in fail' in said
    files = (("helpers.js", "\nexport function fail() { nothing.at(1); }"),)
    source = 'import { fail } from "./helpers.js";\nfunction onRequestHeaders(ctx) { fail(); }'
    with Proxy(built(source, "javascript", files=files)) as proxy:
        said = proxy.send().log[0].message
    assert "helpers.js:2:" in said
    assert "cell:2:" in said


def test_a_module_that_cannot_be_compiled_is_told_when_building():
    options = BuildOptions(files=(("helpers.py", "x = 1\ndef broken(:\n"),))
    with pytest.raises(CompileError) as caught:
        build_module("import helpers", "python", options=options)
    assert "helpers.py:2:12: error: invalid syntax" in str(caught.value)


def test_a_module_that_is_not_there_is_told():
    build = build_module("import nowhere", "python")
    assert "MicroPython has no module nowhere" in build.diagnostics[0].message
    with pytest.raises(StartError) as caught, Proxy(built('import "./nowhere.js";', "javascript")) as proxy:
        proxy.send()
    assert "there is no file nowhere.js" in str(caught.value)


def test_a_module_of_javascript_keeps_its_names_and_may_not_wait():
    source = 'const log = 1;\nexport function onRequestHeaders(ctx) { ctx.request.headers.set("x-n", log); }'
    with Proxy(built(source, "javascript")) as proxy:
        assert proxy.send().upstream_request.headers["x-n"] == "1"
    with (
        pytest.raises(StartError) as caught,
        Proxy(built("export {};\nawait new Promise(() => {});", "javascript")) as proxy,
    ):
        proxy.send()
    assert "there is an await at the top level" in str(caught.value)
    with (
        pytest.raises(StartError) as caught,
        Proxy(built("export {};\nthrow new Error('no');", "javascript")) as proxy,
    ):
        proxy.send()
    assert "Error: no" in str(caught.value)
    assert "cell:2" in str(caught.value)


@pytest.mark.parametrize(
    ("language", "source"),
    [
        (
            "python",
            'def on_request_headers(ctx):\n    ctx.request.headers["x-d"] = repr([LIMIT, RATE, ON, NAME])',
        ),
        (
            "javascript",
            """const all = () => JSON.stringify([LIMIT, RATE, ON, NAME]);
            function onRequestHeaders(ctx) { ctx.request.headers.set("x-d", all()); }""",
        ),
    ],
)
def test_names_can_be_defined(language, source):
    defines = (("LIMIT", "5"), ("RATE", "-0.5"), ("ON", "true"), ("NAME", 'a "b"'))
    with Proxy(built(source, language, defines=defines)) as proxy:
        text = proxy.send().upstream_request.headers["x-d"]
    assert text in ("[5, -0.5, True, 'a \"b\"']", '[5,-0.5,true,"a \\"b\\""]')


@pytest.mark.parametrize(
    ("language", "options", "words"),
    [
        ("python", {"defines": (("a b", "1"),)}, "'a b' cannot be defined in Python"),
        ("python", {"defines": (("class", "1"),)}, "'class' cannot be defined in Python"),
        ("javascript", {"defines": (("typeof", "1"),)}, "'typeof' cannot be defined in JavaScript"),
        ("python", {"files": (("../a.py", ""),)}, "'../a.py' cannot be the name of a source file"),
        ("javascript", {"files": (("/a.js", ""),)}, "'/a.js' cannot be the name of a source file"),
    ],
)
def test_what_cannot_be_built_in_is_refused(language, options, words):
    with pytest.raises(BuildError, match=words):
        build_module("", language, options=BuildOptions(**options))


def test_a_filter_with_parts_starts_again_for_a_second_plugin():
    plugin = built(PYTHON_SOURCE, "python", files=tuple(PYTHON.items()))
    with Proxy([plugin, plugin.replace(name="other")]) as proxy:
        assert proxy.send(Request()).upstream_request.headers["x-greeting"] == "hello adahello"
