"""A shared page, opened from disk by a browser that has no network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page

from wasmhub_magics import build
from wasmhub_magics.filter import Filter
from wasmhub_magics.testing import Suite

GATE = """\
import json

def on_request_headers(ctx):
    settings = json.loads(ctx.configuration or b"{}")
    path = ctx.request.path
    if path == "/boom":
        return settings["nothing here"]
    if path == "/loop":
        while True:
            pass
    if path.startswith("/auth"):
        return ctx.call("auth", "/check", timeout=1, then=checked)
    if path.startswith("/client"):
        for name in path.partition("?")[2].split("&"):
            ctx.request.headers["x-" + name.replace("_", "-")] = str(ctx.property(name))
    if settings.get("closed"):
        return ctx.respond(503, body="closed\\n")
    greeting = settings.get("greeting", "hello") + " " + ctx.request.headers.get("x-user", "stranger")
    ctx.request.headers["x-greeting"] = greeting

def checked(ctx, answer):
    ctx.request.headers["x-auth"] = str(answer.status)
    ctx.resume_request()

def on_request_body(ctx):
    ctx.request.body = ctx.request.body.upper()

def on_response_headers(ctx):
    ctx.response.headers["x-gate"] = "open"
    print("passed the gate")
"""

SCHEMA = {
    "type": "object",
    "properties": {
        "greeting": {"type": "string", "title": "Greeting", "description": "goes before the name"},
        "closed": {"type": "boolean", "title": "Closed"},
        "level": {"type": "integer", "minimum": 1, "maximum": 3},
        "mode": {"enum": ["fast", "safe"]},
        "users": {"type": "array", "items": {"type": "string"}},
        "limits": {"type": "object", "properties": {"bytes": {"type": "integer"}}},
    },
}

CASES = """\
- name: greets ada
  request: "curl -H 'x-user: ada' /items"
  expect: {status: 200, upstream.x-greeting: hello ada}
- name: fails
  request: GET /boom
  expect: {status: 200}
"""


def gate(*, schema: bool = False) -> Filter:
    """The filter of these pages."""
    made = build(GATE, name="gate")
    return made.with_schema(SCHEMA) if schema else made


@contextmanager
def opened(
    context: BrowserContext,
    path: Path,
    made: Filter,
    *,
    width: int = 1100,
    theme: str = "light",
    **options: Any,
) -> Iterator[Page]:
    """The page of a filter, open in a browser without network; complaints of the page fail the test."""
    made.to_html(path, cases=Suite.parse(CASES), **options)
    assert context.browser is not None
    own = context.browser.new_context(
        offline=True,
        viewport={"width": width, "height": 1000},
        color_scheme="dark" if theme == "dark" else "light",
    )
    own.grant_permissions(["clipboard-read", "clipboard-write"])
    page = own.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(path.as_uri())
    yield page
    own.close()
    assert complaints == []


def part(page: Page, title: str) -> Locator:
    """A part of the tester by its title, opened."""
    found = page.locator("details.wht-section").filter(has=page.locator("summary", has_text=title)).first
    if found.get_attribute("open") is None:
        found.locator("summary").first.click()
    return found


def send(page: Page) -> None:
    """Press Send and wait for the answer."""
    before = page.locator(".wht").get_attribute("data-answers") or "0"
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_function(
        "before => (document.querySelector('.wht').dataset.answers ?? '0') !== before", arg=before
    )
