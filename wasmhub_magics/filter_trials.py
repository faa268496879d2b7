"""What can be tried with a filter: measured, verified, checked against cases, made to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from .errors import WasmhubError
from .http import Request
from .plugin import HasPlugin, Plugin
from .proxy import Upstream, echo

if TYPE_CHECKING:
    from .envoy import ParityReport
    from .latency import Comparison, LatencyReport, Sweep
    from .page import Share
    from .testing import Case, Fault, Remembered, Results, Simulation

__all__ = ["Engine", "Trials"]

Engine = Literal["embedded", "envoy"]


class Trials:
    """The trials of a filter, which has a ``plugin``."""

    plugin: Plugin
    opener: Callable[[list[Any]], Any] | None = None
    """How a request tester is opened; the notebook extension says so."""

    def bench(
        self,
        request: Request | None = None,
        *,
        engine: Engine = "embedded",
        upstream: Upstream = echo,
        baseline: bool = True,
        **options: Any,
    ) -> LatencyReport:
        """Measure what the filter costs: in the embedded proxy (its code) or real Envoy (what users feel).

        Embedded takes ``n`` or ``seconds``; envoy takes ``rate`` in requests a second and ``seconds``.
        """
        from . import latency

        measure: Callable[..., LatencyReport] = latency.bench_envoy if engine == "envoy" else latency.bench
        return measure([self.plugin], request or Request(), upstream=upstream, baseline=baseline, **options)

    def bench_beside(
        self, *others: HasPlugin, request: Request | None = None, engine: Engine = "embedded", **options: Any
    ) -> Comparison:
        """Measure other builds or filters, and this one, in turns: ``latency.bench_beside``."""
        from .latency import bench_beside

        return bench_beside(*others, self.plugin, request=request, engine=engine, **options)

    def sweep(self, request: Request | None = None, **options: Any) -> Sweep:
        """Raise the rate of requests against a real Envoy until it no longer keeps up: ``latency.sweep``."""
        from .latency import sweep

        return sweep([self.plugin], request, **options)

    def verify(
        self, requests: Iterable[Request] | None = None, *, upstream: Upstream = echo, **options: Any
    ) -> ParityReport:
        """Send the same requests through the embedded proxy and the real Envoy and compare all that shows."""
        from .envoy import verify

        return verify([self.plugin], requests, upstream=upstream, **options)

    def check(
        self,
        cases: Iterable[Case],
        *,
        engine: Engine = "embedded",
        before: Results | Mapping[str, Remembered] | None = None,
    ) -> Results:
        """Run cases, such as a ``testing.Suite``, and tell which pass, and what changed since ``before``."""
        from .testing import run_cases

        return run_cases([self.plugin], cases, engine=engine, before=before)

    def simulate(self, fault: Fault, request: Request | None = None, **options: Any) -> Simulation:
        """Let the filter fail and tell what clients see under each failure policy: ``testing.simulate``."""
        from .testing import simulate

        return simulate(self.plugin, fault, request, **options)

    def to_html(
        self,
        path: str | Path = "",
        *,
        cases: Iterable[Case] = (),
        readme: str = "",
        source: bool = False,
        report: LatencyReport | None = None,
        configuration: bool = True,
    ) -> Share:
        """Write one page with the filter, the proxy and the tester in it, which opens from disk anywhere.

        What it holds is chosen, and told by the result. Raises RequestError where it cannot be written.
        """
        from .page import write_document

        text = str(getattr(self, "source", ""))
        return write_document(
            path or f"{self.plugin.name}.html",
            [self.plugin],
            cases=cases,
            readme=readme,
            source=text if source else "",
            report=report,
            configuration=configuration,
            written_in=text,
        )

    def with_schema(self, schema: Mapping[str, Any]) -> Self:
        """A copy whose module carries this JSON Schema of its configuration: testers make a form of it."""
        from .page import with_schema

        plugin = self.plugin.replace(module=with_schema(self.plugin.module, schema))
        copy: Self = replace(self, plugin=plugin)  # type: ignore[type-var]
        return copy

    def test(self, *others: Any) -> Any:
        """Open the request tester on this filter, or on a chain that it starts.

        Raises WasmhubError outside of a notebook in which the extension is loaded.
        """
        if Trials.opener is None:
            raise WasmhubError(
                "the request tester needs a notebook", do="run %load_ext wasmhub_magics in a cell"
            )
        return Trials.opener([self, *others])
