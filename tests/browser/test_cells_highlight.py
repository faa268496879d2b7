"""Filter cells in JupyterLab look, comment and indent like what they hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.cells import caret, coloured, colours, ours, source, wait_for_language
from tests.browser.lab import ANSWER_MS, READY, Lab, Notebook, cell

pytestmark = pytest.mark.browser

BODIES = {
    "python": "def f(ctx):\n    return 'text'  # note",
    "c": 'int f(void) { return "text"; } // note',
    "cpp": 'class Root { int f() { return "text"; } }; // note',
    "zig": 'fn f() []const u8 { return "text"; } // note',
    "rust": 'fn f() -> &str { return "text"; } // note',
    "go": 'func f() string { return "text" } // note',
    "assemblyscript": 'function f(): string { return "text"; } // note',
    "javascript": 'function f() { return "text"; } // note',
    "wat": '(module (data "text")) ;; note',
}
PLAIN, MARKDOWN = len(BODIES), "Filters start with\n\n%%wasm_filter name --lang rust\nfn main() {}"


@pytest.fixture(scope="module")
def opened(context: BrowserContext, lab: Lab) -> Iterator[Notebook]:
    """A notebook with a filter cell of each language, then a cell that is none."""
    magics = [f"%%wasm_filter x --lang {name}\n{body}" for name, body in BODIES.items()]
    cells = [*map(cell, [*magics, "x = 'text'  # note"]), cell(MARKDOWN, "raw")]
    shown = Notebook(context.new_page(), lab, lab.write("cells.ipynb", cells))
    yield shown
    shown.close()


@pytest.fixture
def page(opened: Notebook) -> Page:
    """The page of the notebook, all of its cells as they were at first."""
    for index, (name, body) in enumerate(BODIES.items()):
        opened.replace(index, f"%%wasm_filter x --lang {name}\n{body}")
    opened.replace(PLAIN, "x = 'text'  # note")
    return opened.page


@pytest.mark.parametrize("name", BODIES)
def test_the_magic_line_and_the_body_have_their_colours(page: Page, opened: Notebook, name: str) -> None:
    coloured(page, list(BODIES).index(name), name, BODIES[name])
    assert ours(opened) == []


def test_the_language_follows_the_magic_line_as_it_is_typed(page: Page) -> None:
    index = list(BODIES).index("python")
    wait_for_language(page, index, "wasm-filter-python")
    caret(page, index, 0, len("%%wasm_filter x --lang python"))
    for _ in "python":
        page.keyboard.press("Backspace")
    page.keyboard.type("ru")
    wait_for_language(page, index, "wasm-filter-unknown")
    page.keyboard.type("st")
    wait_for_language(page, index, "wasm-filter-rust")
    page.keyboard.press("Home")
    page.keyboard.press("Delete")
    wait_for_language(page, index, "python")
    page.keyboard.type("%")
    wait_for_language(page, index, "wasm-filter-rust")


@pytest.mark.parametrize(
    ("name", "line", "commented"),
    [
        ("rust", "let x = 1;", "// let x = 1;"),
        ("python", "x = 1", "# x = 1"),
        ("zig", "const x = 1;", "// const x = 1;"),
        ("wat", "(nop)", ";; (nop)"),
        ("go", "x := 1", "// x := 1"),
        ("c", "int x;", "// int x;"),
        ("cpp", "int x;", "// int x;"),
        ("assemblyscript", "let x = 1;", "// let x = 1;"),
        ("javascript", "let x = 1;", "// let x = 1;"),
    ],
)
def test_comments_are_toggled_in_the_language_of_the_body(
    page: Page, opened: Notebook, name: str, line: str, commented: str
) -> None:
    magic = f"%%wasm_filter x --lang {name}"
    opened.replace(PLAIN, f"{magic}\n{line}")
    wait_for_language(page, PLAIN, f"wasm-filter-{name}")
    caret(page, PLAIN, 1, 0)
    page.keyboard.press("Control+/")
    assert source(page, PLAIN) == f"{magic}\n{commented}"
    page.keyboard.press("Control+/")
    assert source(page, PLAIN) == f"{magic}\n{line}"
    caret(page, PLAIN, 0, 0)
    page.keyboard.press("Control+/")
    assert source(page, PLAIN) == f"{magic}\n{line}"  # the magic line cannot be left out


@pytest.mark.parametrize(
    ("name", "opening", "indentation"),
    [
        ("python", "def main():", "    "),
        ("rust", "fn main() {", "    "),
        ("c", "int main() {", "    "),
        ("cpp", "int main() {", "    "),
        ("zig", "fn main() void {", "    "),
        ("go", "func main() {", "\t"),
        ("assemblyscript", "function main(): void {", "    "),
        ("javascript", "function main() {", "    "),
        ("wat", "(module", "    "),
    ],
)
def test_a_new_line_in_a_block_is_indented_as_the_language_does(
    page: Page, opened: Notebook, name: str, opening: str, indentation: str
) -> None:
    magic = f"%%wasm_filter x --lang {name}"
    opened.replace(PLAIN, f"{magic}\n{opening[:-1]}")
    wait_for_language(page, PLAIN, f"wasm-filter-{name}")
    caret(page, PLAIN, 1, len(opening) - 1)
    page.keyboard.type(opening[-1])
    page.keyboard.press("Enter")
    page.keyboard.type("x")
    assert source(page, PLAIN).startswith(f"{magic}\n{opening}\n{indentation}x")


def test_a_cell_without_the_magic_stays_what_it_was(page: Page) -> None:
    wait_for_language(page, PLAIN, "python")
    raw = page.locator(".jp-Notebook .jp-RawCell .cm-content")
    raw.scroll_into_view_if_needed()
    expect(raw).not_to_have_attribute("data-language", "wasm-filter-rust")


def test_languages_survive_a_restart_of_the_kernel(page: Page) -> None:
    index = list(BODIES).index("rust")
    wait_for_language(page, index, "wasm-filter-rust")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_function(READY, timeout=ANSWER_MS)
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
        timeout=ANSWER_MS,
    )
    wait_for_language(page, index, "wasm-filter-rust")
    assert colours(page, index)["return"] != colours(page, index)["// note"]
