"""The front end's script in a bare page, so that tests can call its functions."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from playwright.sync_api import BrowserContext, Page

from wasmhub_magics.page import parts_of, script
from wasmhub_magics.plugin import HasPlugin

CLOCK, SEED = "1700000000000000000", "0"

HELPERS = """
async function openProxy(told) {
  const parts = { plugins: told.plugins, functions: told.functions, host: unbase64(told.host),
    bridge: unbase64(told.bridge), modules: told.modules.map(unbase64) };
  window.proxy = new PageProxy(parts);
}
async function sendTo({ request, upstream, clusters, properties, clock, seed, fresh }) {
  const { plugins } = window.proxy.parts;
  const setup = { plugins, clusters: clusters ?? {}, properties, clock, seed, fresh };
  try {
    return await window.proxy.send(setup, request, upstream ?? { echo: true });
  } catch (error) {
    return { error: error.message };
  }
}
const traceLines = (trace) => readTrace(trace).map((each) =>
  [each.plugin, each.context, each.name, callbackOutcome(each), each.calls.map((call) =>
    [call.name, statusOf(call), call.taken.map(base64), call.given.map(base64)])]);
"""


def harness(context: BrowserContext) -> Page:
    """A page with the script's functions; it has no network."""
    assert context.browser is not None
    own = context.browser.new_context(offline=True)
    page = own.new_page()
    text = script().replace("export default { render };", "")
    page.set_content(f"<!doctype html><script>{text}\n{HELPERS}</script>")
    return page


def open_proxy(page: Page, filters: Iterable[HasPlugin]) -> None:
    """Give the page the parts of a chain."""
    parts = parts_of(filters)

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    told = {
        "plugins": list(parts.plugins),
        "functions": list(parts.functions),
        "host": text(parts.host),
        "bridge": text(parts.bridge),
        "modules": [text(module) for module in parts.modules],
    }
    page.evaluate("told => openProxy(told)", told)


def send(page: Page, request: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Send a request to the page's proxy with fixed time and randomness."""
    told = {"request": request, "clock": CLOCK, "seed": SEED, "fresh": True, **options}
    found: dict[str, Any] = page.evaluate("told => sendTo(told)", told)
    return found
