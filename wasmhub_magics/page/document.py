"""One self-contained page: a filter, the proxy that runs it, its cases, what is written about it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RequestError
from ..plugin import HasPlugin, as_plugin
from ..testing import Case
from .bundle import script, style
from .cases import cases_data
from .parts import Parts, parts_of
from .schema import schema_of

if TYPE_CHECKING:
    from ..latency import LatencyReport

__all__ = ["Share", "document", "write_document"]


@dataclass(frozen=True)
class Share:
    """A page that was written: where it is, how large, and what whoever has it can see."""

    path: Path
    size: int
    reveals: tuple[str, ...]

    def __str__(self) -> str:
        lines = "".join(f"\n  it holds {each}" for each in self.reveals)
        return f"{self.path}, {self.size / 1024:,.0f} KB; open it in a browser, no server is needed{lines}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(each)}</li>" for each in self.reveals)
        link = f"<a href='{html.escape(str(self.path))}' target='_blank'>{html.escape(str(self.path))}</a>"
        size = f"{self.size / 1024:,.0f} KB, opens from disk without server or network. It holds:"
        return f"<div><b>{link}</b> {size}<ul>{items}</ul></div>"


def write_document(path: str | Path, filters: Iterable[HasPlugin], **options: Any) -> Share:
    """Write the page of ``document`` to a file and tell what it holds. Raises RequestError if it cannot."""
    path = Path(path)
    text, reveals = document(filters, **options)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(f"the page cannot be written: {error.strerror}", where=str(path)) from None
    return Share(path, len(text.encode()), reveals)


def document(
    filters: Iterable[HasPlugin],
    *,
    cases: Iterable[Case] = (),
    readme: str = "",
    source: str = "",
    report: LatencyReport | None = None,
    configuration: bool = True,
    written_in: str = "",
) -> tuple[str, tuple[str, ...]]:
    """The page as text, and what it reveals.

    It holds the modules, and as chosen cases, a README, the source, a latency report, and the plugins'
    configurations. ``written_in`` is the text the modules were made from, only to tell whether they hold it.
    """
    plugins = [as_plugin(each) for each in filters]
    if not configuration:
        plugins = [
            plugin.replace(configuration=b"", vm_configuration=b"", environment=()) for plugin in plugins
        ]
    parts = parts_of(plugins)
    suite = cases_data(cases)
    extras = [f"{len(suite)} cases with their requests"] * bool(suite) + ["the README"] * bool(readme)
    if report is not None:
        extras.append("a latency report, with the figures of the machine it was measured on")
    reveals = (*_reveals(parts, source, written_in), *extras)
    name = " → ".join(plugin.name for plugin in plugins)
    data = {
        "title": name,
        "about": "; ".join(f"{p.module.size / 1024:,.1f} KB, {p.module.digest[:19]}" for p in plugins),
        "names": [plugin.name for plugin in plugins],
        "build": parts.plugins[-1]["digest"] if parts.plugins else "",
        "form": {
            "method": "GET",
            "path": "/",
            "headers": [],
            "configs": {p.name: p.configuration.decode("utf-8", "replace") for p in plugins},
        },
        "cases": suite,
        "schemas": {plugin.name: schema_of(plugin.module) for plugin in plugins},
        "parts": {
            "plugins": list(parts.plugins),
            "functions": list(parts.functions),
            "host": _base64(parts.host),
            "bridge": _base64(parts.bridge),
            "modules": [_base64(module) for module in parts.modules],
        },
    }
    if suite:
        data["form"] |= {key: suite[0]["request"][key] for key in ("method", "path", "headers")}  # type: ignore[operator]
    shown = "".join(f"<li>{html.escape(each)}</li>" for each in reveals)
    sections = [
        _section("About", f"<pre class='text'>{html.escape(readme)}</pre>") if readme else "",
        _section("Source", f"<pre class='code'>{html.escape(source)}</pre>") if source else "",
        _section("Latency", _report(report)) if report is not None else "",
        _section("What this page holds", f"<ul>{shown}</ul>", opened=False),
    ]
    text = _PAGE.format(
        title=html.escape(name),
        style=style(),
        policy=_POLICY,
        data=json.dumps(data).replace("<", "\\u003c"),
        script=script().replace("export default { render };", _ALONE),
        sections="".join(sections),
    )
    return text, reveals


def _reveals(parts: Parts, source: str, written_in: str) -> tuple[str, ...]:
    """What the modules and their settings show to whoever looks."""
    names = ", ".join(plugin["name"] for plugin in parts.plugins)
    size = sum(map(len, parts.modules)) / 1024
    found = [f"the module of {names}, {size:,.1f} KB, which anybody can take out and run"]
    if source:
        found.append("the source, as text")
    elif written_in.strip() and any(written_in.strip().encode() in module for module in parts.modules):
        found.append("the source all the same: modules of this language carry it inside")
    if any(p["configuration"] or p["vm_configuration"] or p["environment"] for p in parts.plugins):
        found.append("the plugin configuration and environment")
    return tuple(found)


def _report(report: LatencyReport) -> str:
    bundle = report._repr_mimebundle_()
    picture = bundle.get("image/svg+xml", "")
    return f"<div class='chart'>{picture}</div><pre class='code'>{html.escape(str(report))}</pre>"


def _section(title: str, content: str, *, opened: bool = True) -> str:
    state = " open" if opened else ""
    return f"<details class='part'{state}><summary>{title}</summary>{content}</details>"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; worker-src blob:; "
    "style-src 'unsafe-inline'; img-src data:"
)
"""The page may load nothing from anywhere: the browser itself sees to it."""

_ALONE = """
{
  const told = JSON.parse(document.getElementById("data").textContent);
  const { parts } = told;
  for (const name of ["host", "bridge"]) parts[name] = unbase64(parts[name]);
  parts.modules = parts.modules.map(unbase64);
  const values = { answer: {}, variables: [], ...told, parts, alone: true };
  const listeners = new Map();
  const model = {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      for (const each of listeners.get(`change:${name}`) ?? []) each();
    },
    save_changes() {},
    send() {},
    on: (name, each) => listeners.set(name, [...(listeners.get(name) ?? []), each]),
    off: (name, each) => listeners.set(name, (listeners.get(name) ?? []).filter((other) => other !== each)),
  };
  render({ model, el: document.getElementById("tester") });
}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}: try this filter</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; padding: 12px; max-width: 1100px; font: 14px/1.5 system-ui, sans-serif;
  background: light-dark(#fff, #111418); color: light-dark(#1f2328, #e6e8eb);
  --jp-layout-color1: light-dark(#fff, #181c21); --jp-content-font-color1: light-dark(#1f2328, #e6e8eb);
  --jp-content-font-color2: light-dark(#5b6470, #a4acb6); --jp-input-background: light-dark(#fff, #20252b);
  --jp-border-color1: light-dark(#8c959f, #5b6470); --jp-brand-color1: light-dark(#1565c0, #6cb2ff);
  --jp-border-color2: light-dark(#d0d7de, #3a424b); --jp-content-link-color: light-dark(#1565c0, #6cb2ff);
  --jp-error-color1: light-dark(#b3261e, #ff8a80); --jp-success-color1: light-dark(#1a7f37, #56d364); }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
.part {{ margin: 12px 0; }} .part > summary {{ cursor: pointer; font-weight: 600; }}
.code {{ font: 12px/1.5 monospace; }} .chart svg {{ max-width: 100%; height: auto; }}
{style}
</style>
</head>
<body class="wht-alone">
<main>
<h1 style="font-size:18px">{title}</h1>
<p>A filter for Envoy, and the proxy that runs it: all of it is in this page, and nothing leaves it.</p>
<div id="tester"></div>
{sections}
</main>
<script type="application/json" id="data">{data}</script>
<script type="module">
{script}
</script>
</body>
</html>
"""
