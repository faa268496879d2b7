"""What axe says of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SCRIPT = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page, *parts: str) -> list[Any]:
    """Each rule that a part of the page breaks, with the elements that do."""
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(path=SCRIPT)
    found: list[Any] = page.evaluate(
        """async parts => {
          const { violations } = await axe.run({ include: parts.map(each => [each]) });
          return violations.map(each => [each.id, each.nodes.map(node => node.html)]);
        }""",
        list(parts),
    )
    return found
