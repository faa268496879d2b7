"""%wasm_send, %wasm_test, %wasm_bench, %wasm_verify, %wasm_inspect: run a filter, look into it."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import magics_class, no_var_expand

from ..errors import RequestError, WasmhubError
from ..http import Request
from .arguments import (
    argument,
    chosen_request,
    cluster_argument,
    clusters_from,
    engine_argument,
    line_magic,
    magic_arguments,
    parse,
    request_arguments,
    upstream_from,
    variable,
)
from .errors import clean_errors
from .figures import measured, sent, verified
from .group import Group
from .marks import mark, marking, trying
from .progress import Progress
from .session import SESSION

if TYPE_CHECKING:
    from ..envoy import ParityReport
    from ..filter import Filter
    from ..inspection import Inspection
    from ..latency import Comparison, LatencyReport, Sweep
    from ..proxy import Exchange, State
    from .live import LiveChart
    from .tester import Tester

__all__ = ["RunMagics"]


@magics_class
class RunMagics(Group):
    """Magics that run filters."""

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the filter")
    @request_arguments()
    @argument(
        "--upstream", metavar="STATUS", help="who answers: a status, or @name of a Response or a function"
    )
    @cluster_argument()
    @engine_argument()
    @line_magic
    @clean_errors
    def wasm_send(self, line: str) -> Exchange:
        """Send one request through a filter and show what changed, the log and the host calls.

        The flags are those of curl; ``@name`` in place of a path sends the Request of that variable. The
        filter keeps its virtual machine between sends, as in a proxy.

        Examples::

            %wasm_send greeter GET /items -H 'x-user: ada'
            %wasm_send greeter -d '{"id": 1}' -H 'content-type: application/json' /items --upstream 503
            %wasm_send greeter --cluster auth=403 --cluster keys=@keys --cluster api=http://127.0.0.1:8080
        """
        options = parse(self.wasm_send, line)
        made = self.filter(options.name)
        request = chosen_request(options, self.variables)
        upstream = upstream_from(options.upstream, self.variables)
        clusters = clusters_from(options.cluster, self.variables)
        with marking(made):
            if (options.engine or self.settings.engine) == "envoy":
                from ..envoy import EnvoyProxy

                with EnvoyProxy([made.plugin], **clusters) as proxy:
                    exchange: Exchange = proxy.send(request, **upstream)
            else:
                exchange = made.send(request, **upstream, **clusters)
            SESSION.exchanges[made.name] = (made, exchange)
            SESSION.history.measured(made.name, sent(made, exchange))
        self._mark(made, [exchange])
        return exchange

    def _mark(self, made: Filter, exchanges: Iterable[Exchange]) -> None:
        with Progress(f"{made.name}: the line that failed", self.settings.progress_after):
            mark(made, (line for each in exchanges for line in each.log))

    @no_var_expand
    @magic_arguments()
    @argument("names", nargs="+", metavar="NAME", help="name of the filter; several make a chain")
    @line_magic
    @clean_errors
    def wasm_test(self, line: str) -> Tester:
        """Open the request tester: a form for a request, and what the filter made of it.

        Ctrl+Enter sends. A cell that builds the filter again updates the open tester.

        Examples::

            %wasm_test greeter
            %wasm_test auth greeter
        """
        options = parse(self.wasm_test, line)
        filters = [self.filter(name) for name in options.names]
        from .tester_loader import tester

        return tester(filters, self.variables)

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the filter")
    @request_arguments()
    @argument(
        "--vs",
        metavar="WHAT",
        default="none",
        help="none (the chain without the filter), another filter, or before: its build before this one",
    )
    @argument(
        "--upstream", metavar="STATUS", help="who answers: a status, or @name of a Response or a function"
    )
    @engine_argument()
    @argument("--rate", metavar="N", type=int, help="requests a second (envoy)")
    @argument("--seconds", metavar="S", type=float, help="how long to measure")
    @argument("--mix", action="store_true", help="take turns with the requests of the filter's cases")
    @argument("--no-live", action="store_true", help="no chart while it runs")
    @line_magic
    @clean_errors
    def wasm_bench(self, line: str) -> LatencyReport | Comparison:
        """Measure what a filter costs and draw its latencies beside those without it.

        The embedded engine measures the filter's code, the envoy engine what users of a real Envoy feel
        at a constant rate. Request flags are those of curl; without any it is the request that the filter
        was last sent, by the tester or ``%wasm_send``.

        Examples::

            %wasm_bench greeter
            %wasm_bench greeter --vs before
            %wasm_bench greeter --vs greeter_v1 --seconds 5 /items -H 'x-user: ada'
            %wasm_bench greeter --engine envoy --rate 2000
            %wasm_bench greeter --mix --engine envoy
        """
        options = parse(self.wasm_bench, line)
        made = self.filter(options.name)
        request = self._request(made, options)
        other = None if options.vs == "none" else self._other(made, options.vs, request)
        given: dict[str, Any] = {"engine": options.engine or self.settings.engine}
        given |= upstream_from(options.upstream, self.variables)
        given |= {
            name: value for name in ("rate", "seconds") if (value := getattr(options, name)) is not None
        }
        if "rate" in given and given["engine"] != "envoy":
            raise RequestError(
                "the embedded engine runs as fast as it can, there is no rate to set", do="add --engine envoy"
            )
        if options.mix:
            given["mix"] = self._mix(made.name)
        title = f"measuring {made.name}" + ("" if other is None else f" beside {other.name}")
        tried = [each for each, _ in given["mix"]] if options.mix else [request]
        with (
            trying([made] if other is None else [other, made], tried, given.get("upstream")),
            self._chart(title, live=not options.no_live) as chart,
        ):
            if chart is not None:
                given |= {"progress": chart.show, "stop": chart.stopped}
            found: LatencyReport | Comparison
            if other is None:
                found = made.bench(request, **given)
                self._keep(made, found)
            else:
                found = made.bench_beside(other, request=request, **given)
                for each, report in zip((other, made), found.reports, strict=True):
                    self._keep(each, report)
            if chart is not None:
                chart.end(str(found))
        return found

    def _request(self, made: Filter, options: argparse.Namespace) -> Request:
        """The request that is named, or else the last one that was sent to the filter."""
        chosen = chosen_request(options, self.variables)
        last = SESSION.exchanges.get(made.name)
        unnamed = not options.words and chosen == Request()
        return last[1].request if last is not None and unnamed else chosen

    def _keep(self, made: Filter, report: LatencyReport) -> None:
        SESSION.reports[made.name] = report
        SESSION.history.measured(made.name, measured(made, report))

    @contextlib.contextmanager
    def _chart(self, title: str, *, live: bool) -> Iterator[LiveChart | None]:
        """A live chart that follows a measurement, where there is a screen for one."""
        if not live or not hasattr(self.shell, "kernel"):
            yield None
            return
        from IPython.display import display

        from .live import LiveChart

        chart = LiveChart(title)
        display(chart)  # type: ignore[no-untyped-call]
        try:
            yield chart
        except BaseException:
            chart.end()
            raise

    def _other(self, made: Filter, told: str, request: Request) -> Filter:
        """The filter that ``--vs`` means; ``before`` is the newest other build that answers the request.

        Raises RequestError where there is none.
        """
        if told != "before":
            return self.filter(told)
        others = [each for each in SESSION.before.get(made.name, ()) if each.plugin != made.plugin]
        if not others:
            raise RequestError(
                f"{made.name} has no build before this one in this session",
                do="change its cell and run it again",
            )
        found = next((each for each in reversed(others) if _answers(each, request)), None)
        if found is None:
            raise RequestError(
                f"no build of {made.name} before this one answers this request",
                do="name another filter: --vs NAME",
            )
        return replace(found, plugin=found.plugin.replace(name=f"{made.name}, the build before"))

    def _mix(self, name: str) -> tuple[tuple[Request, float], ...]:
        suite = SESSION.suites.get(name)
        if suite is None or not suite.mix():
            raise RequestError(
                f"{name} has no cases to take turns with", do=f"write them in a cell: %%wasm_cases {name}"
            )
        return suite.mix()

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the filter")
    @request_arguments()
    @argument("--start", metavar="N", type=float, default=200, help="first rate, in requests a second")
    @argument("--growth", metavar="X", type=float, default=2.0, help="factor from rate to rate")
    @argument("--steps", metavar="N", type=int, default=6, help="how many rates at most")
    @argument("--seconds", metavar="S", type=float, default=1.0, help="how long each")
    @line_magic
    @clean_errors
    def wasm_sweep(self, line: str) -> Sweep:
        """Raise the rate of requests against a real Envoy until it no longer keeps up, and find the knee.

        Examples::

            %wasm_sweep greeter
            %wasm_sweep greeter --start 1000 --growth 1.5 --seconds 3 /items
        """
        options = parse(self.wasm_sweep, line)
        names = ("start", "growth", "steps", "seconds")
        given = {name: getattr(options, name) for name in names}
        made = self.filter(options.name)
        return made.sweep(self._request(made, options), **given)

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the filter")
    @line_magic
    @clean_errors
    def wasm_state(self, line: str) -> State:
        """Show what a filter keeps between requests: metrics, shared data, queues, timers, pending calls.

        Examples::

            %wasm_state greeter
        """
        return self.filter(parse(self.wasm_state, line).name).state

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the filter")
    @argument(
        "--envoy",
        metavar="VERSION",
        action="append",
        default=[],
        help="hold it against this release, such as 1.37; may be repeated (default: all known ones)",
    )
    @line_magic
    @clean_errors
    def wasm_inspect(self, line: str) -> Inspection:
        """Take a filter's module apart: imports and exports with a verdict for each Envoy, sizes, its cost.

        Examples::

            %wasm_inspect greeter
            %wasm_inspect greeter --envoy 1.37
        """
        options = parse(self.wasm_inspect, line)
        return self.filter(options.name).inspect(options.envoy)

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the filter")
    @request_arguments()
    @argument(
        "--upstream", metavar="STATUS", help="who answers: a status, or @name of a Response or a function"
    )
    @cluster_argument()
    @line_magic
    @clean_errors
    def wasm_verify(self, line: str) -> ParityReport:
        """Send the same requests through the embedded proxy and the real Envoy and list the differences.

        ``@name`` in place of a path takes the requests of that variable, a Request or a list of them; with no
        request at all a standard set is used.

        Examples::

            %wasm_verify greeter
            %wasm_verify greeter @requests
            %wasm_verify greeter /items -H 'x-user: ada'
        """
        options = parse(self.wasm_verify, line)
        made = self.filter(options.name)
        given = upstream_from(options.upstream, self.variables) | clusters_from(
            options.cluster, self.variables
        )
        report = made.verify(self._requests(options), **given)
        SESSION.history.measured(made.name, verified(made, report))
        self._mark(made, [exchange for pair in report.exchanges for exchange in pair])
        return report

    def _requests(self, options: argparse.Namespace) -> list[Request] | None:
        if len(options.words) == 1 and options.words[0].startswith("@"):
            value = variable(options.words[0], self.variables)
            found = [value] if isinstance(value, Request) else value
            if not isinstance(found, list | tuple) or not all(isinstance(each, Request) for each in found):
                raise RequestError(
                    f"{options.words[0]} holds no requests",
                    do='assign a list such as [Request("GET", "/path")]',
                )
            return list(found)
        request = chosen_request(options, self.variables)
        return None if request == Request() and not options.words else [request]


def _answers(made: Filter, request: Request) -> bool:
    try:
        exchange = made.send(request)
    except WasmhubError:
        return False
    finally:
        made.restart()
    failed = any(line.message.startswith("Function: ") for line in exchange.log)
    return exchange.outcome == "complete" and not failed
