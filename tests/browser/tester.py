"""The request tester in a notebook: what all tests of it do and ask."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.lab import ANSWER_MS, Notebook

CONTRAST = """root => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a),
    b: top.b * top.a + under.b * (1 - top.a), a: 1,
  });
  const light = ({ r, g, b }) => {
    const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [x, y, z] = [r, g, b].map((c) => linear(c / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const background = (element) => {
    const chain = [];
    for (let e = element; e; e = e.parentElement) chain.unshift(parse(getComputedStyle(e).backgroundColor));
    return chain.reduce((under, top) => over(top, under), { r: 255, g: 255, b: 255, a: 1 });
  };
  const found = [];
  for (const element of root.querySelectorAll('*')) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === 3);
    const text = texts.map((node) => node.data.trim()).join('');
    const value = element.matches('input,select') ? element.value : text;
    if (!value || !element.checkVisibility() || element.matches('style,option,.wht-quiet')) continue;
    const under = background(element);
    let shade = 1;
    for (let e = element; e; e = e.parentElement) shade *= Number(getComputedStyle(e).opacity);
    const colour = parse(getComputedStyle(element).color);
    const over_ = over({ ...colour, a: colour.a * shade }, under);
    const [a, b] = [light(over_), light(under)];
    found.push([value.slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found;
}"""
"""The contrast of each text in an element with what is behind it."""


def unfold(tester: Locator, title: str) -> None:
    """Open a part of the tester, if it is not open."""
    part = (
        tester.locator("details.wht-section").filter(has=tester.page.locator("summary", has_text=title)).first
    )
    if part.get_attribute("open") is None:
        part.locator("summary").first.click()


def send(tester: Locator) -> None:
    """Press Send, and wait for the answer."""
    answers = int(tester.get_attribute("data-answers") or 0)
    tester.get_by_role("button", name="Send", exact=True).click()
    expect(tester).to_have_attribute("data-answers", str(answers + 1), timeout=ANSWER_MS)


def ours(notebook: Notebook) -> list[str]:
    """Complaints of the page that may come from the tester."""
    return [each for each in notebook.complaints if re.search(r"anywidget|wht|wh-exchange|blob:", each)]
