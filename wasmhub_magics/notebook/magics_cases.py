"""%%wasm_cases, %wasm_cases, %wasm_fail: cases of a filter, and what clients see when it fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.magic import magics_class, no_var_expand

from ..errors import RequestError
from .arguments import (
    argument,
    chosen_request,
    engine_argument,
    line_cell_magic,
    line_magic,
    magic_arguments,
    parse,
    request_arguments,
    upstream_from,
    variable,
)
from .errors import clean_errors
from .group import Group
from .session import SESSION

if TYPE_CHECKING:
    from ..latency import LatencyReport
    from ..page import Share
    from ..testing import Results, Simulation, Suite

__all__ = ["CasesMagics"]


@magics_class
class CasesMagics(Group):
    """Magics that test filters."""

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the filter")
    @argument(
        "--from", dest="source", metavar="WHAT", help="YAML or CSV file, or @name of a DataFrame or Suite"
    )
    @argument("--save", metavar="FILE", help="write the cases: YAML, CSV, or a pytest file by its ending")
    @engine_argument()
    @line_cell_magic
    @clean_errors
    def wasm_cases(self, line: str, cell: str | None = None) -> Results:
        """Keep the cases in this cell as those of a filter, and run them; without a cell, run those it has.

        The body is YAML: a list of cases, each with a name, a request and what is expected. What changed
        since the build before is marked. An open request tester shows the cases and their results, too.

        Examples::

            %%wasm_cases greeter
            - name: greets ada
              request: "curl -H 'x-user: ada' /items"
              expect: {status: 200, upstream.x-greeting: hello ada}

            %wasm_cases greeter --engine envoy
            %wasm_cases greeter --from cases.csv --save test_greeter.py
        """
        from ..testing import Suite, build_key

        options = parse(self.wasm_cases, line)
        made = self.filter(options.name)
        if cell is not None:
            SESSION.add_suite(made.name, Suite.parse(cell, "this cell"))
        elif options.source:
            SESSION.add_suite(made.name, self._suite(options.source))
        suite = SESSION.suites.get(made.name)
        if suite is None:
            raise RequestError(
                f"{made.name} has no cases",
                do=f"write them in a cell that starts with %%wasm_cases {made.name}",
            )
        if options.save:
            path = Path(options.save)
            if path.suffix == ".py":
                path.write_text(suite.to_pytest(f"{made.name}.wasm"), encoding="utf-8")
            else:
                suite.save(path)
        memory, build = SESSION.recall[made.name], build_key([made])
        before = memory.against(build) or None
        results = made.check(suite, engine=options.engine or self.settings.engine, before=before)
        SESSION.results[made.name] = results
        SESSION.remember(made.name, memory.then(build, results.remembered))
        return results

    def _suite(self, source: str) -> Suite:
        from ..testing import Suite, read_suite

        if not source.startswith("@"):
            return read_suite(source)
        value = variable(source, self.variables)
        if isinstance(value, Suite):
            return value
        if not hasattr(value, "to_dict"):
            raise RequestError(f"{source} holds no cases", do="assign a DataFrame or a testing.Suite")
        return Suite.from_frame(value)

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the filter")
    @argument("kind", choices=("trap", "time-out", "memory"), help="what goes wrong")
    @argument("--in", dest="callback", metavar="CALLBACK", default="proxy_on_request_headers", help="where")
    @argument("--call", type=int, default=1, metavar="N", help="in which call of it, counted from 1")
    @request_arguments()
    @argument("--upstream", metavar="STATUS", help="who answers: a status, or @name of a variable")
    @engine_argument()
    @line_magic
    @clean_errors
    def wasm_fail(self, line: str) -> Simulation:
        """Let a filter fail on purpose and show what clients see under each failure policy.

        The fault is built into a copy of the module, so that real Envoy fails in the same place.

        Examples::

            %wasm_fail greeter trap
            %wasm_fail greeter memory --in proxy_on_response_headers --call 3 GET /items
        """
        from ..testing import Fault

        options = parse(self.wasm_fail, line)
        made = self.filter(options.name)
        return made.simulate(
            Fault(options.kind, options.callback, options.call),
            chosen_request(options, self.variables),
            engine=options.engine or self.settings.engine,
            **upstream_from(options.upstream, self.variables),
        )

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the filter")
    @argument("file", nargs="?", help="where the page goes (default: NAME.html)")
    @argument("--source", action="store_true", help="show the source in the page")
    @argument("--no-cases", action="store_true", help="leave the cases out")
    @argument("--no-config", action="store_true", help="leave configuration and environment out")
    @argument("--readme", metavar="FILE", help="text about the filter; @name of a variable")
    @argument(
        "--report",
        metavar="@NAME",
        nargs="?",
        const="",
        help="show a latency report: that of the last %%wasm_bench, or @name of a variable",
    )
    @line_magic
    @clean_errors
    def wasm_share(self, line: str) -> Share:
        """Write one page with a filter, the proxy that runs it and the tester: it opens from disk anywhere.

        It needs no server, no network and no kernel. What it holds is told.

        Examples::

            %wasm_share greeter --report
            %wasm_share greeter docs/greeter.html --source --readme README.md --report @report
        """
        options = parse(self.wasm_share, line)
        made = self.filter(options.name)
        report = None if options.report is None else self._report(made.name, options.report)
        suite = None if options.no_cases else SESSION.suites.get(made.name)
        return made.to_html(
            options.file or "",
            cases=suite or (),
            readme=self._text(options.readme) if options.readme else "",
            source=options.source,
            report=report,
            configuration=not options.no_config,
        )

    def _report(self, name: str, wanted: str) -> LatencyReport:
        from ..latency import LatencyReport

        if wanted:
            value = variable(wanted, self.variables)
            if isinstance(value, LatencyReport):
                return value
            raise RequestError(f"{wanted} is no latency report", do="assign what %wasm_bench returns")
        if name in SESSION.reports:
            return SESSION.reports[name]
        raise RequestError(f"{name} has not been measured", do=f"measure it by %wasm_bench {name}")

    def _text(self, where: str) -> str:
        if where.startswith("@"):
            return str(variable(where, self.variables))
        try:
            return Path(where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"the text cannot be read: {error}", where=where) from None
