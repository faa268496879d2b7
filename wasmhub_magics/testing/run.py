"""Run cases: each in a proxy of its own, so that none sees what another left behind."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Literal

from ..errors import WasmhubError
from ..plugin import HasPlugin, Plugin, as_plugin
from ..proxy import AnyProxy, Cluster, Proxy
from .answers import cluster_from, upstream_from
from .case import Case
from .memory import Remembered
from .result import CaseResult, Results, missed

__all__ = ["Engine", "run_case", "run_cases"]

Engine = Literal["embedded", "envoy"]


def run_case(
    filters: HasPlugin | Iterable[HasPlugin], case: Case, *, engine: Engine = "embedded"
) -> CaseResult:
    """Run one case against a filter, or a chain of them."""
    return run_cases(filters, [case], engine=engine).results[0]


def run_cases(
    filters: HasPlugin | Iterable[HasPlugin],
    cases: Iterable[Case],
    *,
    engine: Engine = "embedded",
    before: Results | Mapping[str, Remembered] | None = None,
) -> Results:
    """Run cases and tell which passed; ``before`` is an earlier run, against which changes are marked.

    In the embedded proxy each case gets new virtual machines, with a fixed clock and seed. Real Envoy is
    started once for all cases with the same configuration and clusters. A filter that does not start fails
    its cases; what concerns all of them, such as a missing Envoy, is raised.
    """
    chain = tuple(as_plugin(f) for f in (filters if isinstance(filters, Iterable) else (filters,)))
    asked = tuple(cases)
    found = _embedded(chain, asked) if engine == "embedded" else _envoy(chain, asked)
    return Results(found, engine, module=chain[-1].module.digest if chain else "").after(before)


def _embedded(chain: tuple[Plugin, ...], cases: tuple[Case, ...]) -> tuple[CaseResult, ...]:
    results = []
    for case in cases:
        start = time.perf_counter()
        fuel = any(expectation.what == "fuel-below" for expectation in case.expect)
        try:
            clusters = _clusters(case)
            with Proxy(_configured(chain, case), clusters=clusters, clock=FIXED, seed=0, fuel=fuel) as proxy:
                results.append(_sent(proxy, case, start))
        except WasmhubError as error:
            results.append(CaseResult(case, error=str(error), seconds=time.perf_counter() - start))
    return tuple(results)


def _envoy(chain: tuple[Plugin, ...], cases: tuple[Case, ...]) -> tuple[CaseResult, ...]:
    from ..envoy import EnvoyProxy
    from ..errors import EnvoyRejected

    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(repr((case.config, sorted(case.clusters.items()))), []).append(case)
    found: dict[str, CaseResult] = {}
    for group in groups.values():
        start = time.perf_counter()
        try:
            with EnvoyProxy(_configured(chain, group[0]), clusters=_clusters(group[0])) as proxy:
                for case in group:
                    found[case.name] = _sent(proxy, case, time.perf_counter())
        except EnvoyRejected as error:
            seconds = time.perf_counter() - start
            found |= {c.name: CaseResult(c, error=str(error), seconds=seconds) for c in group}
    return tuple(found[case.name] for case in cases)


def _sent(proxy: AnyProxy, case: Case, start: float) -> CaseResult:
    try:
        exchange = proxy.send(case.request, upstream=upstream_from(case.upstream))
    except WasmhubError as error:
        return CaseResult(case, error=str(error), seconds=time.perf_counter() - start)
    return CaseResult(case, exchange, missed(case, exchange), seconds=time.perf_counter() - start)


def _configured(chain: tuple[Plugin, ...], case: Case) -> tuple[Plugin, ...]:
    """The chain with the case's configuration, which is that of its last filter."""
    if case.config is None:
        return chain
    return (*chain[:-1], chain[-1].replace(configuration=case.config.encode()))


def _clusters(case: Case) -> Mapping[str, Cluster]:
    return {name: cluster_from(spec) for name, spec in case.clusters.items()}


FIXED = 1_700_000_000
"""The time of all cases, so that a filter that looks at the clock answers the same in every run."""
